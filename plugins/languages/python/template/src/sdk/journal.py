"""The run so far, from its journal.

An event handler and a cancel policy can read events up to those that they were already handed.
"""

from collections.abc import Iterator

from wit_world.imports import journal as host
from wit_world.imports.types import Event, Source

# How many events are asked for at a time; the contract allows no more.
_PAGE = 1024


def before(source: Source, counter: int) -> Iterator[Event]:
    """All events before a counter, in order: what a plugin that was restarted has lost."""
    return _between(source, 1, counter)


def after(source: Source, counter: int) -> Iterator[Event]:
    """All events behind a counter, in order, as far as they can be read."""
    return _between(source, counter + 1, 2**64 - 1)


def _between(source: Source, first: int, end: int) -> Iterator[Event]:
    # Fewer than a page may come, since a page has a limit of bytes too, but none only at the end.
    while first < end and (page := host.read(source, first, _PAGE)):
        for event in page:
            if event.counter >= end:
                return
            yield event
        first = page[-1].counter + 1
