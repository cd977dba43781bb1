"""Tells the Playwarden host everything that Ansible reports, and asks it before each task starts.

The same file serves ansible-core 2.14 to 2.21 on Python 3.9 to 3.13, so it uses only what all of them share. It runs in
Ansible's main process, on two threads: items, retries and async polls are reported from the one that reads results, all
else from the main one. Hence no state here is per thread, and whatever belongs to a task is taken from the task that
comes with the result, never from "the current task".
"""
from __future__ import annotations

import sys

try:
    import ast
    import atexit
    import collections
    import ctypes
    import datetime
    import fcntl
    import functools
    import gc
    import glob
    import hashlib
    import json
    import multiprocessing
    import os
    import platform
    import re
    import select
    import shutil
    import signal
    import socket
    import stat
    import struct
    import threading
    import time
    import traceback
    import uuid
    from collections.abc import Mapping, Set

    import ansible
    import yaml
    from ansible import constants as C
    from ansible.executor.process.worker import WorkerProcess
    from ansible.executor.task_queue_manager import FinalQueue
    from ansible.playbook.handler import Handler
    from ansible.plugins.callback import CallbackBase
    from ansible.plugins.loader import action_loader, module_loader, shell_loader
    from ansible.plugins.strategy import StrategyBase
    from ansible.release import __version__ as CORE_VERSION
    from ansible.utils.collection_loader import AnsibleCollectionConfig
    from ansible.utils.display import Display
except Exception as error:
    # Ansible takes an Exception here for a callback it can do without, and would run unguarded.
    raise SystemExit("playwarden: the callback can't be loaded: %s" % " ".join(str(error).split())) from None

DOCUMENTATION = """
name: playwarden_callback
type: notification
short_description: reports a run to the Playwarden host
description: Sends every event of a run to the Playwarden host and waits for its word before each task starts.
"""

PROTOCOL = 1
RETAINED = 4 << 20          # see Link._retain; the host relies on this figure
DEEPEST = 100               # levels of nesting in a record: common parsers stop at 128
TEXT_CUT = 1024             # what is left of a text in a record that is too large
CLEANING_TIME = 1.5         # seconds core may clean up in peace; a `pause` would have it wait for minutes
CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
MASKED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"     # as Ansible masks it in results
UNCENSORED = ("changed", "failed", "skipped", "unreachable", "attempts", "retries")
SHOWN = re.compile(r"\s*(?:\[(DEPRECATION WARNING|DEPRECATED|WARNING|ERROR)\]: |(ERROR)! )(.*)", re.DOTALL)
SHOWN_AS = {"WARNING": "warning", "ERROR": "error", "DEPRECATED": "deprecated", "DEPRECATION WARNING": "deprecated"}
WORKER_FOLDER = re.compile(r"ansible-tmp-(\d+(?:\.\d+)?)-(\d+)-\d+")       # time and process id
HARD_WRAPPED = tuple(int(number) for number in CORE_VERSION.split(".")[:2]) < (2, 19)      # warnings, at 79 columns
LONE_SURROGATE = re.compile(
    r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}")


# -- JSON ------------------------------------------------------------------------------------------------------------

def foreign(value):
    """A JSON shape for what the encoder does not know."""
    sealed = getattr(value, "_ciphertext", None)
    if sealed is not None:
        return {"__ansible_vault": sealed}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Set, collections.abc.Sequence)) and not isinstance(value, str):
        return list(value)
    return str(value)


