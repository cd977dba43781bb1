"""What the package makes of the program's events, of its end, and of handlers, with a stand-in for the program."""

import contextlib
import io
import json
import os
import signal
import threading
import unittest
from unittest import mock

import playwarden
from playwarden._arguments import OWN_EVENTS
from playwarden._program import Program

from .support import FAKE, HERE, Case

RECORDED = os.path.join(HERE, "recorded")


class Stream(Case):
    def setUp(self):
        super().setUp()
        self.environment(PLAYWARDEN=FAKE)

    def run_(self, **kwargs):
        return playwarden.run(**{"private_data_dir": self.folder, "playbook": "test.yml", "quiet": True, **kwargs})

    def start(self, **kwargs):
        thread, runner = playwarden.run_async(
            **{"private_data_dir": self.folder, "playbook": "test.yml", "quiet": True, **kwargs}
        )
        # However the test ends, the run does.
        self.addCleanup(thread.join)
        self.addCleanup(runner.cancel)
        return thread, runner

    def given(self, runner):
        return json.loads(self.read(runner.config.artifact_dir, "given.json"))


class Events(Stream):
    def test_everything_that_ansible_reported_is_there_and_nothing_of_our_own(self):
        with open(os.path.join(RECORDED, "events.jsonl"), encoding="utf-8") as file:
            recorded = [json.loads(line) for line in file]
        taken = []
        runner = self.run_(event_handler=taken.append)
        ansible = [event for event in recorded if event["event"] not in OWN_EVENTS]
        self.assertEqual(taken, ansible)
        self.assertEqual(list(runner.events), ansible)
        self.assertEqual(list(runner.journal), recorded)
        on_h1 = list(runner.host_events("h1"))
        self.assertEqual({event["event_data"]["host"] for event in on_h1}, {"h1"})
        self.assertEqual(len(on_h1), 10)

    def test_the_run_says_how_it_ended(self):
        runner = self.run_()
        self.assertEqual((runner.status, runner.rc), ("successful", 0))
        self.assertEqual((runner.canceled, runner.timed_out, runner.errored), (False, False, False))
        self.assertEqual(runner.stats["ok"], {"h1": 4, "h2": 4})
        keys = {"ok", "changed", "dark", "failures", "ignored", "rescued", "skipped", "processed"}
        self.assertEqual(set(runner.stats), keys)
        self.assertEqual(runner.outcome["totals"]["run"]["hosts"], 2)

    def test_events_can_be_left_without_their_data(self):
        emptied = self.run_(omit_event_data=True)
        self.assertEqual({json.dumps(event["event_data"]) for event in emptied.events}, {"{}"})
        self.assertEqual(len(list(emptied.host_events("h1"))), 10)
        self.assertEqual(emptied.stats["ok"], {"h1": 4, "h2": 4})
        failed = self.run_(only_failed_event_data=True)
        self.assertEqual({event["event"] for event in failed.events if event["event_data"]}, {"runner_on_failed"})

    def test_events_are_waited_for_without_looking_again_and_again(self):
        go = self.path("go")
        _, runner = self.start(settings={"halt": 10, "go": go})
        program = runner._program
        with mock.patch.object(program.changed, "wait", wraps=program.changed.wait) as waits:
            events = runner.events
            for _ in range(7):
                next(events)
            # The next one does not come before somebody waits for it.
            releaser = threading.Thread(
                target=lambda: self.eventually("waits", lambda: waits.called) or self.file("go")
            )
            releaser.start()
            rest = [event["event"] for event in events]
            releaser.join()
        self.assertEqual(rest[-1], "playbook_on_stats")
        # Each return of a wait is a notice of an event, or of the end; none is a look after some time.
        self.assertLessEqual(waits.call_count, 2 * (33 + 1))
        self.assertEqual(
            {(call.args, tuple(call.kwargs)) for call in waits.call_args_list} - {((), ()), ((None,), ())}, set()
        )

    def test_a_runner_that_was_never_run_has_no_events(self):
        runner = playwarden.Runner(playwarden.RunnerConfig(private_data_dir=self.folder, playbook="x"))
        self.assertEqual((runner.status, runner.rc, runner.stats, list(runner.events)), ("unstarted", None, None, []))
        with self.assertRaises(playwarden.AnsibleRunnerException):
            runner.stdout.read()

    def test_a_runner_can_be_made_by_hand_and_reads_what_an_earlier_one_left(self):
        config = playwarden.RunnerConfig(private_data_dir=self.folder, playbook="x", ident="first", quiet=True)
        config.prepare()
        config.limit = "h1"
        runner = playwarden.Runner(config=config)
        self.assertEqual(runner.run(), ("successful", 0))
        self.assertEqual(
            self.given(runner)["document"], {"ident": "first", "playbook": "x", "limit": "h1", "quiet": True}
        )
        again = playwarden.Runner(playwarden.RunnerConfig(private_data_dir=self.folder, ident="first"))
        self.assertEqual(list(again.events), list(runner.events))
        self.assertEqual(again.stats, runner.stats)


