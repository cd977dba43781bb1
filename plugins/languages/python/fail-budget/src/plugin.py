"""Cancels a run when too many hosts failed or could not be reached."""

from budget import Budget, Config
from sdk import Problem, Severity, config, fail, journal
from wit_world import exports
from wit_world.imports.types import Event, Source, Totals, Verdict


class ConfigCheck(exports.ConfigCheck):
    def schema(self) -> str:
        return ""

    def validate(self) -> list[Problem]:
        read, problems = config.check(Config)
        # What was read without the keys that are wrong would only seem to lack a limit.
        return problems or (read.problems() if read else [])


class CancelPolicy(exports.CancelPolicy):
    def __init__(self) -> None:
        # One for each run: one in a job, those of all its jobs in a workflow.
        self.budgets: dict[tuple[str, str], Budget] = {}

    def evaluate(self, source: Source, events: list[Event], totals: Totals) -> Verdict:
        key = (source.run, source.job)
        if key not in self.budgets:
            self.budgets[key] = _restored(source, events[0].counter if events else 0)
        return self.budgets[key].judge(events, totals)


def _restored(source: Source, first: int) -> Budget:
    """A budget that knows what was before: after a restart, what the lost instance had counted."""
    settings = config.read(Config)
    for problem in settings.problems():
        if problem.severity is Severity.ERROR:
            raise fail(f"config{problem.pointer}: {problem.message}")
    budget = Budget(settings)
    for event in journal.before(source, first):
        budget.enter_window_of(event)
        budget.take(event)
    return budget
