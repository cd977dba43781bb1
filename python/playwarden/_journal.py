"""The journal of a run, read while it grows and afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from ._arguments import Event
from ._program import Program

NAME = "events.jsonl"


def events(folder: str, program: Program | None) -> Iterator[Event]:
    """Yields every event of the run in a folder. While the program works on it, the next one is waited for."""
    for line in lines(folder, program):
        yield json.loads(line)


def lines(folder: str, program: Program | None) -> Iterator[bytes]:
    """Yields every whole line of the journal."""
    path = os.path.join(folder, NAME)
    if program is None and not os.path.exists(path):
        return
    taken = 0
    with open(path, "rb") as journal:
        while program is not None:
            with program.changed:
                while taken == program.known and not program.ended:
                    program.changed.wait()
                known, ended = program.known, program.ended
            while taken < known:
                yield journal.readline()
                taken += 1
            if ended:
                break
        # What was written by who closed a run whose host was killed.
        for line in journal:
            if line.endswith(b"\n"):
                yield line