class Handlers(Stream):
    def test_they_are_called_in_order_and_with_what_is_expected(self):
        said = []

        def status_handler(data, runner_config):
            self.assertEqual(runner_config.ident, data["runner_ident"])
            said.append(data)

        def finished(runner):
            self.assertEqual(
                (runner.status, runner.rc, self.read("artifacts", "i", "status")), ("successful", 0, "successful")
            )
            said.append("finished")

        self.run_(
            ident="i",
            status_handler=status_handler,
            event_handler=lambda event: said.append(event["event"]),
            artifacts_handler=said.append,
            finished_callback=finished,
        )
        events = [one for one in said if isinstance(one, str)][:-2]
        self.assertEqual((events[0], events[-1], len(events)), ("playbook_on_start", "playbook_on_stats", 28))
        begin = {"command": ["ansible-playbook", "test.yml"], "env": {"A": "b"}, "cwd": self.folder}
        self.assertEqual(
            [one for one in said if one not in events],
            [
                {"status": "starting", "runner_ident": "i", **begin},
                {"status": "running", "runner_ident": "i"},
                {"status": "successful", "runner_ident": "i"},
                self.path("artifacts", "i"),
                "finished",
            ],
        )
        self.assertEqual([said.index(events[0]), said.index(events[-1])], [2, 29])

    def test_one_that_raises_harms_nothing_and_is_named_once(self):
        def breaks(*_, **__):
            raise ZeroDivisionError("my mistake")

        names = ("status_handler", "event_handler", "artifacts_handler", "finished_callback")
        with self.assertLogs("playwarden", "ERROR") as logged:
            runner = self.run_(**dict.fromkeys(names, breaks))
        self.assertEqual((runner.status, runner.rc, len(list(runner.events))), ("successful", 0, 28))
        self.assertEqual(
            {error.handler: error.times for error in runner.handler_errors}, dict(zip(names, (3, 28, 1, 1)))
        )
        self.assertIsInstance(runner.handler_errors[0], playwarden.CallbackError)
        self.assertIsInstance(runner.handler_errors[0].__cause__, ZeroDivisionError)
        self.assertEqual(len(logged.records), 4)
        self.assertIn("in breaks", logged.output[0])

    def test_what_one_returns_or_does_to_its_event_changes_no_evidence(self):
        runner = self.run_(event_handler=lambda event: event.clear())
        self.assertEqual(len(list(runner.events)), 28)
        self.assertEqual(runner.stats["processed"], {"h1": 1, "h2": 1})

    def test_a_slow_one_delays_only_itself(self):
        ready, events = threading.Event(), []

        def handler(event):
            ready.wait()
            # Not before the run is over and all its files are there.
            if not events:
                self.assertTrue(runner._program.wait(60))
            events.append(event["counter"])

        thread, runner = self.start(event_handler=handler)
        ready.set()
        thread.join()
        self.assertEqual((runner.handler_errors, events), ([], list(range(4, 32))))

    def test_they_are_called_in_the_thread_of_the_run(self):
        threads = set()

        def handler(*_, **__):
            threads.add(threading.current_thread())

        self.run_(event_handler=handler, status_handler=handler, finished_callback=handler, artifacts_handler=handler)
        self.assertEqual(threads, {threading.current_thread()})


class Cancel(Stream):
    def test_the_first_yes_is_final(self):
        answers = iter([None, 0, "yes"])
        with mock.patch.object(Program, "cancel", autospec=True, side_effect=Program.cancel) as cancel:
            runner = self.run_(settings={"halt": 9}, cancel_callback=lambda: next(answers))
        self.assertEqual((runner.status, runner.rc, runner.canceled), ("canceled", 254, True))
        self.assertEqual((cancel.call_count, list(answers)), (1, []))

    def test_an_exception_is_a_yes_and_is_named(self):
        with self.assertLogs("playwarden", "ERROR"):
            runner = self.run_(settings={"halt": 9}, cancel_callback=lambda: {}["nothing"])
        self.assertEqual(runner.status, "canceled")
        self.assertEqual([error.handler for error in runner.handler_errors], ["cancel_callback"])

    def test_it_is_heard_while_another_handler_is_at_work(self):
        began, known = threading.Event(), threading.Event()

        def handler(_):
            began.set()
            # The first event may be there before the runner is.
            known.wait()
            runner._program.wait()

        thread, runner = self.start(settings={"halt": 9}, event_handler=handler, cancel_callback=began.is_set)
        known.set()
        thread.join()
        self.assertEqual(runner.status, "canceled")

    def test_one_that_never_answers_does_not_keep_the_run(self):
        never = threading.Event()
        self.addCleanup(never.set)
        self.assertEqual(self.run_(cancel_callback=never.wait).status, "successful")

    def test_a_run_can_be_ended_from_another_thread(self):
        thread, runner = self.start(settings={"halt": 9})
        self.eventually("Ansible runs", lambda: runner.status == "running")
        self.assertIsNone(runner.rc)
        runner.cancel()
        thread.join()
        self.assertEqual((runner.status, runner.stats), ("canceled", None))

    def test_who_leaves_a_handler_for_good_ends_the_run_first(self):
        for leaves in (KeyboardInterrupt, SystemExit):
            runners = []

            def handler(data, runner_config, leaves=leaves, runners=runners):
                runners.append(runner_config)
                raise leaves

            with self.assertRaises(leaves):
                self.run_(settings={"halt": 9}, status_handler=handler)
            journal = self.read(runners[0].artifact_dir, "events.jsonl")
            self.assertIn('"status":"canceled"', journal)
            self.assertEqual(len(runners), 1)


