"""Programs that are run without a playbook: those of Ansible, and any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, TextIO

from ._arguments import Arguments, Event, Handlers
from ._handlers import POLL, HandlerCalls
from ._program import environment
from .exceptions import AnsibleRunnerException, ConfigurationError
from .runner_config import RunnerConfig

# What is done about these keyword arguments; the others of a run would be taken in silence and do nothing.
_UNDERSTOOD = frozenset(
    (
        "private_data_dir",
        "ident",
        "envvars",
        "host_cwd",
        "timeout",
        "quiet",
        "suppress_ansible_output",
        "suppress_env_files",
    )
)
# These change nothing where there are no artifacts.
_IDLE = frozenset(
    (
        "artifact_dir",
        "project_dir",
        "rotate_artifacts",
        "json_mode",
        "fact_cache",
        "fact_cache_type",
        "check_job_event_data",
    )
    + ("runner_mode", "ignore_logging", "debug", "logfile", "suppress_output_file", "process_isolation_executable")
)

# How long a program may take to end, once it was told to.
_GRACE = 5.0


def options(*pairs: tuple[str, Any]) -> list[str]:
    """Returns options of a command line, without those that have no value."""
    return [str(word) for pair in pairs if pair[1] for word in pair]


def command(executable: str, arguments: list[str] | None, kwargs: dict[str, Any]) -> Command:
    """Returns a program that is ready to run."""
    if not executable:
        raise ConfigurationError("there is no program to run: name it in `executable_cmd`")
    handlers = {name: kwargs.pop(name, None) for name in Handlers.__annotations__}
    files = [kwargs.pop(name, None) for name in ("input_fd", "output_fd", "error_fd")]
    for name, value in kwargs.items():
        if name not in _UNDERSTOOD | _IDLE and value:
            known = "is not offered for commands yet" if name in Arguments.__annotations__ else "is not known"
            raise ConfigurationError(f"`{name}` {known}: leave it out")
    config = CommandConfig([executable, *map(str, arguments or [])], kwargs)
    return Command(config, files, handlers)


class CommandConfig:
    """How a program is run."""

    def __init__(self, command: list[str], kwargs: dict[str, Any]) -> None:
        self.command = command
        folder = kwargs.get("private_data_dir")
        self.private_data_dir = RunnerConfig(folder).private_data_dir if folder else None
        self.ident = str(kwargs.get("ident") or "")
        self.host_cwd = kwargs.get("host_cwd")
        self.cwd = os.path.abspath(self.host_cwd or os.getcwd())
        self.timeout = kwargs.get("timeout")
        self.quiet = bool(kwargs.get("quiet") or kwargs.get("suppress_ansible_output"))
        self.env = environment()
        self.env.update(self._of_folder())
        self.env.update({str(name): str(value) for name, value in (kwargs.get("envvars") or {}).items()})

    def _of_folder(self) -> dict[str, str]:
        path = os.path.join(self.private_data_dir or "", "env", "envvars")
        if not self.private_data_dir or not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            return {str(name): str(value) for name, value in _read(text).items()}
        except (ImportError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"`{path}` cannot be read: write it as JSON ({error})") from error


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # Where Ansible is, PyYAML usually is too; this package does not ask for it.
        import yaml  # type: ignore[import-untyped,unused-ignore]

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(error) from error


def _unnamed(owner: object) -> int:
    """Returns the descriptor of a file without a name, which is there as long as its owner."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    weakref.finalize(owner, os.close, descriptor)
    return descriptor


