"""The functions around Ansible's other programs, and around any program."""

import io
import json
import os
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout

import playwarden

from .support import Case, marked

QUIET = {"quiet": True}


class Programs(Case):
    def test_an_inventory_is_returned_as_text_or_as_what_it_says(self):
        hosts = self.file("hosts", "[web]\nweb1 port=80\nweb2\n")
        text, error = playwarden.get_inventory("list", [hosts], **QUIET)
        said, again = playwarden.get_inventory("list", [hosts], response_format="json", **QUIET)
        self.assertEqual((json.loads(text), error), (said, again))
        self.assertEqual(said["web"]["hosts"], ["web1", "web2"])
        one, _ = playwarden.get_inventory("host", [hosts], response_format="json", host="web1", **QUIET)
        self.assertEqual(one, {"port": 80})
        # As JSON there is none, and asking for it is no reason to fail.
        graph, _ = playwarden.get_inventory("graph", [hosts], response_format="json", **QUIET)
        self.assertIn("|--web1", graph)
        text, _ = playwarden.get_inventory("list", [hosts], response_format="yaml", export=True, **QUIET)
        self.assertIn("web1:", text)
        file = self.path("out")
        playwarden.get_inventory("list", [hosts], output_file=file, **QUIET)
        self.assertEqual(json.loads(self.read("out")), said)

    def test_plugins_are_documented_and_listed(self):
        said, error = playwarden.get_plugin_docs(["debug"], response_format="json", **QUIET)
        self.assertIn(
            "msg", said["ansible.builtin.debug" if "ansible.builtin.debug" in said else "debug"]["doc"]["options"]
        )
        text, _ = playwarden.get_plugin_docs(["sudo"], plugin_type="become", **QUIET)
        self.assertIn("become_user", text)
        text, _ = playwarden.get_plugin_docs(["debug"], snippet=True, **QUIET)
        self.assertIn("msg:", text)
        said, _ = playwarden.get_plugin_list(response_format="json", plugin_type="become", **QUIET)
        self.assertIn("ansible.builtin.sudo", said)
        thread, runner = playwarden.get_plugin_docs_async(["debug"], **QUIET)
        thread.join()
        self.assertEqual((runner.status, runner.rc), ("successful", 0))
        with runner.stdout as stdout:
            self.assertIn("debug", stdout.read().lower())

    def test_a_plugin_that_is_not_there_is_no_exception(self):
        said, error = playwarden.get_plugin_docs(["no_such"], response_format="json", **QUIET)
        self.assertFalse(said)
        self.assertIn("no_such", error)

    def test_the_configuration_is_returned(self):
        file = self.file("ansible.cfg", "[defaults]\nforks = 7\n")
        text, _ = playwarden.get_ansible_config("dump", config_file=file, only_changed=True, **QUIET)
        self.assertRegex(text, r"DEFAULT_FORKS\(.*\) = 7")
        text, _ = playwarden.get_ansible_config("view", config_file=file, **QUIET)
        self.assertIn("forks = 7", text)

    def test_roles_with_a_specification_are_listed(self):
        spec = {"argument_specs": {"main": {"short_description": "Serves", "options": {"port": {"type": "int"}}}}}
        self.file("roles/web/meta/argument_specs.yml", json.dumps(spec))
        said, _ = playwarden.get_role_list(playbook_dir=self.folder, **QUIET)
        self.assertEqual(list(said), ["web"])
        said, _ = playwarden.get_role_argspec("web", playbook_dir=self.folder, **QUIET)
        self.assertIn("port", said["web"]["entry_points"]["main"]["options"])

    def test_what_makes_no_sense_is_refused(self):
        wrong = [
            (playwarden.get_inventory, ("all", ["x"]), "graph, host, list"),
            (playwarden.get_inventory, ("host", ["x"]), "needs a `host`"),
            (playwarden.get_inventory, ("list", "x"), "`inventories`"),
            (playwarden.get_inventory, ("graph", ["x"], "yaml"), "yaml"),
            (playwarden.get_plugin_docs, ("debug",), "`plugin_names`"),
            (playwarden.get_plugin_docs, (["debug"], "module", "xml"), "json, human"),
            (playwarden.get_ansible_config, ("show",), "list, dump, view"),
            (playwarden.get_ansible_config, ("list", None, True), "only_changed"),
        ]
        for function, arguments, named in wrong:
            with self.assertRaisesRegex(playwarden.ConfigurationError, named):
                function(*arguments)
        for kwargs, named in (({"container_image": "x"}, "container_image"), ({"colour": "x"}, "colour")):
            with self.assertRaisesRegex(playwarden.ConfigurationError, named):
                playwarden.run_command("true", **kwargs)


