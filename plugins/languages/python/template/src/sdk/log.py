"""Lines for the operator, kept with the run: `log.info("half done", hosts=12)`.

`print` reaches the operator too, but without a level.
"""

from wit_world.imports import log as host
from wit_world.imports.log import Level


def enabled(level: Level) -> bool:
    """Whether a line of this level would be kept."""
    return host.enabled(level)


def debug(message: str, **fields: object) -> None:
    _line(Level.DEBUG, message, fields)


def info(message: str, **fields: object) -> None:
    _line(Level.INFO, message, fields)


def warn(message: str, **fields: object) -> None:
    _line(Level.WARN, message, fields)


def error(message: str, **fields: object) -> None:
    _line(Level.ERROR, message, fields)


def _line(level: Level, message: str, fields: dict[str, object]) -> None:
    if host.enabled(level):
        host.log(level, message, [(key, str(value)) for key, value in fields.items()])
