"""Cancels the run when more hosts failed than `max-failed-hosts` allows."""

from dataclasses import dataclass

from sdk import U32, Problem, cancel, config, failed, proceed
from wit_world import exports
from wit_world.imports.types import Event, Source, Totals, Verdict


@dataclass
class Config:
    """The table `config` of runner.toml: `max_failed_hosts` is its key `max-failed-hosts`."""

    max_failed_hosts: U32 = 0


class ConfigCheck(exports.ConfigCheck):
    def schema(self) -> str:
        return ""

    def validate(self) -> list[Problem]:
        return config.problems(Config)


class CancelPolicy(exports.CancelPolicy):
    has_said = False

    def evaluate(self, source: Source, events: list[Event], totals: Totals) -> Verdict:
        run, allowed = totals.run, config.read(Config).max_failed_hosts
        if self.has_said or run.hosts_failed <= allowed:
            return proceed()
        self.has_said = True
        text = f"{run.hosts_failed} of {run.hosts} hosts failed, more than the {allowed} allowed"
        last = next((event for event in reversed(events) if failed(event)), None)
        return cancel(text, code="too-many-failed", event=last)
