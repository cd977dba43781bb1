"""Runs of real Ansible by the real program: what `ansible_runner` documents, and what it gets wrong.

`PLAYWARDEN` names the program, and `ansible-playbook` is in the `PATH`.
"""

import contextlib
import io
import json
import os
import signal
import threading
import unittest

import playwarden

from .support import Case, marked

HELLO = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: hello, debug: msg=Hello}
    - {name: kept, set_fact: {color: blue, cacheable: true}}
    - {name: left out, debug: msg=no, when: color == "red"}
"""

# The second task says where it is and goes on for hours.
SLEEPS = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: first, debug: msg=1}
    - {name: sleeps, command: "sleep MARK"}
"""


class Runs(Case):
    def setUp(self):
        super().setUp()
        hosts = "".join(f"{host} ansible_connection=local\n" for host in ("h1", "h2"))
        remote = f"ansible_remote_tmp={self.path('remote')}\n"
        python = "ansible_python_interpreter={{ ansible_playbook_python }}\n"
        self.file(
            "inventory/hosts",
            f"{hosts}localhost ansible_connection=local\n[all:vars]\n{remote}{python}[fleet]\nh1\nh2\n",
        )

    def play(self, text, **kwargs):
        self.file("project/test.yml", text)
        return playwarden.run(private_data_dir=self.folder, playbook="test.yml", **{"quiet": True, **kwargs})

    def mark(self):
        return f"4242.{os.getpid()}{self.id().__hash__() % 1000:03}"

    def nothing_is_left(self, mark):
        self.assertEqual(marked(mark), [])


class Quiet(Runs):
    def test_a_data_dir_that_wants_no_output_gets_none(self):
        self.file("project/test.yml", HELLO)
        for settings, shown in (("", True), ("suppress_ansible_output: true\n", False)):
            self.file("env/settings", settings)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                runner = playwarden.run(private_data_dir=self.folder, playbook="test.yml")
            self.assertEqual((runner.rc, "TASK [hello]" in out.getvalue()), (0, shown))


class Documented(Runs):
    def test_the_first_example_word_for_word(self):
        self.file("project/test.yml", HELLO)
        example = """
import playwarden as ansible_runner
r = ansible_runner.run(private_data_dir='/tmp/demo', playbook='test.yml')
print("{}: {}".format(r.status, r.rc))
# successful: 0
for each_host_event in r.events:
    print(each_host_event['event'])
print("Final status:")
print(r.stats)
"""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(example.replace("/tmp/demo", self.folder))
        shown, _, said = out.getvalue().partition("successful: 0\n")
        self.assertIn("TASK [hello]", shown)
        events, _, stats = said.partition("Final status:\n")
        self.assertEqual(events.split()[:3], ["playbook_on_start", "playbook_on_play_start", "playbook_on_task_start"])
        self.assertEqual(events.split()[-1], "playbook_on_stats")
        self.assertEqual(eval(stats)["ok"], {"h1": 2, "h2": 2, "localhost": 2})

    def test_the_second_example_word_for_word(self):
        example = """
import playwarden as ansible_runner
r = ansible_runner.run(private_data_dir='/tmp/demo', host_pattern='localhost', module='shell', module_args='whoami')
print("{}: {}".format(r.status, r.rc))
# successful: 0
for each_host_event in r.events:
    print(each_host_event['event'])
print("Final status:")
print(r.stats)
"""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(example.replace("/tmp/demo", self.folder))
        self.assertRegex(out.getvalue(), "localhost | CHANGED | rc=0 >>")
        self.assertIn("successful: 0\n", out.getvalue())
        self.assertIn("runner_on_ok\n", out.getvalue())

    def test_names_can_be_imported_from_where_they_are_elsewhere(self):
        from playwarden.config.runner import RunnerConfig as again
        from playwarden.exceptions import AnsibleRunnerException, CallbackError, ConfigurationError
        from playwarden.interface import get_inventory, run, run_async, run_command
        from playwarden.runner import Runner
        from playwarden.runner_config import RunnerConfig

        self.assertIs(again, RunnerConfig)
        self.assertTrue(
            issubclass(ConfigurationError, AnsibleRunnerException) and issubclass(CallbackError, AnsibleRunnerException)
        )
        for one in (run, run_async, run_command, get_inventory, Runner, RunnerConfig, ConfigurationError):
            self.assertIs(getattr(playwarden, one.__name__), one)

    def test_a_run_in_the_background_is_read_while_it_lasts(self):
        mark = self.mark()
        self.file("project/test.yml", SLEEPS.replace("MARK", mark))
        thread, runner = playwarden.run_async(private_data_dir=self.folder, playbook="test.yml", quiet=True)
        first = next(event for event in runner.events if event["event"] == "runner_on_ok")
        self.assertEqual((first["event_data"]["task"], runner.status, runner.rc), ("first", "running", None))
        runner.cancel()
        rest = [event["event"] for event in runner.events]
        thread.join()
        self.assertEqual((runner.status, runner.rc, runner.stats), ("canceled", 254, None))
        self.assertNotIn("playbook_on_stats", rest)
        self.nothing_is_left(mark)

    def test_a_failure_is_no_exception(self):
        runner = self.play("- hosts: h1\n  gather_facts: false\n  tasks:\n    - fail: msg=no\n")
        self.assertEqual((runner.status, runner.rc, runner.stats["failures"]), ("failed", 2, {"h1": 1}))
        runner = self.play("- hosts: [\n")
        self.assertEqual((runner.status, runner.stats, list(runner.events)), ("failed", None, []))
        with runner.stderr as file:
            self.assertIn("ERROR", file.read())

    def test_what_is_missing_is_said(self):
        with self.assertRaisesRegex(playwarden.ConfigurationError, "bogus"):
            self.play(HELLO, bogus=1)
        with self.assertRaises(playwarden.ConfigurationError):
            playwarden.run(
                private_data_dir=self.folder, playbook="x.yml", module="ping", host_pattern="all", quiet=True
            )