class Ends(Stream):
    def test_a_refusal_is_an_exception_with_what_the_program_says(self):
        for function in (playwarden.run, playwarden.run_async):
            called = []
            with self.assertRaisesRegex(playwarden.ConfigurationError, "no playbook `x.yml`\n.*did you mean `y.yml`"):
                function(private_data_dir=self.folder, settings={"before": "refuse"}, status_handler=called.append)
            self.assertEqual(called, [])
        with self.assertRaisesRegex(playwarden.ConfigurationError, "ended with 12"):
            self.run_(settings={"before": "silent"})

    def test_a_program_that_reads_nothing_and_says_much_is_heard(self):
        self.environment(FAKE="deaf")
        with self.assertRaisesRegex(playwarden.AnsibleRunnerException, "the disk is full") as caught:
            self.run_(extravars={"large": "x" * 1_000_000})
        self.assertNotIsInstance(caught.exception, playwarden.ConfigurationError)

    def test_a_program_that_ends_at_once_does_not_kill_who_dies_of_broken_pipes(self):
        text = """
import os, playwarden, signal, subprocess, sys, threading
from playwarden._program import Program

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
start, read, begun, sent = subprocess.Popen, Program._read, Program.begun, threading.Event()

def started(*args, **kwargs):
    process = start(*args, **kwargs)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process

# It has ended before it is handed anything, and nobody has noticed.
subprocess.Popen = started
Program._read = lambda self: sent.wait() and read(self)
Program.begun = lambda self: sent.set() or begun(self)
try:
    playwarden.run(private_data_dir=sys.argv[1])
except playwarden.AnsibleRunnerException as error:
    print(error)
"""
        self.environment(PLAYWARDEN="false")
        out, err = (script := self.script(text)).communicate()
        self.assertEqual((script.returncode, out), (0, "the program `playwarden` ended with 1 and said nothing\n"), err)

    def test_a_program_that_was_killed_is_an_error_of_the_run(self):
        finished = []
        _, runner = self.start(settings={"halt": 9, "then": "die"}, finished_callback=finished.append)
        runner.cancel()
        self.eventually("the end", lambda: finished)
        self.assertEqual((runner.status, runner.rc, runner.errored, runner.stats), ("error", None, True, None))
        self.assertEqual(runner.outcome, {"status": "lost"})
        # What was beside the journal is there too.
        self.assertEqual([event["counter"] for event in runner.events], [4, 5, 6, 7, 8, 9, 10])

    def test_the_program_is_told_when_the_caller_dies_even_if_a_child_of_it_lives_on(self):
        text = (
            "import os, playwarden, sys, time\n"
            "_, runner = playwarden.run_async(private_data_dir=sys.argv[1], quiet=True, settings={'halt': 9, 'eof': sys.argv[2]})\n"
            "child = os.fork()\n"
            "print(child or '', flush=True)\n"
            "time.sleep(1000)\n"
        )
        eof = self.path("eof")
        script = self.script(text, eof)
        with script.stdout, script.stderr:
            child = next(int(line) for line in script.stdout if line.strip())
            self.assertFalse(os.path.exists(eof))
            script.kill()
            script.wait()
            self.eventually("the program is told", lambda: os.path.exists(eof))
            os.kill(child, signal.SIGKILL)


