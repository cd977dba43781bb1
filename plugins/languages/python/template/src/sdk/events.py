"""Reading events: the questions that plugins ask most."""

import functools
import json
import re
from typing import Any

from wit_world.imports import journal
from wit_world.imports.types import Event, EventKind, Marks, Source, Status

from . import log


def failed(event: Event) -> bool:
    """Whether a task failed on a host and that was neither ignored nor rescued.

    Failed items of a loop and polls of an `async` task are not meant: the result of the task itself follows.
    """
    forgiven = event.marks & (Marks.IGNORED | Marks.RESCUED)
    return name(event.kind) == "runner_on_failed" and not forgiven


def action_is_unknown(start: Any) -> bool:
    """Whether the action of a start is a template that nobody has filled in yet, so that it may be any module.

    A rule that must not be evaded refuses it.
    """
    return any(mark in start.action for mark in ("{{", "{%", "{#"))


def name(case: EventKind | Status) -> str:
    """The word of the journal for a kind or a status: `runner_on_ok`, `canceled`."""
    # Only `other` has a value: a word that this version of the contract does not know.
    return getattr(case, "value", None) or _name(type(case))


def data(source: Source, event: Event, pointer: str = "") -> Any:
    """Reads `event_data` at a pointer, such as `/res/msg`; None when there is nothing.

    Works whatever `payload` says in runner.toml.
    """
    found = journal.data(source, event.counter, pointer)
    return None if found is None else json.loads(found)


def details(source: Source, event: Event) -> dict[str, Any]:
    """Reads all of `event_data`; for the payload "full", which event handlers have.

    Empty for a result whose data did not come with it: it is larger than 1 MiB, and asking for all of
    it could break the memory limit.
    """
    text = event.data
    if text is None and not name(event.kind).startswith("runner_"):
        text = journal.data(source, event.counter, "")
    try:
        return json.loads(text or "{}")
    except ValueError as wrong:
        log.warn(f"data of event {event.counter} cannot be read: {wrong}")
        return {}


@functools.cache
def _name(case: type) -> str:
    camel = case.__name__.partition("_")[2]
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()
