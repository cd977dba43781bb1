"""Lines for the operator, kept with the run: `log.info("half done", hosts=12)`.

`print` reaches the operator too, but without a level.
"""

from wit_world.imports.log import Level
from wit_world.imports.log import enabled as enabled
from wit_world.imports.log import log as _log


def debug(message: str, **fields: object) -> None:
    _line(Level.DEBUG, message, fields)


def info(message: str, **fields: object) -> None:
    _line(Level.INFO, message, fields)


def warn(message: str, **fields: object) -> None:
    _line(Level.WARN, message, fields)


def error(message: str, **fields: object) -> None:
    _line(Level.ERROR, message, fields)


def _line(level: Level, message: str, fields: dict[str, object]) -> None:
    if enabled(level):
        _log(level, message, [(key, str(value)) for key, value in fields.items()])