def clean(value, depth=0, above=()):
    """The same value with everything gone that strict JSON parsers refuse. Slow, hence only for what needs it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        # Python refuses to write very long integers in decimal.
        return int(value) if value.bit_length() < 14000 else hex(value)
    if isinstance(value, float):
        if value != value:
            return "NaN"
        return float(value) if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"
    if depth >= DEEPEST or id(value) in above:
        return "..."
    above += (id(value),)
    if isinstance(value, dict):
        cleaned = {}
        for key, inner in value.items():
            plain = json.dumps(key) if key is None or isinstance(key, bool) else str(key)     # as the encoder does
            key = name = clean(plain)
            copies = 1
            while key in cleaned:       # 1 and "1" are two keys in Python but one in JSON
                copies += 1
                key = "%s_%d" % (name, copies)
            cleaned[key] = clean(inner, depth + 1, above)
        return cleaned
    if isinstance(value, (list, tuple)):
        return [clean(inner, depth + 1, above) for inner in value]
    return clean(foreign(value), depth + 1, above)


def too_deep(value, left=DEEPEST):
    inner = value.values() if isinstance(value, dict) else value
    return left == 0 or any(too_deep(item, left - 1) for item in inner if isinstance(item, (dict, list, tuple)))


_fast = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=foreign).encode


def encode(value):
    """ASCII JSON that every strict parser takes."""
    try:
        # Keys such as 1 and "1" both remain, under one name: telling them apart is not worth a look at every record.
        text = _fast(value)
        # Each check first asks what costs next to nothing and says no for nearly every record.
        lone = "\\ud" in text and LONE_SURROGATE.search(text)
        deep = text.count("[") + text.count("{") > DEEPEST and isinstance(value, (dict, list)) and too_deep(value)
        if not lone and not deep:
            return text
    except (ValueError, TypeError, RecursionError):
        pass
    return _fast(clean(value))


def scalars(value):
    """What is kept of a value when its record is too large: enough to judge the result by."""
    if isinstance(value, str):
        return value[:TEXT_CUT]
    if isinstance(value, dict):
        kept = [key for key, inner in value.items() if inner is None or isinstance(inner, (str, int, float))][:100]
        return {str(key): value[key][:TEXT_CUT] if isinstance(value[key], str) else value[key] for key in kept}
    return None


def utc(nanoseconds):
    return datetime.datetime.fromtimestamp(nanoseconds / 1e9, datetime.timezone.utc).isoformat()


# -- interrupts ------------------------------------------------------------------------------------------------------

class Interrupts:
    """SIGUSR2 ends the run as Ctrl-C would, but never in the middle of a frame or of reporting an event.

    Not SIGINT, because the workers would get it too, and one that dies holding the lock of the result queue blocks the
    main process for ever. The handler can run between any two bytecodes of the main thread, hence no lock: `depth` is
    written by the main thread alone, and each writer puts back the value it found instead of counting down.
    """

    def __init__(self):
        self.main = threading.get_ident()
        self.depth = 0              # above 0: an interrupt is only noted
        self.noted = None           # when the first one was noted that has not been raised yet
        self.raised = None          # when the first one was raised
        self.workers = set()        # ids of those that were at work then
        self.refusing = False       # from the first interrupt or verdict on nothing may start
        self.closing = False

    def handle(self, _signum, frame):
        self.refusing = True
        now = time.monotonic()
        if self.closing:
            return
        if self.raised is not None:
            # The first one may have been swallowed, so this one must be raised too; but not when core has it and says
            # goodbye, nor while it is on its way out and core deletes its temporary files, which may hold secrets.
            cleaning = self._inside(frame, "_cleanup_processes", "cleanup", "cleanup_all_tmp_files")
            if cleaning and now - self.raised < CLEANING_TIME:
                self._hurry(cleaning)
                return
            if not self._inside(frame, "run"):
                return
        if self.depth > 0:
            self.noted = self.noted or now
            return
        # The end of our own method is the better moment for what must not be torn. Should it not come, because another
        # callback hangs, the signal's next arrival raises.
        if self._in_transit(frame):
            self.noted = self.noted or now
            if now - self.noted < 1.0:
                return
        self.strike()

    def strike(self):
        self.noted = None
        self.raised = self.raised or time.monotonic()
        self.refusing = True
        self.workers.update(worker.pid for worker in multiprocessing.active_children())
        raise KeyboardInterrupt

    def shield(self):
        """From here on interrupts are noted; hand the answer to `unshield`."""
        if threading.get_ident() != self.main:
            return None
        before = self.depth
        self.depth = before + 1
        return before

    def unshield(self, before):
        if before is not None:
            self.depth = before
            if before == 0 and self.noted:
                self.strike()

    def exposed(self, wait, *arguments):
        """Calls what may take long and loses nothing when it is interrupted."""
        before = self.depth
        try:
            self.unshield(0)
            return wait(*arguments)
        finally:
            self.depth = before

    def _in_transit(self, frame):
        """Whether core holds a result that it has not reported yet, or a worker that is half made."""
        above = Interrupts.exposed
        if self._inside(frame, "_process_pending_results", "send_callback", above=above):
            return True
        queuing = self._inside(frame, "_queue_task", above=above)
        return queuing is not None and (getattr(queuing.f_locals.get("worker_prc"), "_closed", False)
                                        or self._inside(frame, "start", "close") is not None)

    @staticmethod
    def _inside(frame, *names, above=None):
        """The innermost frame so named; with `above`, only among what that function has called."""
        while frame is not None and (above is None or frame.f_code is not above.__code__):
            if frame.f_code.co_name in names:
                return frame
            frame = frame.f_back
        return None

    @staticmethod
    def _hurry(frame):
        """Spares core its wait of seconds for workers whose results no one reads any more."""
        if frame.f_code.co_name == "_cleanup_processes":
            try:
                for worker in getattr(frame.f_locals["self"], "_workers", ()):
                    if worker is not None and worker.is_alive():
                        worker.terminate()
            except Exception:
                pass        # only a courtesy: core does the same a little later


def guarded(method):
    """Runs a callback method so that no failure of ours is silent, and none disturbs Ansible."""
    @functools.wraps(method)
    def guard(self, *args, **kwargs):
        if os.getpid() != self.pid:
            return
        before = self.interrupts.shield()
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.report_failure(method.__name__, error)
        finally:
            self.interrupts.unshield(before)
    return guard


# -- the host --------------------------------------------------------------------------------------------------------

def protect():
    """From here on other processes of the same user can't trace us, read our memory or take our descriptors.

    Workers inherit it and must: their pipe leads into the main process, which unpickles what comes out of it, and that
    can be any code. What they execute is as ever.
    """
    try:
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)      # PR_SET_DUMPABLE
    except (AttributeError, OSError, TypeError):
        pass                                        # not Linux


def give_back(inherited):
    """Undoes in the environment what brought us here: what a play starts, perhaps another Ansible, is not the run's."""
    for name, value in inherited.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def mark_logs(text):
    """Modules begin with it what they write into the logs of managed hosts, unless the user has set something else.

    As a default and not in the environment: there, an Ansible that a play starts would inherit it.
    """
    setting = C.config.get_configuration_definition("TARGET_LOG_INFO")
    if setting is not None:             # core 2.17 and later
        setting["default"] = text


