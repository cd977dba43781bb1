"""What plugins need besides the contract. It is yours: change what does not fit.

    verdicts, failures  proceed(), warn(…), cancel(…), fail(…)
    config              the table `config` of runner.toml, as a dataclass
    events              failed(event), name(event.kind), data(…), details(…), action_is_unknown(start)
    journal             the run so far: before(…), after(…)
    log                 lines for the operator
    output, state       files of the run, and a small store that survives a restart
    moment              times as text

The generated modules are at hand too: `wit_world.imports.journal.tally_of_host(…)` and all the others.
"""

from wit_world.exports.config_check import Problem, Severity

from . import config, journal, log, moment, output, state
from .answer import cancel, fail, proceed, warn
from .config import U32
from .events import action_is_unknown, data, details, failed, name

__all__ = [
    "U32", "Problem", "Severity", "cancel", "config", "data", "details", "fail", "failed",
    "journal", "log", "moment", "name", "output", "proceed", "state", "warn",
]  # fmt: skip
