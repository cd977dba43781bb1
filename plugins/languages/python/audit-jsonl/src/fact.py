"""One event as one line: who did what, where, to which end."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from wit_world.exports.finished_callback import Finish
from wit_world.imports.types import Event, Marks, Source

from sdk import moment, name

# No text of a line is longer, in bytes.
_TEXT_LIMIT = 1024

_RESULTS = (
    (Marks.RESCUED, "rescued"),
    (Marks.IGNORED, "ignored"),
    (Marks.UNREACHABLE, "unreachable"),
    (Marks.FAILED, "failed"),
    (Marks.SKIPPED, "skipped"),
    (Marks.CHANGED, "changed"),
)

_MARKS = (
    (Marks.HANDLER, "handler"),
    (Marks.CHECK_MODE, "check-mode"),
    (Marks.NO_LOG, "no-log"),
    (Marks.TRUNCATED, "truncated"),
)


@dataclass
class Config:
    include_start: bool = False
    include_skipped: bool = True
    include_args: bool = False
    except_actions: list[str] = field(default_factory=list)


def is_wanted(event: Event, config: Config) -> bool:
    """Whether an event is a fact that this configuration wants."""
    kind = name(event.kind)
    if kind.startswith("runner_") and event.action in config.except_actions:
        return False
    match kind:
        case "runner_on_start":
            return config.include_start
        case "runner_on_skipped" | "runner_item_on_skipped":
            return config.include_skipped
        case "run_started" | "status_changed" | "policy_verdict" | "plugin_fault" | "run_finished":
            return True
        case "callback_failed" | "start_failed" | "runner_retry":
            return True
        case "runner_on_ok" | "runner_on_failed" | "runner_on_unreachable":
            return True
        case "runner_item_on_ok" | "runner_item_on_failed":
            return True
        case _:
            return False


def fact_of(
    source: Source, who: dict[str, Any], event: Event, details: dict[str, Any], config: Config
) -> dict[str, Any]:
    """What an event says. Keys are in the order of the line; None says nothing."""
    res, start = _table(details, "res"), _table(details, "start")
    cause = _table(details, "cause")
    reason = _table(details, "reason") or _table(cause, "reason")
    texts = (
        event.message,
        reason.get("text"),
        cause.get("text"),
        details.get("text"),
        details.get("error"),
        details.get("detail"),
    )
    return {
        "schema": 1,
        "time": moment.rfc3339(event.time_ns),
        "run": source.run,
        "job": source.job,
        **who,
        "counter": event.counter,
        "event": name(event.kind),
        "result": _result(event, details),
        "host": event.host,
        "delegated_to": _delegated_to(res, start),
        "play": event.play,
        "role": event.role,
        "task": event.task,
        "action": event.action,
        "path": details.get("task_path"),
        "item": event.item,
        "item_number": event.item_number,
        "attempt": res.get("attempts"),
        "args": _args(res, start) if config.include_args else None,
        "rc": event.rc,
        "duration_ms": event.duration_ms,
        "marks": [word for mark, word in _MARKS if mark in event.marks] or None,
        "plugin": _first(_table(details, "plugin").get("name"), cause.get("name")),
        "code": _first(reason.get("code"), cause.get("kind")),
        "message": _cut(_first(*texts)),
    }


def fact_of_finish(who: dict[str, Any], finish: Finish) -> dict[str, Any]:
    """The last fact of a run whose `run_finished` was not among the events asked for."""
    reason = finish.reason
    return {
        "schema": 1,
        "time": moment.rfc3339(finish.finished_ns),
        "run": finish.source.run,
        "job": finish.source.job,
        **who,
        "counter": finish.last_event,
        "event": "run_finished",
        "result": name(finish.status),
        "plugin": finish.by,
        "code": _first(reason.code if reason else None, finish.cause),
        "message": _cut(reason.text if reason else None),
    }


def line_of(fact: dict[str, Any]) -> str:
    """Writes the line with its end, the same for the same fact in every language."""
    told = {key: value for key, value in fact.items() if value is not None}
    return _json(told, in_order=False) + "\n"


def _result(event: Event, details: dict[str, Any]) -> str:
    """What came of it, in one word."""
    match name(event.kind):
        case "runner_on_start" | "run_started":
            return "started"
        case "runner_retry":
            return "retried"
        case "status_changed":
            return details.get("to") or "unknown"
        case "run_finished":
            return details.get("status") or "unknown"
        case "policy_verdict" if details.get("verdict") == "cancel":
            return "canceled" if details.get("acted_on") else "would-cancel"
        case "policy_verdict":
            return "warned"
        case "plugin_fault" | "callback_failed" | "start_failed":
            return "failed"
    return next((word for mark, word in _RESULTS if mark in event.marks), "ok")


def _delegated_to(res: dict[str, Any], start: dict[str, Any]) -> str | None:
    # Older versions of Ansible name the host, newer ones its address.
    delegated = _table(res, "_ansible_delegated_vars")
    told = (
        delegated.get("ansible_delegated_host"),
        delegated.get("ansible_host"),
        start.get("delegate_to"),
    )
    return next((host for host in told if isinstance(host, str)), None)


def _args(res: dict[str, Any], start: dict[str, Any]) -> Any:
    invocation = _table(res, "invocation")
    return invocation["module_args"] if "module_args" in invocation else start.get("args")


def _table(of: dict[str, Any], key: str) -> dict[str, Any]:
    """The table at a key; an empty one where a module has put something else."""
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _cut(text: str | None) -> str | None:
    return text and text.encode()[:_TEXT_LIMIT].decode(errors="ignore")


def _json(value: Any, *, in_order: bool = True) -> str:
    """Writes JSON with the keys of tables in order, and numbers as the examples in Rust do."""
    match value:
        case dict():
            pairs = sorted(value.items()) if in_order else value.items()
            return "{" + ",".join(f"{_json(key)}:{_json(each)}" for key, each in pairs) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case int() if not -(2**63) <= value < 2**64:
            return _json(float(value))
        case float() if 1e-5 <= abs(value) < 1e-4:
            return f"{Decimal(repr(value)):f}"
        case float():
            return repr(value).replace("e-0", "e-")
        case _:
            return json.dumps(value, ensure_ascii=False)