class Command(HandlerCalls):
    """A program that runs or has run. It answers as a `Runner` does; there are no events, so that `event_handler` is never called."""

    def __init__(self, config: CommandConfig, files: list[Any], handlers: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.status = "unstarted"
        self.rc: int | None = None
        self._handlers = handlers
        self._stdin, self._stdout, self._stderr = files
        self._kept = [_unnamed(self), _unnamed(self)]
        self._over = threading.Event()
        self._why = ""

    def run(self) -> tuple[str, int | None]:
        """Runs the program to its end, and returns the status and `rc`."""
        self._tell("starting", command=self.config.command, env={}, cwd=self.config.cwd)
        try:
            process = subprocess.Popen(
                self.config.command,
                stdin=subprocess.DEVNULL if self._stdin is None else self._stdin,
                stdout=self._kept[0] if self._stdout is None else self._stdout,
                stderr=self._kept[1] if self._stderr is None else self._stderr,
                cwd=self.config.cwd,
                env=self.config.env,
                # Who is handed a terminal needs it as it is.
                start_new_session=self._stdin is None,
            )
        except OSError:
            os.write(
                self._kept[0], f"there is no program `{self.config.command[0]}`, or it cannot be executed\n".encode()
            )
            return self._end("failed", 127)
        # One who waits, so that nobody has to look again and again.
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()
        try:
            self._tell("running")
            self._watch()
        except BaseException:
            self._stop(process)
            raise
        if self._why:
            self._stop(process)
            return self._end(self._why, 254)
        return self._end("successful" if process.returncode == 0 else "failed", process.returncode)

    def cancel(self) -> None:
        """Asks for the end, from any thread."""
        self._why = "canceled"
        self._over.set()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._over.set()

    def _watch(self) -> None:
        """Waits until the program has ended, or has to."""
        asked = self._handlers["cancel_callback"]
        late = time.monotonic() + self.config.timeout if self.config.timeout else None
        while True:
            if asked and self._is_wanted(asked):
                self._why = "canceled"
                return
            rest = late - time.monotonic() if late else None
            if rest is not None and rest <= 0:
                self._why = "timeout"
                return
            if self._over.wait(min(POLL, rest or POLL) if asked else rest):
                return

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ends the program and what belongs to it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                if self._stdin is None:
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)
            except OSError:
                break
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                continue

    def _end(self, status: str, rc: int) -> tuple[str, int]:
        self.rc = rc
        self.status = status
        if not self.config.quiet:
            self._call("console", self._show)
        self._tell(status)
        self._call("finished_callback", self._handlers["finished_callback"], self)
        return status, rc

    def _show(self) -> None:
        for stream, text in ((sys.stdout, self.output()), (sys.stderr, self.error())):
            stream.write(text)
            stream.flush()

    def _tell(self, status: str, **more: Any) -> None:
        self.status = status
        data = {"status": status, "runner_ident": self.config.ident, **more}
        self._call("status_handler", self._handlers["status_handler"], data, runner_config=self.config)

    def output(self) -> str:
        """What the program has printed, unless `output_fd` took it."""
        with self.stdout as file:
            return file.read()

    def error(self) -> str:
        """What the program has printed to standard error, unless `error_fd` took it."""
        with self.stderr as file:
            return file.read()

    @property
    def stdout(self) -> TextIO:
        return self._reopened(0)

    @property
    def stderr(self) -> TextIO:
        return self._reopened(1)

    def _reopened(self, number: int) -> TextIO:
        # A position of its own: the program may still write.
        return open(f"/proc/self/fd/{self._kept[number]}", encoding="utf-8", errors="replace")

    @property
    def canceled(self) -> bool:
        return self.status == "canceled"

    @property
    def timed_out(self) -> bool:
        return self.status == "timeout"

    @property
    def errored(self) -> bool:
        return False

    @property
    def events(self) -> Iterator[Event]:
        return iter(())

    @property
    def stats(self) -> None:
        return None

    def response(self, *, is_json: bool) -> tuple[Any, str]:
        """Runs the program, and returns what it printed, as text or what its JSON says, and what it complained about."""
        self.run()
        text = self.output()
        # Warnings may stand before it, and behind.
        begin = text.find("{")
        if is_json and begin >= 0:
            try:
                return json.JSONDecoder().raw_decode(text, begin)[0], self.error()
            except ValueError as error:
                raise AnsibleRunnerException(f"`{self.config.command[0]}` did not print JSON: {error}") from error
        return text, self.error()