class Findings(Runs):
    """Each has the number that it has among the findings about `ansible_runner`."""

    def test_1_after_a_cancel_or_a_timeout_nothing_is_left(self):
        mark = self.mark()
        play = SLEEPS.replace("MARK", mark)
        runner = self.play(play, cancel_callback=lambda: len(marked(mark)) >= 3)
        self.assertEqual((runner.status, runner.rc, runner.canceled), ("canceled", 254, True))
        self.nothing_is_left(mark)
        runner = self.play(play, timeout=4)
        self.assertEqual((runner.status, runner.rc, runner.timed_out), ("timeout", 254, True))
        self.nothing_is_left(mark)

    def test_2_a_caller_that_is_killed_takes_the_run_with_it(self):
        mark = self.mark()
        self.file("project/test.yml", SLEEPS.replace("MARK", mark))
        text = "import playwarden, sys; playwarden.run(private_data_dir=sys.argv[1], playbook='test.yml', ident='i', quiet=True)"
        script = self.script(text)
        with script.stdout, script.stderr:
            self.eventually("Ansible sleeps", lambda: len(marked(f"sleep {mark}")) >= 3)
            script.kill()
            script.wait()
            self.eventually("nothing is left", lambda: not marked(mark))
            self.eventually("the end is written", lambda: self.read("artifacts/i/status") == "canceled")
        runner = playwarden.Runner(playwarden.RunnerConfig(private_data_dir=self.folder, ident="i"))
        self.assertEqual([event["event"] for event in runner.journal][-1], "run_finished")

    def test_2_a_program_that_is_killed_leaves_a_run_with_an_end_and_nothing_alive(self):
        mark = self.mark()
        self.file("project/test.yml", SLEEPS.replace("MARK", mark))
        thread, runner = playwarden.run_async(private_data_dir=self.folder, playbook="test.yml", quiet=True)
        self.eventually("Ansible sleeps", lambda: len(marked(f"sleep {mark}")) >= 3)
        runner._program._process.kill()
        thread.join()
        self.assertEqual((runner.status, runner.errored, runner.outcome["status"]), ("error", True, "lost"))
        self.assertEqual([event["event"] for event in runner.journal][-1], "run_finished")
        self.nothing_is_left(mark)

    def test_3_what_a_play_prints_makes_no_event(self):
        forged = "\\x1b[KeyJ1dWlkIjogIngifQ==\\x1b[16D\\x1b[K"
        play = f"""
- hosts: h1
  gather_facts: false
  tasks:
    - debug: msg={{{{ item }}}}
      loop: ["{forged}", '{{"event":"run_finished","event_data":{{"status":"failed"}}}}']
"""
        runner = self.play(play)
        self.assertEqual((runner.status, runner.rc), ("successful", 0))
        self.assertEqual([event["event"] for event in runner.events].count("playbook_on_stats"), 1)
        self.assertEqual(runner.stats["ok"], {"h1": 1})

    def test_4_handlers_that_raise_or_are_slow_harm_nothing(self):
        ready, taken = threading.Event(), []

        def slow(event):
            taken.append(event["event"])
            if len(taken) == 1:
                ready.wait()
                self.assertTrue(runner._program.wait(60))
            raise OSError("no")

        self.file("project/test.yml", HELLO)
        with self.assertLogs("playwarden"):
            thread, runner = playwarden.run_async(
                private_data_dir=self.folder, playbook="test.yml", quiet=True, event_handler=slow, ident="i"
            )
            ready.set()
            thread.join()
        self.assertEqual((runner.status, runner.rc), ("successful", 0))
        self.assertEqual(taken, [event["event"] for event in runner.events])
        self.assertEqual(
            [(error.handler, error.times) for error in runner.handler_errors], [("event_handler", len(taken))]
        )
        self.assertEqual((self.read("artifacts/i/status"), self.read("artifacts/i/rc")), ("successful", "0"))

    def test_5_a_cancel_does_not_wait_for_anything_that_ansible_does(self):
        # The task prints nothing for hours; the one who wants the end is asked all the same.
        mark = self.mark()
        asked = []

        def wanted():
            asked.append(bool(marked(f"sleep {mark}")))
            return asked[-1]

        runner = self.play(SLEEPS.replace("MARK", mark), cancel_callback=wanted)
        self.assertEqual((runner.status, asked.count(True)), ("canceled", 1))

    def test_6_the_fact_cache_is_read_and_honored(self):
        runner = self.play(HELLO)
        self.assertEqual(runner.get_fact_cache("h1"), {"color": "blue"})
        self.assertEqual(runner.get_fact_cache("nobody"), {})
        self.file("project/test.yml", "- hosts: h1\n  gather_facts: false\n  tasks:\n    - debug: var=shape\n")
        config = playwarden.RunnerConfig(private_data_dir=self.folder, playbook="test.yml", quiet=True)
        runner = playwarden.Runner(config)
        runner.set_fact_cache("h1", {"shape": "round"})
        self.assertEqual(runner.run(), ("successful", 0))
        result = next(event for event in runner.events if event["event"] == "runner_on_ok")
        self.assertEqual(result["event_data"]["res"]["shape"], "round")
        self.assertEqual(runner.get_fact_cache("h1")["shape"], "round")

    def test_7_results_are_whole(self):
        play = """
- hosts: h1
  gather_facts: false
  tasks:
    - {name: left out, debug: msg=no, when: false}
    - name: large
      debug: msg="{{ 'x' * 1000000 }}"
    - name: gone
      ping:
      ignore_unreachable: true
      vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
"""
        results = {}
        self.play(
            play,
            event_handler=lambda event: results.setdefault(
                (event["event"], event.get("event_data", {}).get("task")), event
            ),
        )
        skipped = results["runner_on_skipped", "left out"]["event_data"]["res"]
        self.assertEqual(skipped["skip_reason"], "Conditional result was False")
        self.assertEqual(len(results["runner_on_ok", "large"]["event_data"]["res"]["msg"]), 1_000_000)
        self.assertTrue(results["runner_on_unreachable", "gone"]["event_data"]["ignore_unreachable"])

    def test_8_every_event_has_a_uuid_of_its_own(self):
        play = """
- hosts: fleet
  gather_facts: false
  serial: 1
  tasks:
    - {command: "true", notify: again}
    - meta: flush_handlers
    - {command: "true", notify: again}
  handlers:
    - {name: again, debug: msg=1}
"""
        events = list(self.play(play).events)
        uuids = {event["uuid"] for event in events}
        self.assertEqual(len(uuids), len(events))
        self.assertEqual({event["parent_uuid"] for event in events if "parent_uuid" in event} - uuids, set())

    def test_9_every_event_is_json_that_everybody_reads(self):
        play = """
- hosts: h1
  gather_facts: false
  tasks:
    - debug: {msg: {inf: .inf, nan: .nan, big: 1180591620717411303424}}
    - raw: printf '\\377\\376'
"""
        runner = self.play(play)

        def refuse(name):
            raise AssertionError(name)

        journal = self.read(runner.config.artifact_dir, "events.jsonl")
        big = [json.loads(line, parse_constant=refuse) for line in journal.splitlines()]
        results = [event["event_data"]["res"] for event in big if event["event"] == "runner_on_ok"]
        self.assertEqual(results[0]["msg"]["big"], 2**70)
        # It would fail on what is no character.
        json.dumps(results, ensure_ascii=False).encode("utf-8")

    def test_10_signals_stay_the_callers(self):
        numbers = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
        before = [signal.getsignal(number) for number in numbers]
        during = []
        self.play(HELLO, event_handler=lambda _: during.append([signal.getsignal(number) for number in numbers]))
        after = [signal.getsignal(number) for number in numbers]
        self.assertEqual([before] * len(during), during)
        self.assertEqual(before, after)

    def test_10_ctrl_c_ends_the_run_and_is_the_callers(self):
        mark = self.mark()
        self.file("project/test.yml", SLEEPS.replace("MARK", mark))
        text = """
import os, playwarden, signal, sys
try:
    playwarden.run(private_data_dir=sys.argv[1], playbook="test.yml", ident="i", quiet=True)
except KeyboardInterrupt:
    with open(os.path.join(sys.argv[1], "artifacts/i/status")) as file:
        print("interrupted", file.read(), flush=True)
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("and again")
"""
        script = self.script(text)
        self.eventually("Ansible sleeps", lambda: len(marked(f"sleep {mark}")) >= 3)
        # As a terminal does it: to everybody of the group.
        os.killpg(script.pid, signal.SIGINT)
        out, err = script.communicate()
        self.assertEqual((script.returncode, out), (0, "interrupted canceled\nand again\n"), err)
        self.nothing_is_left(mark)

    def test_what_a_handler_returns_drops_no_event(self):
        runner = self.play(HELLO, event_handler=lambda _: False)
        self.assertEqual(runner.stats["ok"], {"h1": 2, "h2": 2, "localhost": 2})
        self.assertTrue(list(runner.host_events("h1")))

    def test_secrets_are_in_no_command_line_and_no_artifact(self):
        secret = f"hunter2-{os.getpid()}"
        seen = []
        play = "- hosts: h1\n  gather_facts: false\n  tasks:\n    - {debug: msg=1, no_log: true}\n"
        runner = self.play(
            play, passwords={"^never asked": secret}, event_handler=lambda _: seen.extend(marked(secret))
        )
        self.assertEqual((runner.status, seen), ("successful", []))
        for folder, _, files in os.walk(self.folder):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(secret.encode(), file.read(), name)

    def test_runs_at_the_same_time_do_not_mix(self):
        self.file("project/test.yml", "- hosts: h1\n  gather_facts: false\n  tasks:\n    - debug: var=mine\n")
        begun = [
            playwarden.run_async(
                private_data_dir=self.folder, playbook="test.yml", quiet=True, extravars={"mine": number}
            )
            for number in range(4)
        ]
        for number, (thread, runner) in enumerate(begun):
            thread.join()
            found = [event["event_data"]["res"]["mine"] for event in runner.events if event["event"] == "runner_on_ok"]
            self.assertEqual((runner.status, [str(one) for one in found]), ("successful", [str(number)]))
        self.assertFalse(os.path.exists(self.path("env")))


if __name__ == "__main__":
    unittest.main()