class Link:
    """The socket to the host, and the file that takes its place when the host is gone."""

    def __init__(self, fd, place, spill, interrupts):
        if fd is None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(place)
        else:
            self.socket = socket.socket(fileno=fd)
        self.socket.set_inheritable(False)
        self.socket.setblocking(True)
        # Open and locked from the start: as long as it is, nobody takes the run for one that is over.
        self.spill = os.open(spill, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self.spill, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.interrupts = interrupts
        # Reentrant, because encoding a record can itself make Ansible warn.
        self.lock = threading.RLock()
        self.number = 0
        self.lost = False
        self.cancel_on_loss = True
        self.retained = collections.deque()
        self.retained_bytes = 0
        self.printed = [0 if self._is_file(fd) else None for fd in (1, 2)]

    @staticmethod
    def _is_file(fd):
        try:
            return stat.S_ISREG(os.fstat(fd).st_mode)
        except OSError:
            return False

    @staticmethod
    def flush():
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass        # closed, or a full disk: the size of what did arrive is still right

    def _measure(self):
        self.flush()
        return [0 if self.printed[fd - 1] is None else os.fstat(fd).st_size for fd in (1, 2)]

    def send(self, record, fields=""):
        # Flushing takes Display's lock, and who holds that may be about to report a warning: never take it within ours.
        sizes = self._measure()
        before = self.interrupts.shield()
        try:
            with self.lock:
                for index, size in enumerate(sizes):
                    if self.printed[index] is not None:
                        self.printed[index] = max(self.printed[index], size)
                self.number += 1
                out, err = ("null" if size is None else size for size in self.printed)
                body = ('{"record":"%s","number":%d,"time_ns":%d,"stdout":%s,"stderr":%s%s%s}' % (
                    record, self.number, time.time_ns(), out, err, "," if fields else "", fields)).encode("ascii")
                self._deliver(struct.pack(">I", len(body)) + body)
        finally:
            self.interrupts.unshield(before)

    def _deliver(self, frame):
        try:
            self._retain(frame)
            if self.lost:
                self._write_spill()
            else:
                self.socket.sendall(frame)
        except OSError:
            if self.lost:
                raise
            self.lose()
        except BaseException:
            # Someone else's signal tore the frame. What followed on the socket would be read as anything.
            if not self.lost:
                if not self.retained or self.retained[-1] is not frame:
                    self.retained.append(frame)
                self.lose()
            raise

    def _retain(self, frame):
        """Keeps what the host may have taken from the socket but not yet from its own memory when it is killed.

        A frame is kept until RETAINED bytes of later ones were sent. The numbers tell which ones it had.
        """
        self.retained.append(frame)
        self.retained_bytes += len(frame)
        while not self.lost and self.retained_bytes - len(self.retained[0]) >= RETAINED:
            self.retained_bytes -= len(self.retained.popleft())

    def lose(self):
        with self.lock:
            if not self.lost:
                self.lost = True
                try:
                    self.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                self._write_spill()

    def _write_spill(self):
        while self.retained:
            left, whole = memoryview(self.retained[0]), os.fstat(self.spill).st_size
            try:
                while left:
                    left = left[os.write(self.spill, left):]
            except BaseException:
                # What is kept is tried again with the next one; nothing may stand behind a part of it.
                os.ftruncate(self.spill, whole)
                raise
            self.retained.popleft()
        self.retained_bytes = 0

    def receive(self):
        """The host's next frame; None when the host is gone. May be interrupted until its first byte is there."""
        readable = select.poll()
        readable.register(self.socket, select.POLLIN)
        self.interrupts.exposed(readable.poll)
        try:
            (length,) = struct.unpack(">I", self._exactly(4))
            return json.loads(self._exactly(length))
        except (OSError, EOFError):
            self.lose()
            return None

    def _exactly(self, length):
        parts = []
        while length:
            part = self.socket.recv(min(length, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def watch(self, pipe):
        """Notices on a thread of its own that the host is gone, for a task may run for hours without a word to it.

        In a container no signal reaches us alone: there each byte in a pipe stands for one.
        """
        hangup = select.poll()
        hangup.register(self.socket, select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0))
        if pipe is not None:
            hangup.register(pipe, select.POLLIN)
        while [ready for ready, _ in hangup.poll()] == [pipe]:
            os.read(pipe, 64)
            signal.pthread_kill(self.interrupts.main, signal.SIGUSR2)
        if self.interrupts.closing:
            return
        self.lose()
        while self.cancel_on_loss and not self.interrupts.closing:
            signal.pthread_kill(self.interrupts.main, signal.SIGUSR2)
            time.sleep(1)


# -- events ----------------------------------------------------------------------------------------------------------

def part(thing, name):
    """`host`, `task` or `result` of a result: public from core 2.19 on, underscored before and not for ever."""
    try:
        return getattr(thing, name)
    except AttributeError:
        return getattr(thing, "_" + name)


def may_hold(keyword):
    """Whether it is or could become true: a template that core has not evaluated counts as true."""
    return keyword is not False and str(keyword).lower() not in ("false", "none", "no", "off", "0", "")


def censor(res, secret):
    """`res` as it may leave the process."""
    if secret or res.get("_ansible_no_log") or res.get("censored") == CENSORED:
        kept = {key: res[key] for key in UNCENSORED if isinstance(res.get(key), int)}
        kept["censored"] = CENSORED
        if isinstance(res.get("results"), list):
            kept["results"] = [censor(item, True) if isinstance(item, dict) else {"censored": CENSORED}
                               for item in res["results"]]
        return kept
    items = res.get("results")
    if isinstance(items, list) and any(isinstance(item, dict) and item.get("_ansible_no_log") for item in items):
        res = dict(res, results=[censor(item, False) if isinstance(item, dict) else item for item in items])
    return res


def members(hosts):
    """The names of those of the hosts that are in each group but `all`."""
    groups = {}
    for host in hosts:
        for group in host.get_groups():
            if group.name != "all":
                groups.setdefault(group.name, []).append(host.name)
    return groups


def digest(path):
    """SHA-256 in hex, none of what can't be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def installed_collections():
    """Those that tasks may name. Of two with one name Ansible takes the one whose path comes first."""
    found = {}
    for place in AnsibleCollectionConfig.collection_paths:
        for path in sorted(glob.glob(os.path.join(glob.escape(place), "ansible_collections", "*", "*", ""))):
            namespace, name = path.split("/")[-3:-1]
            manifest, source = (os.path.join(path, file) for file in ("MANIFEST.json", "galaxy.yml"))
            if namespace.isidentifier() and name.isidentifier() and "%s.%s" % (namespace, name) not in found:
                version = None
                try:
                    with open(manifest if os.path.exists(manifest) else source, encoding="utf-8") as file:
                        # JSON is YAML, but reading it as that takes a hundred times as long.
                        read = json.load if file.name == manifest else yaml.safe_load
                        said = read(file)
                        version = said.get("collection_info", said).get("version")
                except (OSError, ValueError, AttributeError, yaml.YAMLError):
                    pass                # whoever has put it there did not say
                found["%s.%s" % (namespace, name)] = {
                    "name": "%s.%s" % (namespace, name), "version": None if version is None else str(version),
                    "path": path.rstrip("/"), "manifest": digest(manifest)}
    return [found[name] for name in sorted(found)]


def temporary_folders():
    """Where this Ansible and its workers make folders for temporary files on this machine."""
    folders = [os.path.dirname(C.DEFAULT_LOCAL_TMP)]
    try:
        remote = shell_loader.get("sh").get_option("remote_tmp")
        folders.append(os.path.expanduser(os.path.expandvars(remote)))
    except Exception:
        pass        # the default is the same folder as the first
    return [folder for folder in dict.fromkeys(folders) if os.path.isabs(folder)]


def named_parts(node):
    """What a call of `dict`, or of anything else, and a literal of a dictionary have under constant names."""
    if isinstance(node, ast.Call):
        return [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
    if isinstance(node, ast.Dict):
        return [(key.value, value) for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)]
    return []


def secret_parameters(path):
    """The parameters that a module declares as secret, read from its source: it can't be asked before it runs."""
    found = set()
    try:
        with open(path, "rb") as source:
            tree = ast.parse(source.read())
    except Exception:
        return found        # not Python, or not this one
    for node in ast.walk(tree):
        for name, declared in named_parts(node):
            parts = dict(named_parts(declared))
            secret = parts.get("no_log")
            if isinstance(secret, ast.Constant) and secret.value is True:
                aliases = getattr(parts.get("aliases"), "elts", ())
                found.update([str(name)] + [str(alias.value) for alias in aliases if isinstance(alias, ast.Constant)])
    return found


def without_environment(res, action):
    facts = res.get("ansible_facts")
    if isinstance(facts, dict) and ("ansible_env" in facts or "env" in facts):
        gathered = action.rpartition(".")[2] in ("setup", "gather_facts")
        facts = {key: value for key, value in facts.items() if key != "ansible_env" and not (gathered and key == "env")}
        res = dict(res, ansible_facts=facts)
    return res


def reports(event, final=False):
    """A callback method that only reports the result it is given."""
    def method(self, result):
        self._result(event, result, final)
    method.__name__ = event
    return guarded(method)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "playwarden_callback"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *args, **kwargs):
        try:
            super().__init__(*args, **kwargs)
            self._connect()
        except Exception as error:      # as with the imports
            raise SystemExit("playwarden: the callback can't start: %s" % error) from None

    def _connect(self):
        fd, place, pipe, spill = (os.environ.pop("PLAYWARDEN_" + name, None)
                                  for name in ("FD", "SOCKET", "INTERRUPT", "SPILL"))
        if (fd is None and place is None) or spill is None:
            raise RuntimeError("only playwarden sets PLAYWARDEN_FD and PLAYWARDEN_SPILL; start Ansible through it")
        had = {"ANSIBLE_CALLBACK_PLUGINS": os.environ.pop("PLAYWARDEN_HAD_PLUGINS", None),
               "ANSIBLE_LOAD_CALLBACK_PLUGINS": os.environ.pop("PLAYWARDEN_HAD_LOAD", None)}
        give_back(json.loads(os.environ.pop("PLAYWARDEN_INHERITED", "null")) or had)
        self.pid = os.getpid()
        self.interrupts = Interrupts()
        self.link = Link(None if fd is None else int(fd), place, spill, self.interrupts)
        self.pipe = None
        self.generated, self.beside = (os.environ.pop("PLAYWARDEN_" + name, None) for name in ("GENERATED", "BESIDE"))
        self.asks = os.isatty(0)
        self._tqm = None
        self._known = {}            # (figure, host) -> core's statistics when last looked at
        self._seen = {}             # core's uuid -> how many events have borne it
        self._playbook = self._play = ""        # JSON of the context, without braces
        self._playbook_uuid = self._play_uuid = None
        self._play_name, self._plays, self._grouped = None, 0, None
        self._forget()
        self._secret_parameters = {}    # action -> names
        self._stats = {}                # what set_stats has set, as last looked at
        self._secret_stats = set()      # its keys that a task with no_log set
        self._conceals = False      # in a worker: its task has no_log
        self._telling = set()       # threads that are reporting what Display shows
        self._local = threading.local()

        protect()
        os.register_at_fork(after_in_child=self._in_child)
        self.began = time.time()
        self.temporary = temporary_folders()
        self.link.send("hello", '"protocol":%d,"pid":%d,"core":%s,"python":%s,"temporary":%s' % (
            PROTOCOL, self.pid, encode(CORE_VERSION), encode(platform.python_version()), encode(self.temporary)))
        answer = self.link.receive()
        if answer is None:
            raise RuntimeError("the host is gone")
        self.gate = bool(answer["gate"])
        self.max_event = int(answer["max_event"])
        self.link.cancel_on_loss = answer["on_host_loss"] != "continue"
        self.describes = bool(answer["describe"])
        mark_logs(answer["target_log_info"])

        signal.signal(signal.SIGUSR2, self.interrupts.handle)
        # Open for writing as well, or it would be at its end whenever nobody else has it open.
        if pipe is not None:
            self.pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        threading.Thread(target=self.link.watch, args=(self.pipe,), name="playwarden-watch", daemon=True).start()
        for _ in range(2):      # should an interrupt hit the very beginning of the first call, the second does it
            atexit.register(self._finish)
        self._listen_to_display()

    def _in_project(self, path):
        """A generated playbook is shown in the project, where it would be as a file."""
        if self.generated and path.startswith(self.generated + "/"):
            return self.beside + path[len(self.generated):]
        return path

    def _in_child(self):
        # Workers are forks: they must neither speak to the host nor keep the socket open, and otherwise be as ever.
        if os.getpid() != self.pid:
            self.link.socket.close()
            if self.link.spill is not None:
                os.close(self.link.spill)
                self.link.spill = None      # the number may be another file's when a worker forks
            if self.pipe is not None:
                os.close(self.pipe)
                self.pipe = None
            frame = sys._getframe()
            while frame is not None:
                worker = frame.f_locals.get("self")
                if isinstance(worker, WorkerProcess):
                    self._conceals = may_hold(worker._task.no_log)
                    break
                frame = frame.f_back
            try:
                signal.signal(signal.SIGUSR2, signal.SIG_DFL)
            except ValueError:
                pass

    def _finish(self):
        if os.getpid() == self.pid and not self.interrupts.closing:
            self.interrupts.closing, self.interrupts.noted = True, None
            try:
                self.link.send("end")
                # Once we are gone, nobody else has what a host that is killed now has not written down.
                heard = self.link.receive()
                while heard is not None and "heard" not in heard:      # an answer that nobody waited for any more
                    heard = self.link.receive()
            except Exception as error:
                sys.stderr.write("playwarden: the end of the run could not be reported: %s\n" % error)
            if self.interrupts.raised is not None:
                self._dismiss()
                self._tidy()
            # A thread that core leaves behind may be printing. Python would stop it there, and then wait for ever for the
            # lock that it holds: so we take it, and keep it.
            lock = getattr(self._display, "_lock", None)
            if lock is not None:
                lock.acquire(timeout=5)

    def _tidy(self):
        """Removes what workers left behind that were interrupted. Only theirs: another run may use the same folder.

        A folder that is mounted into a container may be another container's as well, whose processes have the same ids.
        """
        for folder in self.temporary:
            try:
                if self.pipe is not None and os.stat(folder).st_dev != os.stat("/").st_dev:
                    continue
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                made = WORKER_FOLDER.fullmatch(name)
                if made and float(made[1]) >= self.began and int(made[2]) in self.interrupts.workers:
                    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)

    @staticmethod
    def _dismiss():
        """Python waits at exit for its children, but a worker that can't hand over its result would never end."""
        deadline = time.monotonic() + 1.0
        workers = multiprocessing.active_children()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                worker.kill()

    def _forget(self):
        """Tasks of an earlier play never come back, but their number may be large."""
        self._contexts = {}         # (task uuid, name, action) -> JSON of the task's context
        self._starts = {}           # task uuid -> JSON of what a start is judged by, without the host
        self._titles = {}           # task uuid -> templated name at its latest start
        self._announced = {}        # task uuid -> uuid of its latest start event
        self._begun = {}            # (host, task uuid) -> time, clock and parent at the task's start on that host
        self._latest = {}           # host -> uuid of the task that it ended last, and that task's `_begun`
        self._items = {}            # (host, task uuid) -> items reported

    # -- composing

    def _fields(self, event, own, context, parent, uid=None):
        """The record's JSON after the numbers: envelope and event_data."""
        own["uuid"] = uid = uid or str(uuid.uuid4())
        envelope = '"event":"%s","uuid":"%s",%s"event_data":{' % (
            event, uid, '"parent_uuid":"%s",' % parent if parent else "")
        text = encode(own)
        if len(text) > self.max_event:
            size = len(text)
            own = {key: value if len(encode(value)) <= TEXT_CUT else scalars(value) for key, value in own.items()}
            own["truncated"] = size
            text = encode(own)
        return "%s%s%s%s" % (envelope, context, "," if context else "", text[1:])

    def _event(self, event, own, context, parent=None, uid=None):
        self.link.send("event", self._fields(event, own, context, parent, uid))

    def _unique(self, core_uuid):
        """Core's own uuid the first time; it starts plays and tasks again under the same one."""
        self._seen[core_uuid] = times = self._seen.get(core_uuid, 0) + 1
        return core_uuid if times == 1 else "%s_%d" % (core_uuid, times)

    def _resolved(self, task):
        """The fully qualified name of its action, found as core does; None while that is an unevaluated template."""
        # From core 2.19 on `resolved_action` is a property that warns when it is read too early.
        known = vars(task).get("_resolved_action") or vars(task).get("resolved_action")
        if known or "{" in task.action:
            return known
        self._local.resolving = True
        try:
            for loader in (action_loader, module_loader):
                found = loader.find_plugin_with_context(
                    task.action, ignore_deprecated=True, collection_list=task.collections)
                if found.resolved:
                    return found.resolved_fqcn
        except Exception:
            pass        # what is wrong with it core is about to say itself
        finally:
            self._local.resolving = False
        return None

    def _context(self, task, name=None):
        name = name or task.name
        key = (task._uuid, name, task.action)       # an action may be a template that only results have evaluated
        text = self._contexts.get(key)
        if text is None:
            context = {"task": name or task.action, "task_uuid": task._uuid, "task_action": task.action,
                       "resolved_action": self._resolved(task), "task_args": "",
                       "task_path": self._in_project(task.get_path() or "")}
            role = getattr(task, "_role", None)
            if role:
                context["role"] = getattr(role, "_role_name", None) or role.get_name()
                if role.get_name() != context["role"]:
                    context["resolved_role"] = role.get_name()
            if len(self._contexts) > 5000:      # names that differ from host to host, on many hosts
                self._contexts.clear()
            text = self._contexts[key] = encode(context)[1:-1]
        return "%s,%s" % (self._play or self._playbook, text) if self._playbook else text

    def _parent(self, host, task):
        begun = self._begun.get((host.name, task._uuid))
        return (begun[2] if begun else self._announced.get(task._uuid)) or self._play_uuid or self._playbook_uuid

    def _core_stats(self):
        """Core's statistics, which count an event just before it is reported; None if there is no way to them."""
        if self._tqm is None:
            frame = sys._getframe()
            while frame is not None and self._tqm is None:
                owner = frame.f_locals.get("self")
                if hasattr(owner, "_callback_lock") and hasattr(owner, "_stats"):
                    self._tqm = owner
                frame = frame.f_back
        return self._tqm and self._tqm._stats

    def _notice_stats(self, secret):
        """The result of a task with no_log comes without what it set, which is there already."""
        stats = self._core_stats()
        for key, value in (stats.custom.get("_run", {}) if stats and stats.custom else {}).items():
            if key not in self._stats or self._stats[key] is not value:
                self._stats[key] = value
                if secret:
                    self._secret_stats.add(key)

    def _grew(self, figure, host):
        """Whether core's statistics counted this very event."""
        stats = self._core_stats()
        if stats is None:
            return None
        count = getattr(stats, figure).get(host.name, 0)
        grown = count > self._known.get((figure, host.name), 0)
        self._known[figure, host.name] = count
        return grown

    @staticmethod
    def _flags(task, secret):
        flags = {}
        if isinstance(task, Handler):
            flags["handler"] = True
        if task.check_mode is True:
            flags["check_mode"] = True
        if secret:
            flags["no_log"] = True
        return flags

    def _result(self, event, result, final=False, **extra):
        host, task, res = part(result, "host"), part(result, "task"), part(result, "result")
        secret = may_hold(task.no_log) or bool(res.get("_ansible_no_log"))
        own = {"host": host.name}
        parent = self._parent(host, task)
        shown = without_environment(censor(res, secret), task.action)
        if final:
            self._notice_stats(secret)
            key = (host.name, task._uuid)
            self._items.pop(key, None)
            begun = self._begun.pop(key, None)
            if begun is not None:
                self._latest[host.name] = (task._uuid, begun)
            elif self._latest.get(host.name, (None,))[0] == task._uuid:
                begun = self._latest[host.name][1]      # a second result: an included file that can't be loaded
            began, clock = begun[:2] if begun else (None, None)
            own.update(remote_addr=host.address, res=shown, start=began and utc(began), end=utc(time.time_ns()),
                       duration=clock and time.monotonic() - clock)
            if event != "runner_on_unreachable":
                own["event_loop"] = task.loop_with
        elif event == "runner_on_file_diff":
            own["diff"] = {"censored": CENSORED} if secret else res.get("diff")
        else:
            own["res"] = shown
        if event.startswith("runner_on_async"):
            inner = res.get("async_result")
            own["jid"] = res.get("ansible_job_id") or (inner.get("ansible_job_id") if isinstance(inner, dict) else None)
        if event.startswith("runner_item"):
            key = (host.name, task._uuid)
            self._items[key] = own["item_number"] = self._items.get(key, 0) + 1
            if not secret:
                label = res.get("_ansible_item_label", res.get("item"))
                own["item_label"] = label if isinstance(label, str) else encode(label)
        own.update(extra)
        own.update(self._flags(task, secret))
        self._event(event, own, self._context(task), parent)

    def report_failure(self, method, error):
        try:
            lines = traceback.format_exception(type(error), error, error.__traceback__)
            self._event("callback_failed", {
                "callback": method, "error": ("%s: %s" % (type(error).__name__, error))[:TEXT_CUT],
                "traceback": "".join(lines[-4:])[-4 * TEXT_CUT:]}, self._play or self._playbook,
                self._play_uuid or self._playbook_uuid)
        except Exception:
            # The last resort: the host keeps standard error too.
            sys.stderr.write("playwarden: %s failed and could not be reported: %s\n" % (method, error))

    # -- playbooks, plays and tasks

    @guarded
    def v2_playbook_on_start(self, playbook):
        first, self._playbook_uuid = self._playbook_uuid is None, str(uuid.uuid4())
        if self.generated and os.path.dirname(playbook._file_name) == self.generated:
            # Plays that are in no file are in the project all the same: whatever is relative is meant from there.
            playbook._basedir = self.beside
        self._playbook = encode({"playbook": self._in_project(playbook._file_name), "playbook_uuid": self._playbook_uuid})[1:-1]
        self._play, self._play_uuid, self._play_name = "", None, None
        self._event("playbook_on_start", {}, self._playbook, uid=self._playbook_uuid)
        if first:
            # Everything is loaded now and lives to the end; looking at it again and again costs more than we do.
            gc.freeze()

    @guarded
    def v2_playbook_on_vars_prompt(self, varname, private=True, prompt=None, encrypt=None, confirm=False,
                                   salt_size=None, salt=None, default=None, unsafe=None):
        # The play it belongs to has not started: no context but the playbook's.
        self._event("playbook_on_vars_prompt", {
            "varname": varname, "private": private, "prompt": prompt, "encrypt": encrypt, "confirm": confirm,
            "salt_size": salt_size, "salt": salt, "default": None if private else default, "unsafe": unsafe,
        }, self._playbook, self._playbook_uuid)

    @guarded
    def v2_playbook_on_play_start(self, play):
        self._forget()
        self._plays += 1
        pattern = ",".join(str(host) for host in play.hosts) if isinstance(play.hosts, (list, tuple)) else play.hosts
        self._play_name = name = play.get_name().strip()
        self._play_uuid = uid = self._unique(play._uuid)
        self._play = "%s,%s" % (self._playbook, encode({
            "play": name, "play_uuid": play._uuid, "play_pattern": pattern, "play_number": self._plays})[1:-1])
        inventory = play.get_variable_manager()._inventory
        if self.describes:
            self.describes = False
            self._event("ansible_loaded", self._loaded(inventory), self._playbook, self._playbook_uuid)
        hosts = inventory.get_hosts(play.hosts, ignore_restrictions=True)
        # Once a play: of a thousand hosts, one at a time, each batch would say it of all.
        grouped = {} if play._uuid == self._grouped else {"groups": members(hosts)}
        self._grouped = play._uuid
        self._event("playbook_on_play_start", dict(grouped, **{
            "name": name, "pattern": pattern, "hosts": [host.name for host in hosts],
            "batch": [host.name for host in inventory.get_hosts(play.hosts, order=play.order)],
            "strategy": play.strategy, "check_mode": getattr(play, "check_mode", None) is True,
        }), self._play, self._playbook_uuid, uid)

    @staticmethod
    def _loaded(inventory):
        """What a run is made of that only Ansible knows."""
        config = C.CONFIG_FILE and {"path": str(C.CONFIG_FILE), "sha256": digest(C.CONFIG_FILE)}
        groups = {name: {"hosts": [host.name for host in group.hosts],
                         "children": [child.name for child in group.child_groups]}
                  for name, group in inventory.groups.items()}
        return {"core": CORE_VERSION, "location": os.path.dirname(ansible.__file__), "python": platform.python_version(),
                "interpreter": sys.executable, "config": config or None, "collections": installed_collections(),
                "inventory": {"hosts": list(inventory.hosts), "groups": groups}}

    def _task_start(self, task, is_conditional, **extra):
        # Core puts the templated name in place for this call only.
        self._titles[task._uuid] = task.name
        self._announced[task._uuid] = uid = self._unique(task._uuid)
        self._starts.pop(task._uuid, None)
        self._event("playbook_on_task_start", dict(extra, name=task.get_name().strip(), is_conditional=is_conditional),
                    self._context(task), self._play_uuid, uid)

    @guarded
    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task_start(task, is_conditional)

    @guarded
    def v2_playbook_on_handler_task_start(self, task):
        self._task_start(task, True, handler=True)

    @guarded
    def v2_playbook_on_cleanup_task_start(self, task):
        self._task_start(task, True)

    @guarded
    def v2_playbook_on_include(self, included_file):
        task = getattr(included_file, "_task", None)
        self._event("playbook_on_include", {
            "included_file": included_file._filename, "hosts": [host.name for host in included_file._hosts],
            "is_role": bool(getattr(included_file, "_is_role", False)),
        }, self._context(task, self._titles.get(task._uuid)) if task else self._play,
            task and self._announced.get(task._uuid) or self._play_uuid)

    @guarded
    def v2_playbook_on_notify(self, handler, host):
        self._event("playbook_on_notify", {"handler": handler.get_name(), "host": host.name},
                    self._play, self._play_uuid)

    @guarded
    def v2_playbook_on_no_hosts_matched(self):
        self._event("playbook_on_no_hosts_matched", {}, self._play, self._play_uuid)

    @guarded
    def v2_playbook_on_no_hosts_remaining(self):
        self._event("playbook_on_no_hosts_remaining", {}, self._play, self._play_uuid)

    @guarded
    def v2_playbook_on_stats(self, stats):
        figures = {name: dict(getattr(stats, name)) for name in (
            "changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")}
        data = {key: CENSORED if key in self._secret_stats else value
                for key, value in stats.custom.get("_run", {}).items()}
        self._event("playbook_on_stats", dict(figures, artifact_data=data),
                    self._playbook, self._playbook_uuid)

    # -- the gate

    @guarded
    def v2_runner_on_start(self, host, task):
        if self.interrupts.refusing:
            self.interrupts.strike()
        try:
            self.link.send("start", self._start(host, task))
            verdict = self._ask() if self.gate else "go"
            if self.gate and self.link.lost and verdict == "go":
                # Nobody has judged it, and still it happens.
                self.link.send("granted", '"uuid":"%s"' % self._begun[host.name, task._uuid][3])
        except Exception as error:
            # What can't be judged must not start, where there is a judge.
            self.report_failure("v2_runner_on_start", error)
            verdict = "now" if self.gate else "go"
        if verdict != "go":
            self.interrupts.refusing = True
            if verdict == "drain":
                self._drain()
            self.interrupts.strike()

    def _start(self, host, task):
        uid, parent = str(uuid.uuid4()), self._announced.get(task._uuid) or self._play_uuid or self._playbook_uuid
        self._begun[host.name, task._uuid] = (time.time_ns(), time.monotonic(), parent, uid)
        secret = may_hold(task.no_log)
        title = self._titles.get(task._uuid)
        common = self._starts.get(task._uuid)
        if common is None:
            role = getattr(task, "_role", None)
            common = self._starts[task._uuid] = encode({
                "play": self._play_name, "task": title or task.name or task.action, "task_uuid": task._uuid,
                "action": self._resolved(task) or task.action, "role": role.get_name() if role else None,
                "delegate_to": task.delegate_to, "tags": list(task.tags),
                "check_mode": task.check_mode is True, "no_log": secret, "handler": isinstance(task, Handler),
                "args": None if secret else self._arguments(task), "path": self._in_project(task.get_path() or "") or None})
            if len(common) > self.max_event:
                common = self._starts[task._uuid] = encode(scalars(json.loads(common)))
        fields = self._fields("runner_on_start", dict(self._flags(task, secret), host=host.name),
                              self._context(task, title), parent, uid)
        asked = '"asked":true,' if self.gate else ""
        reach = encode(dict({"host": host.name}, **self._reach(task)))
        return '%s%s,"start":%s,%s' % (asked, fields, reach[:-1], common[1:])

    @staticmethod
    def _reach(task):
        """How and as whom the host is reached: what its variables say wins over the task's keywords, as in core.

        Of a host that a task is delegated to only core's worker knows the variables.
        """
        said = {}
        if not task.delegate_to:
            frame = sys._getframe()
            while frame is not None:
                if frame.f_code.co_name == "_queue_task":       # of StrategyBase
                    said = frame.f_locals.get("task_vars") or said
                    break
                frame = frame.f_back

        def known(names, keyword):
            for name in names:
                value = said.get(name)
                if value is not None:
                    return str(value) if isinstance(value, (str, int)) else MASKED      # a vault's stays closed
            return keyword

        become = known(("ansible_become",), task.become)
        return {"address": known(("ansible_host", "ansible_ssh_host"), None),
                "connection": known(("ansible_connection",), task.connection),
                "remote_user": known(("ansible_user", "ansible_ssh_user"), task.remote_user),
                "become_user": known(("ansible_become_user",), task.become_user or C.DEFAULT_BECOME_USER)
                if may_hold(become) else None}

    def _arguments(self, task):
        """As they stand in the playbook, without those that the module itself keeps out of its results."""
        secret = self._secret_parameters.get(task.action)
        if secret is None:
            self._local.resolving = True
            try:
                path = module_loader.find_plugin(task.action, mod_type=".py", collection_list=task.collections)
            except Exception:
                path = None         # what is wrong with it core is about to say itself
            finally:
                self._local.resolving = False
            secret = self._secret_parameters[task.action] = secret_parameters(path) if path else set()
        if not secret or not isinstance(task.args, dict):
            return task.args
        return {key: MASKED if key in secret else value for key, value in task.args.items()}

    def _ask(self):
        # Also when the host is gone: it may have answered before.
        answer = self.link.receive()
        if answer is None:
            return "now" if self.link.cancel_on_loss else "go"
        return answer["verdict"] if answer["verdict"] in ("go", "drain") else "now"

    def _drain(self):
        """Lets what runs finish and be reported. We stand in core's loop, to which we do not come back."""
        frame = sys._getframe()
        while frame is not None:
            strategy = frame.f_locals.get("self")
            if isinstance(strategy, StrategyBase) and "iterator" in frame.f_locals:
                break
            frame = frame.f_back
        else:
            return
        # We are called under this lock, and so is every callback that is to come.
        lock = strategy._tqm._callback_lock
        lock.release()
        try:
            self.interrupts.exposed(strategy._wait_on_pending_results, frame.f_locals["iterator"])
        except Exception as error:
            self.report_failure("drain", error)
        finally:
            lock.acquire()

    # -- results

    @guarded
    def v2_runner_on_failed(self, result, ignore_errors=False):
        extra = {"rescued": True} if self._grew("rescued", part(result, "host")) else {}
        self._result("runner_on_failed", result, final=True, ignore_errors=ignore_errors, **extra)

    @guarded
    def v2_runner_on_unreachable(self, result):
        ignored = self._grew("dark", part(result, "host")) is False
        self._result("runner_on_unreachable", result, final=True, ignore_unreachable=ignored)

    v2_runner_on_ok = reports("runner_on_ok", final=True)
    v2_runner_on_skipped = reports("runner_on_skipped", final=True)
    v2_runner_on_async_poll = reports("runner_on_async_poll")
    v2_runner_on_async_ok = reports("runner_on_async_ok")
    v2_runner_on_async_failed = reports("runner_on_async_failed")
    v2_on_file_diff = reports("runner_on_file_diff")
    v2_runner_item_on_ok = reports("runner_item_on_ok")
    v2_runner_item_on_failed = reports("runner_item_on_failed")
    v2_runner_item_on_skipped = reports("runner_item_on_skipped")
    v2_runner_retry = reports("runner_retry")

    # -- warnings and errors

    def _listen_to_display(self):
        """Reports what Display shows, where every way of warning ends on all cores, also for what workers hand over.

        The methods that warn differ from core to core, and what they are given is often not shown: repeated, disabled
        by configuration, or captured into a task's result.
        """
        show, system_warning, send = Display.display, Display.system_warning, FinalQueue.send_display

        @functools.wraps(show)
        def display(shown_by, msg, *args, **kwargs):
            if getattr(self._local, "resolving", False) and not SHOWN.match(msg):
                return None     # at -vv core tells of each redirect it follows, but this search is ours
            if os.getpid() == self.pid and self._is_about_a_secret(msg):
                found = SHOWN.match(msg)
                msg = "[%s]: %s\n" % (found[1] or found[2], CENSORED)
            answer = show(shown_by, msg, *args, **kwargs)
            if os.getpid() == self.pid:
                if self.asks:
                    self.link.flush()       # or whoever answers would not see a prompt that ends a line
                self._shown(msg, *args, **kwargs)
            return answer

        @functools.wraps(system_warning)
        def system(shown_by, *args, **kwargs):
            self._local.warning = True
            try:
                return system_warning(shown_by, *args, **kwargs)
            finally:
                self._local.warning = False

        @functools.wraps(send)
        def send_display(queue, first, *args, **kwargs):
            if not self._conceals:
                return send(queue, first, *args, **kwargs)
            # Up to core 2.14 the message comes first, then it is the method's name.
            named = hasattr(Display, first)
            message = args[0] if named and args else first
            if isinstance(message, str) and first in (message, "display", "debug") and not SHOWN.match(message):
                return None     # what -vvv tells of the connection: commands, their environment, files
            censored = ("[WARNING]: %s" % CENSORED,)
            return send(queue, *(("display",) + censored if named else censored), color=C.COLOR_WARN, stderr=True)

        Display.display, Display.system_warning, FinalQueue.send_display = display, system, send_display

    @staticmethod
    def _is_about_a_secret(msg):
        """Whether a callback shows a problem of a task with no_log: from core 2.19 on that says what the task was given."""
        if not isinstance(msg, str) or not SHOWN.match(msg):
            return False
        frame = sys._getframe()
        while frame is not None:
            result = getattr(frame.f_locals.get("self"), "_current_task_result", None)
            if result is not None:
                return may_hold(part(result, "task").no_log) or bool(part(result, "result").get("_ansible_no_log"))
            frame = frame.f_back
        return False

    @guarded
    def _shown(self, msg, color=None, stderr=False, screen_only=False, log_only=False, *_args, **_kwargs):
        thread = threading.get_ident()
        if not stderr or log_only or thread in self._telling or not isinstance(msg, str):
            return
        found = SHOWN.match(msg)
        if found is None:
            return
        self._telling.add(thread)
        try:
            name = SHOWN_AS[found[1] or found[2]]
            if name == "warning" and getattr(self._local, "warning", False):
                name = "system_warning"
            message = found[3].strip()
            if HARD_WRAPPED:
                message = " ".join(message.split())
            self._event(name, {"message": message, name: True}, self._play or self._playbook,
                        self._play_uuid or self._playbook_uuid)
        finally:
            self._telling.discard(thread)
