"""The program `playwarden`: where it is, and one run of it."""

from __future__ import annotations

import codecs
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import weakref
from typing import Any

from .exceptions import AnsibleRunnerException, ConfigurationError

_log = logging.getLogger(__name__)

#: Names the program; it wins over every other place.
VARIABLE = "PLAYWARDEN"

# So much of what the program says to people is kept, for the message of an exception.
_KEPT = 64 * 1024

# Exit codes that say that what was asked for cannot be: usage, could not start, no host, configuration, plugin, lock.
_REFUSALS = frozenset((2, 12, 13, 30, 31, 33))


def find() -> str:
    """Returns the program: `PLAYWARDEN`, else the one in this package, else the `PATH`'s."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if not found:
            raise ConfigurationError(f"`{VARIABLE}` names `{named}`, which is no program: correct or unset it")
        return found
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "playwarden")
    found = shutil.which(inside) or shutil.which("playwarden")
    if not found:
        raise ConfigurationError(
            f"the program `playwarden` is not in the PATH: put it there, or name it in `{VARIABLE}`"
        )
    return found


def environment() -> dict[str, str]:
    """Returns the environment for programs of Ansible. Those beside this Python are found where the `PATH` has none: a virtual
    environment need not be activated."""
    variables = dict(os.environ)
    beside = os.path.dirname(sys.executable or "")
    if not shutil.which("ansible-playbook") and os.access(os.path.join(beside, "ansible-playbook"), os.X_OK):
        variables["PATH"] = os.pathsep.join(filter(None, (beside, variables.get("PATH"))))
    return variables


class Program:
    """One run of the program.

    Everything that changes is changed under `changed`, which is notified. `known` is how many lines the journal has for certain: the program
    writes an event into the journal before it tells of it.
    """

    def __init__(self, arguments: list[str], document: str, follow: list[str], loud: bool) -> None:
        self.changed = threading.Condition()
        self.known = 0
        self.status = "starting"
        #: Ansible was started.
        self.was_started = False
        self.outcome: dict[str, Any] | None = None
        self._over = threading.Event()
        self._said = bytearray()
        self._loud = loud
        program = find()
        self._follow = [program, *follow]
        # A socket, since a write to a pipe whose reader is gone would kill a caller that has SIGPIPE as C programs have it.
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [program, *arguments],
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment(),
                    # Ctrl-C is the caller's, and what reads from its terminal would be stopped.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise ConfigurationError(f"the program `playwarden` cannot be started: {error}") from error
        # Stays open as long as this process lives: the program ends the run when it closes.
        self._lifeline = ours
        _lifelines.add(ours)
        self._listener = threading.Thread(target=self._listen, name="playwarden-messages", daemon=True)
        self._listener.start()
        threading.Thread(target=self._read, name="playwarden-events", daemon=True).start()
        try:
            ours.sendall(document.encode(), getattr(socket, "MSG_NOSIGNAL", 0))
        except OSError:
            pass  # It has ended, and says why.

    def begun(self) -> None:
        """Waits for the first event. Without one the run was refused: raises what the program says."""
        with self.changed:
            self.changed.wait_for(lambda: self.known or self.ended)
            if self.known:
                return
        code = self._process.returncode
        message = self.said() or f"the program `playwarden` ended with {code} and said nothing"
        raise (ConfigurationError if code in _REFUSALS else AnsibleRunnerException)(message)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end, and returns whether it has come."""
        return self._over.wait(timeout)

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    def cancel(self) -> None:
        """Asks for the end: once in order, twice at once."""
        # Not SIGINT, which is ignored by what a shell started in the background.
        try:
            self._process.send_signal(signal.SIGTERM)
        except OSError:
            pass  # It has ended.

    def said(self) -> str:
        """Returns what the program said to people."""
        self._listener.join(5)
        return bytes(self._said).decode(errors="replace").strip()

    def _read(self) -> None:
        """Takes notice of every event; what becomes of it is nothing that the program has to wait for."""
        try:
            self._take(self._process, 0)
            self._process.wait()
            if self.known and not self.outcome:
                # It was killed. Who follows the run to its end also closes it, with all that Ansible reported.
                with subprocess.Popen(
                    self._follow,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment(),
                    start_new_session=True,
                ) as follower:
                    self._take(follower, self.known)
        except Exception:
            _log.exception("the end of the run is not known")
        self._lifeline.close()
        with self.changed:
            self._over.set()
            self.changed.notify_all()

    def _take(self, process: subprocess.Popen[bytes], known: int) -> None:
        """Takes notice of every event but those that are known."""
        assert process.stdout is not None
        with process.stdout as lines:
            try:
                for number, line in enumerate(lines):
                    if number >= known:
                        self._notice(line)
            except Exception:
                _log.exception("what the program `playwarden` says is not understood: its run is ended")
                self.cancel()
                for _ in lines:
                    pass

    def _notice(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            return  # The program was killed.
        event = None
        if b'"event":"status_changed"' in line or b'"event":"run_finished"' in line:
            # Perhaps in the data of another event.
            event = json.loads(line)
        with self.changed:
            self.known += 1
            if event and event["event"] == "status_changed":
                self.status = event["event_data"]["to"]
                self.was_started |= self.status == "running"
            elif event and event["event"] == "run_finished":
                self.outcome = event["event_data"]
            self.changed.notify_all()

    def _listen(self) -> None:
        """Keeps what is said to people, and passes it on."""
        assert self._process.stderr is not None
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        unsaid = ""
        with self._process.stderr as pipe:
            while True:
                text = os.read(pipe.fileno(), 8192)
                self._said += text[: _KEPT - len(self._said)]
                if self._loud:
                    # A refusal becomes an exception instead.
                    unsaid += decoder.decode(text, final=not text)
                    if self.known:
                        unsaid = self._pass_on(unsaid)
                if not text:
                    return

    def _pass_on(self, text: str) -> str:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except Exception:
            self._loud = False
        return ""


# A child made by `os.fork` alone would keep the run alive after the death of this process.
_lifelines: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _let_go() -> None:
    for lifeline in list(_lifelines):
        lifeline.close()


os.register_at_fork(after_in_child=_let_go)