class Commands(Case):
    def python(self, text, **kwargs):
        return playwarden.run_command(sys.executable, cmdline_args=["-c", text], **{"quiet": True, **kwargs})

    def test_what_a_program_prints_comes_back_apart_and_with_its_code(self):
        text = "import sys; print('é'); sys.stderr.write('no\\n'); sys.exit(3)"
        self.assertEqual(self.python(text), ("é\n", "no\n", 3))

    def test_bytes_that_are_no_text_lose_nothing_else(self):
        self.assertEqual(self.python("import os; os.write(1, b'a\\xffb\\n')"), ("a\ufffdb\n", "", 0))

    def test_a_program_that_is_not_there_has_a_code(self):
        out, err, rc = playwarden.run_command("no-such-program", **QUIET)
        self.assertIn("no-such-program", out)
        self.assertEqual((err, rc), ("", 127))

    def test_files_of_the_caller_are_used(self):
        with (
            open(self.path("in"), "w+") as given,
            open(self.path("out"), "w") as out,
            open(self.path("err"), "w") as err,
        ):
            given.write("asked")
            given.flush()
            given.seek(0)
            text = "import sys; print(input()); sys.stderr.write('no')"
            self.assertEqual(self.python(text, input_fd=given, output_fd=out, error_fd=err), ("", "", 0))
        self.assertEqual((self.read("out"), self.read("err")), ("asked\n", "no"))

    def test_the_environment_is_the_folders_and_the_callers(self):
        text = "import os; print(os.environ['A'], os.environ['B'], os.getcwd())"
        for form in ('{"A": 1, "B": 2}', "A: 1\nB: 2\n"):
            self.file("env/envvars", form)
            out, _, rc = self.python(text, private_data_dir=self.folder, envvars={"B": 3}, host_cwd=self.folder)
            self.assertEqual((out, rc), (f"1 3 {os.path.realpath(self.folder)}\n", 0))

    def test_the_console_shows_it_unless_it_is_not_wanted(self):
        for quiet, shown in ((False, ("1\n", "2\n")), (True, ("", ""))):
            with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
                self.python("import sys; print(1); print(2, file=sys.stderr)", quiet=quiet)
            self.assertEqual((out.getvalue(), err.getvalue()), shown)

    def test_a_timeout_or_a_cancel_leaves_nothing(self):
        mark = f"4242.{os.getpid()}1"
        text = f"import subprocess; subprocess.run(['sleep', '{mark}'])"
        said = []
        _, _, rc = self.python(
            text, timeout=0.3, status_handler=lambda data, runner_config: said.append(data["status"])
        )
        self.assertEqual((rc, said), (254, ["starting", "running", "timeout"]))
        runners = []
        _, _, rc = self.python(text, cancel_callback=lambda: marked(mark), finished_callback=runners.append)
        self.assertEqual((rc, runners[0].canceled), (254, True))
        thread, runner = playwarden.run_command_async(sys.executable, ["-c", text], quiet=True)
        self.eventually("it runs", lambda: marked(mark))
        runner.cancel()
        thread.join()
        self.assertEqual((runner.status, runner.rc), ("canceled", 254))
        self.eventually("nothing is left", lambda: not marked(mark))

    def test_handlers_harm_nothing(self):
        with self.assertLogs("playwarden"):
            thread, runner = playwarden.run_command_async(
                "true", quiet=True, status_handler=lambda *_, **__: 1 / 0, cancel_callback=threading.Event().is_set
            )
            thread.join()
        self.assertEqual((runner.status, runner.rc), ("successful", 0))
        self.assertEqual([(error.handler, error.times) for error in runner.handler_errors], [("status_handler", 3)])
