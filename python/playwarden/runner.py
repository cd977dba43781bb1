"""A run: what it came to, and what happened."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable, TextIO

from . import _facts, _journal
from ._arguments import FAILED_EVENTS, OWN_EVENTS, Event
from ._handlers import POLL, HandlerCalls
from ._program import Program
from .exceptions import AnsibleRunnerException
from .runner_config import RunnerConfig

_STATS = ("skipped", "ok", "dark", "failures", "ignored", "rescued", "processed", "changed")


class Runner(HandlerCalls):
    """A run, as `ansible_runner.Runner`: begun by `run`, read while it lasts and afterwards.

    - `status` is `unstarted`, `starting`, `running`, and then `successful`, `failed`, `canceled` or `timeout`; `error` when the program itself
      was killed. `outcome` says why and by whom. The last status stands when all files of the run are written.
    - `rc` is Ansible's exit code, 254 for `canceled` and `timeout`, and `None` before the end.
    - `handler_errors` has a `CallbackError` for each handler that raised.
    """

    def __init__(
        self,
        config: RunnerConfig,
        cancel_callback: Callable[[], Any] | None = None,
        remove_partials: bool = True,
        event_handler: Callable[[Event], Any] | None = None,
        artifacts_handler: Callable[[str], Any] | None = None,
        finished_callback: Callable[[Runner], Any] | None = None,
        status_handler: Callable[..., Any] | None = None,
    ) -> None:
        del remove_partials  # There are none.
        super().__init__()
        self.config = config
        self.cancel_callback = cancel_callback
        self.event_handler = event_handler
        self.artifacts_handler = artifacts_handler
        self.finished_callback = finished_callback
        self.status_handler = status_handler
        self._program: Program | None = None
        self._quiet: bool | None = None

    # -- the run

    def run(self) -> tuple[str, int | None]:
        """Runs, calls the handlers, and returns the status and `rc`.

        Handlers are called in this thread, one after the other; only `cancel_callback` has one of its own, since it must be heard while
        another handler is at work. An exception that is no `Exception`, such as the `KeyboardInterrupt` of Ctrl-C, ends the run in order
        and is raised again when it is over; a second one ends the run at once.
        """
        try:
            self._serve(self._begin())
        except BaseException:
            if self._program:
                _end(self._program)
            raise
        return self.status, self.rc

    def cancel(self) -> None:
        """Asks for the end of the run, from any thread: once for an end in order, twice for one at once. Does not wait for it."""
        if self._program:
            self._program.cancel()

    def _begin(self) -> Program:
        """Starts the run, if that has not been done. Raises if it is refused."""
        if self._program:
            return self._program
        folder = ["--private-data-dir", self.config.private_data_dir]
        arguments = ["run", *folder, "--kwargs", "-", "--until-eof", "--json", "-q"]
        place = ["--artifact-dir", os.path.dirname(self.config.artifact_dir)]
        follow = ["events", self.config.ident, *folder, *place, "--follow", "--json"]
        document = self.config._document()
        self._program = program = Program(arguments, document, follow, loud=not self._is_quiet())
        try:
            program.begun()
        except BaseException:
            self._program = None
            _end(program)
            raise
        return program

    def _serve(self, program: Program) -> None:
        if self.cancel_callback:
            threading.Thread(
                target=self._ask_for_cancel, args=(program,), name="playwarden-cancel", daemon=True
            ).start()
        # How Ansible is started is known when it has been.
        with program.changed:
            program.changed.wait_for(lambda: program.status != "starting" or program.ended)
            was_started = program.was_started
        self._look_whether_quiet()
        config = self.config
        self._tell_status("starting", command=config.command, env=config.env, cwd=config.cwd)
        if was_started:
            self._tell_status("running")
        if self.event_handler or not self._is_quiet():
            for event in self.events:
                if not self._is_quiet():
                    self._call("console", self._show, event)
                self._call("event_handler", self.event_handler, event)
        program.wait()
        self._tell_status(self.status)
        self._call("artifacts_handler", self.artifacts_handler, config.artifact_dir)
        self._call("finished_callback", self.finished_callback, self)

    def _ask_for_cancel(self, program: Program) -> None:
        """Asks until the answer is yes, which is final."""
        assert self.cancel_callback is not None
        while not self._is_wanted(self.cancel_callback):
            if program.wait(POLL):
                return
        program.cancel()

    def _tell_status(self, status: str, **more: Any) -> None:
        data = {"status": status, "runner_ident": self.config.ident, **more}
        self._call("status_handler", self.status_handler, data, runner_config=self.config)

    def _show(self, event: Event) -> None:
        """Prints what Ansible printed."""
        if self.config.json_mode:
            text = json.dumps(event) + "\n"
        else:
            text = event.get("stdout", "")
            lines = event.get("end_line", 0) - event.get("start_line", 0)
            text += "\n" * (lines > text.count("\n"))
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()

    def _is_quiet(self) -> bool:
        if self._quiet is None:
            return bool(self.config.quiet or self.config.suppress_ansible_output)
        return self._quiet

    def _look_whether_quiet(self) -> None:
        """Finds out from the run itself, which knows what lies in `env/settings`, too."""
        try:
            with open(os.path.join(self.config.artifact_dir, "run.json"), encoding="utf-8") as file:
                self._quiet = bool(json.load(file)["plan"]["keep"]["quiet"])
        except (OSError, ValueError, LookupError, TypeError):
            pass        # as it was asked for

    # -- what it came to

    @property
    def status(self) -> str:
        program = self._program
        if program is None:
            return "unstarted"
        if not program.ended:
            # The end is asked for, and has not come.
            return "starting" if program.status == "starting" else "running"
        status = str(self.outcome.get("status", "lost"))
        return "error" if status == "lost" else status

    @property
    def rc(self) -> int | None:
        return self.outcome.get("rc") if self._program and self._program.ended else None

    @property
    def outcome(self) -> dict[str, Any]:
        """Everything that is known of the end: status, `rc`, `cause`, totals, statistics. Empty before, and where there was none."""
        return (self._program.outcome if self._program else None) or {}

    @property
    def canceled(self) -> bool:
        return self.status == "canceled"

    @property
    def timed_out(self) -> bool:
        return self.status == "timeout"

    @property
    def errored(self) -> bool:
        return self.status == "error"

    # -- what happened

    @property
    def stdout(self) -> TextIO:
        """What Ansible printed, as an open file."""
        return self._file("stdout")

    @property
    def stderr(self) -> TextIO:
        """What Ansible printed to standard error, as an open file. It is always kept apart."""
        return self._file("stderr")

    def _file(self, name: str) -> TextIO:
        try:
            return open(os.path.join(self.config.artifact_dir, name), encoding="utf-8", errors="replace")
        except OSError as error:
            raise AnsibleRunnerException(f"there is no {name} of this run: {error}") from error

    @property
    def events(self) -> Iterator[Event]:
        """Ansible's events, in order. While the run lasts, the next one is waited for.

        Every event is there, whatever `event_handler` returned for it. Events of the program's own are only in `journal`: the numbers
        leave room for them.
        """
        for event in self.journal:
            if event["event"] not in OWN_EVENTS:
                yield self._with_data_asked_for(event)

    @property
    def journal(self) -> Iterator[Event]:
        """As `events`, whole: with the program's own events, verdicts of policies among them, and without a gap in the numbers."""
        return _journal.events(self.config.artifact_dir, self._program)

    def _with_data_asked_for(self, event: Event) -> Event:
        failed_only = self.config.only_failed_event_data and event["event"] not in FAILED_EVENTS
        if "event_data" in event and (self.config.omit_event_data or failed_only):
            event["event_data"] = {}
        return event

    @property
    def stats(self) -> dict[str, dict[str, int]] | None:
        """Ansible's statistics; `None` where it gave none. While the run lasts, its end is waited for."""
        for line in _journal.lines(self.config.artifact_dir, self._program):
            if b'"event":"playbook_on_stats"' in line:
                event = json.loads(line)
                if event["event"] == "playbook_on_stats":
                    return {name: event["event_data"].get(name, {}) for name in _STATS}
        return None

    def host_events(self, host: str) -> Iterator[Event]:
        """The events of one inventory host."""
        for event in self.journal:
            if event["event"] not in OWN_EVENTS and event.get("event_data", {}).get("host") == host:
                yield self._with_data_asked_for(event)

    def get_fact_cache(self, host: str) -> dict[str, Any]:
        """What is known about a host: its cache, on every ansible-core; without one, what this run's modules found out."""
        cached = _facts.read(self.config.fact_cache, host) if self.config.fact_cache_type == "jsonfile" else None
        return _facts.of_events(self.journal, host) if cached is None else cached

    def set_fact_cache(self, host: str, data: dict[str, Any]) -> None:
        """Sets the cache of a host; a run that begins afterwards takes it."""
        if self.config.fact_cache_type != "jsonfile":
            raise AnsibleRunnerException("only a fact cache of type `jsonfile` can be written")
        _facts.write(self.config.fact_cache, host, data)


def _end(program: Program) -> None:
    """Ends a run and waits for it. Whoever interrupts that asks once more."""
    while True:
        try:
            program.cancel()
            program.wait()
            return
        except BaseException:
            continue
