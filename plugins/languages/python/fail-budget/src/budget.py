"""How much failing one run may still do.

Hosts are counted, not results, and a verdict follows from the events of one window alone. So it does not
matter in how many calls the events arrive, and a window never pays for an earlier one.
"""

import math
from dataclasses import dataclass
from typing import Literal

from sdk import U32, Problem, cancel, config, name, proceed
from wit_world.imports.types import Event, Marks, Stop, Totals, Verdict


@dataclass
class Config:
    max_failed_hosts: U32 | None = None
    max_failed_percent: float | None = None
    max_unreachable_hosts: U32 | None = None
    unreachable_counts: bool = True
    ignored_counts: bool = False
    rescued_counts: bool = False
    minimum_hosts: U32 = 1
    # What a host is counted in: a host that failed in one window is a good host in the next.
    window: Literal["run", "play"] = "run"
    stop: Literal["now", "after-running-tasks"] = "now"

    def problems(self) -> list[Problem]:
        """What is wrong with values that are each of the right type."""
        found = []
        percent = self.max_failed_percent
        if percent is None and self.minimum_hosts > 1:
            message = "has no effect without `max-failed-percent`"
            found.append(config.warning("/minimum-hosts", message))
        elif percent is not None and not 0 <= percent <= 100:
            message = f"{_number(percent)} is not within 0 to 100"
            found.append(config.error("/max-failed-percent", message))
        if self.max_failed_hosts is percent is self.max_unreachable_hosts is None:
            needed = "`max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts`"
            found.append(config.error("", f"one of {needed} is needed"))
        return found


class Budget:
    def __init__(self, settings: Config) -> None:
        self.config = settings
        self._begin(play=None)

    def _begin(self, play: str | None) -> None:
        # The play that is the window; None when the run is, or no play has begun.
        self.play = play
        # Hosts in the window, failed or not, as the totals last had it.
        self.hosts = 0
        self.with_result: set[str] = set()
        self.failed: set[str] = set()
        self.unreachable: set[str] = set()
        # The host that was found failed or unreachable last.
        self.last = ""
        # One verdict for a window is enough, also where `mode = "monitor"` lets the run go on.
        self.is_spent = False

    def judge(self, events: list[Event], totals: Totals) -> Verdict:
        """Takes the events of one call; returns the verdict on the first that breaks a rule."""
        present = next((event.play_uuid for event in reversed(events) if event.play_uuid), None)
        verdict = proceed()
        has_spoken = False
        for event in events:
            self.enter_window_of(event)
            # Totals are those after the last event. A list may begin in one play and end in the next,
            # whose totals say nothing about the first. Whatever failed there ended an earlier call, and
            # the totals of that call still hold.
            if self.config.window == "run":
                self.hosts = totals.run.hosts
            elif self.play == present:
                self.hosts = totals.play.hosts
            may_speak = self.take(event) and not self.is_spent and not has_spoken
            if may_speak and (broken := self._broken_rule()):
                text, code = broken
                stop = Stop.NOW if self.config.stop == "now" else Stop.AFTER_RUNNING_TASKS
                verdict = cancel(f"{text}; last: {self.last}", code=code, event=event, stop=stop)
                self.is_spent = has_spoken = True
        return verdict

    def enter_window_of(self, event: Event) -> None:
        if self.config.window == "play" and event.play_uuid and event.play_uuid != self.play:
            self._begin(event.play_uuid)

    def take(self, event: Event) -> bool:
        """Counts the event's host; returns whether the event was a result at all.

        Items of a loop and polls of an `async` task are none: the result of the task follows them.
        """
        if event.host is None:
            return False
        is_ignored = Marks.IGNORED in event.marks and not self.config.ignored_counts
        is_rescued = Marks.RESCUED in event.marks and not self.config.rescued_counts
        counts = not is_ignored and not is_rescued
        match name(event.kind):
            case "runner_on_ok" | "runner_on_skipped":
                failed = unreachable = False
            case "runner_on_failed":
                failed, unreachable = counts, False
            case "runner_on_unreachable":
                failed, unreachable = counts and self.config.unreachable_counts, counts
            case _:
                return False
        self.with_result.add(event.host)
        if failed:
            self.failed.add(event.host)
        if unreachable:
            self.unreachable.add(event.host)
        if failed or unreachable:
            self.last = event.host
        return True

    def _broken_rule(self) -> tuple[str, str] | None:
        """What to say, and the word for it, of the first rule that is broken."""
        settings, of_hosts = self.config, f"of {self.hosts} hosts"
        unreachable, limit = len(self.unreachable), settings.max_unreachable_hosts
        if limit is not None and unreachable > limit:
            text = f"{unreachable} {of_hosts} could not be reached, more than the {limit} allowed"
            return text, "too-many-unreachable"

        failed, limit = len(self.failed), settings.max_failed_hosts
        are_apart = self.failed.isdisjoint(self.unreachable)
        how = "failed" if are_apart else "failed or could not be reached"
        if limit is not None and failed > limit:
            text = f"{failed} {of_hosts} {how}, more than the {limit} allowed"
            return text, "too-many-failed"

        limit = settings.max_failed_percent
        is_sample_large_enough = self.hosts and len(self.with_result) >= settings.minimum_hosts
        if limit is None or not is_sample_large_enough:
            return None
        percent = failed * 100 / self.hosts
        if percent <= limit:
            return None
        # Half of a hundredth is rounded up; `round` would take the even neighbor.
        shown = _number(math.floor(percent * 100 + 0.5) / 100)
        text = f"{failed} {of_hosts} {how} ({shown} %), more than the {_number(limit)} % allowed"
        return text, "too-many-failed"


def _number(value: float) -> str:
    """25 and 33.33, not 25.0."""
    return repr(value).removesuffix(".0")
