"""Writes who did what where to which end, a JSON object a line.

What is acknowledged is written, and what is written is not written again.
"""

import json

from wit_world import exports
from wit_world.exports.finished_callback import Finish
from wit_world.exports.lifecycle import Run
from wit_world.imports.types import Event, Source

from fact import Config, fact_of, fact_of_finish, is_wanted, line_of
from sdk import Problem, config, details, journal, output, state


class Trail:
    """The plugin's output `audit.jsonl`. How far it got stands in the state, as 8 bytes."""

    def __init__(self) -> None:
        # Who started the run, and what for, where the host knows it.
        self.who: dict[str, str] = {}

    @property
    def last(self) -> int:
        """Counter of the last line; 0 before the first."""
        return int.from_bytes(state.get("last") or b"", "little")

    def write(self, source: Source, events: list[Event]) -> None:
        """Writes those of the events that are facts and not there yet."""
        settings, last = config.read(Config), self.last
        facts = [
            fact_of(source, self.who, event, details(source, event), settings)
            for event in events
            if event.counter > last and is_wanted(event, settings)
        ]
        self.append(facts)

    def append(self, facts: list[dict]) -> None:
        if facts:
            output.append("audit.jsonl", "".join(line_of(fact) for fact in facts))
            state.set("last", facts[-1]["counter"].to_bytes(8, "little"))


# The hooks share it.
trail = Trail()


class ConfigCheck(exports.ConfigCheck):
    def schema(self) -> str:
        return ""

    def validate(self) -> list[Problem]:
        return config.problems(Config)


class Lifecycle(exports.Lifecycle):
    def start(self, run: Run) -> None:
        told = json.loads(run.data or "{}")
        trail.who = {key: told.get(key) for key in ("user", "reason")}

    def stop(self) -> None:
        pass


class EventHandler(exports.EventHandler):
    def on_events(self, source: Source, events: list[Event]) -> int:
        trail.write(source, events)
        return events[-1].counter if events else 0


class FinishedCallback(exports.FinishedCallback):
    def on_finished(self, finish: Finish) -> None:
        """Writes what no event handler has written: the trail is whole wherever the plugin is named."""
        for event in journal.after(finish.source, trail.last):
            trail.write(finish.source, [event])
        if trail.last < finish.last_event:
            trail.append([fact_of_finish(trail.who, finish)])
