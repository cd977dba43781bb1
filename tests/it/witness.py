"""Writes a line for each call of a callback method, beside the run and without anything of Playwarden's."""
import json
import os
import threading

from ansible.plugins.callback import CallbackBase

LOG = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
MAIN = threading.get_ident()
PROCESS = os.getpid()


def part(thing, name):
    return getattr(thing, name, None) or getattr(thing, "_" + name, None)


def write(method, first, second):
    if os.getpid() != PROCESS:
        return
    host = task = message = None
    if method.startswith("v2_runner_on_start"):
        host, task = first, second
    elif method.startswith(("v2_runner", "v2_on_file")):
        host, task = part(first, "host"), part(first, "task")
        message = (part(first, "result") or {}).get("msg")
    elif method.endswith("task_start"):
        task = first
    line = {"method": method, "main": threading.get_ident() == MAIN, "host": host and host.name,
            "task": task and task._uuid, "msg": message if isinstance(message, str) else None}
    os.write(LOG, (json.dumps(line) + "\n").encode())


def method(name):
    def called(self, first=None, second=None, *_args, **_kwargs):
        write(name, first, second)
    return called


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "witness"
    CALLBACK_NEEDS_ENABLED = False
    locals().update((name, method(name)) for name in dir(CallbackBase) if name.startswith("v2_") and name != "v2_on_any")

    def v2_playbook_on_start(self, playbook):       # core looks at the names of its arguments
        write("v2_playbook_on_start", None, None)