class Given(Stream):
    def test_nothing_secret_is_where_others_can_read_it(self):
        secret = "hunter2-of-this-test"
        kwargs = {
            "passwords": {"^SSH password:": secret},
            "extravars": {"token": secret},
            "ssh_key": secret,
            "envvars": {"TOKEN": secret},
        }
        runner = self.run_(**kwargs)
        given = self.given(runner)
        self.assertNotIn(secret, json.dumps(given["arguments"]) + json.dumps(given["environment"]))
        expected = {"ident": runner.config.ident, "playbook": "test.yml", "quiet": True, **kwargs}
        self.assertEqual(given["document"], expected)
        self.assertFalse(os.path.exists(self.path("env")))

    def test_arguments_go_as_they_are_meant(self):
        kwargs = {"ident": 7, "artifact_dir": self.path("elsewhere"), "forks": 3, "quiet": False, "tags": None}
        with contextlib.redirect_stdout(io.StringIO()):
            runner = self.run_(**kwargs, extravars={"big": 2**70, "é": {"path"}})
        given = self.given(runner)
        self.assertEqual(
            given["document"],
            {
                "ident": "7",
                "artifact_dir": self.path("elsewhere"),
                "playbook": "test.yml",
                "extravars": {"big": 2**70, "é": ["path"]},
                "forks": 3,
                "quiet": False,
            },
        )
        self.assertEqual(given["arguments"][:5], ["run", "--private-data-dir", self.folder, "--kwargs", "-"])
        self.assertEqual(runner.config.artifact_dir, self.path("elsewhere", "7"))

    def test_what_cannot_be_given_is_refused_at_once(self):
        wrong = [
            ({"private_data_dir": "/nowhere"}, "/nowhere"),
            ({"ident": "../x"}, "../x"),
            ({"extravars": {"x": object()}}, "extravars"),
            ({"extravars": {"x": float("nan")}}, "extravars"),
            ({"streamer": "transmit"}, "streamer"),
        ]
        for kwargs, named in wrong:
            with self.assertRaisesRegex(playwarden.ConfigurationError, named):
                self.run_(**kwargs)
        with self.assertRaises(ValueError):
            self.run_(private_data_dir="/nowhere")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_program_that_is_not_there_is_named(self):
        self.environment(PLAYWARDEN="/nowhere/playwarden")
        with self.assertRaisesRegex(playwarden.ConfigurationError, "/nowhere/playwarden"):
            self.run_()
        self.environment(PLAYWARDEN="", PATH="/nowhere")
        with self.assertRaisesRegex(playwarden.ConfigurationError, "not in the PATH"):
            self.run_()


class Console(Stream):
    def printed(self, **kwargs):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.run_(**kwargs)
        return out.getvalue()

    def test_what_ansible_prints_is_shown_unless_it_is_not_wanted(self):
        with open(os.path.join(RECORDED, "stdout"), encoding="utf-8") as file:
            self.assertEqual(self.printed(quiet=False), file.read())
        self.assertEqual(self.printed(quiet=True), "")
        events = [json.loads(line)["event"] for line in self.printed(quiet=False, json_mode=True).splitlines()]
        self.assertEqual((events[0], len(events)), ("playbook_on_start", 28))

    def test_a_console_that_is_gone_harms_nothing(self):
        gone = io.StringIO()
        gone.close()
        with contextlib.redirect_stdout(gone), self.assertLogs("playwarden"):
            runner = self.run_(quiet=False)
        self.assertEqual(runner.status, "successful")


class Facts(Stream):
    def test_a_cache_is_read_in_every_form(self):
        runner = self.run_(ident="i")
        plain = {"os": "Debian", "a": [1]}
        tagged = {"a": {"__ansible_type": "_AnsibleTaggedInt", "value": 1, "tags": []}, "b": {"c": [None]}}
        self.file("artifacts/i/fact_cache/old", json.dumps(plain))
        self.file("artifacts/i/fact_cache/s1_new", json.dumps({"__payload__": json.dumps(tagged)}))
        self.file("artifacts/i/fact_cache/torn", '{"a":')
        self.assertEqual(runner.get_fact_cache("old"), plain)
        self.assertEqual(runner.get_fact_cache("new"), {"a": 1, "b": {"c": [None]}})
        for host in ("torn", "other", "../fact_cache/old"):
            self.assertEqual(runner.get_fact_cache(host), {})

    def test_a_cache_is_written_in_every_form(self):
        config = playwarden.RunnerConfig(private_data_dir=self.folder, playbook="x", ident="i")
        runner = playwarden.Runner(config)
        runner.set_fact_cache("h1", {"a": 1})
        self.assertEqual(runner.get_fact_cache("h1"), {"a": 1})
        folder = self.path("artifacts", "i", "fact_cache")
        self.assertEqual(sorted(os.listdir(folder)), ["h1", "s1_h1"])
        self.assertEqual(json.loads(self.read(folder, "s1_h1")), {"__payload__": '{"a": 1}'})
        self.assertEqual(json.loads(self.read(folder, "h1")), {"a": 1})
        config.fact_cache_type = "memory"
        with self.assertRaises(playwarden.AnsibleRunnerException):
            runner.set_fact_cache("h1", {})


if __name__ == "__main__":
    unittest.main()
