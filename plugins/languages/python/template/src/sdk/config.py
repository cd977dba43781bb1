"""The table `config` of runner.toml, as a dataclass of the author's.

    @dataclass
    class Config:
        window: Literal["run", "play"]           # needed, since it has no default
        max_failed_hosts: U32 | None = None      # the key is `max-failed-hosts`
        groups: list[str] = field(default_factory=list)

Fields are bool, int, U32, float, str, a Literal of words, lists of these, each with or without None.
"""

import dataclasses
import json
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from wit_world.exports.config_check import Problem, Severity
from wit_world.imports import config as host

from .answer import fail

U32 = Annotated[int, "u32", range(2**32)]
"""A count: an integer from 0 to 4294967295, as all counts of the contract are."""

_I64 = Annotated[int, "i64", range(-(2**63), 2**63)]


class Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


class _Wrong(Exception):
    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(pointer, message)
        self.pointer, self.message = pointer, message


_been_read: dict[type, Any] = {}


def read[T: Dataclass](cls: type[T]) -> T:
    """Reads the whole configuration; a failure that names the key when it is no `T`.

    Only within hooks: what stands at the top of a module runs when the plugin is built.
    """
    if cls not in _been_read:
        config, problems = check(cls)
        for problem in problems:
            raise fail(f"config{problem.pointer}: {problem.message}")
        _been_read[cls] = config
    return _been_read[cls]


def secret(name: str) -> str | None:
    """A secret granted by name. The host never prints or records it; do not log it either."""
    return host.secret(name)


def problems(cls: type[Dataclass]) -> list[Problem]:
    """All that is wrong with the configuration; rules between keys are the author's."""
    return check(cls)[1]


def check[T: Dataclass](cls: type[T]) -> tuple[T | None, list[Problem]]:
    """Reads what can be read, and says what is wrong with the rest; None when a key is missing."""
    table = json.loads(host.get("") or "{}")
    fields = {field.name.replace("_", "-"): field for field in cls.__dataclass_fields__.values()}
    hints = get_type_hints(cls, include_extras=True)
    found, values = [], {}
    for key in sorted(table):
        if key not in fields:
            found.append(error(_pointer(key), _unknown_key(key, list(fields))))
            continue
        name = fields[key].name
        try:
            values[name] = _value(table[key], hints[name], _pointer(key))
        except _Wrong as wrong:
            found.append(error(wrong.pointer, wrong.message))
    try:
        return cls(**values), found
    except TypeError:
        needed = (key for key, field in fields.items() if _is_needed(field) and key not in table)
        return None, found + [error("", f"missing field `{key}`") for key in needed]


def error(pointer: str, message: str) -> Problem:
    """A problem that keeps the plugin from being used."""
    return Problem(Severity.ERROR, pointer, message)


def warning(pointer: str, message: str) -> Problem:
    """A problem that is shown while the plugin is used all the same."""
    return Problem(Severity.WARNING, pointer, message)


def _value(value: Any, hint: Any, pointer: str) -> Any:
    """Reads a value as what a field's type says. Only here are JSON's types and Python's compared."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (hint,) = (arg for arg in args if arg is not NoneType)
        return _value(value, hint, pointer)
    if origin is list:
        if isinstance(value, list):
            return [_value(each, args[0], f"{pointer}/{i}") for i, each in enumerate(value)]
        raise _Wrong(pointer, f"invalid type: {_said(value)}, expected a sequence")
    if origin is Literal:
        if not isinstance(value, str):
            raise _Wrong(pointer, f"invalid type: {_said(value)}, expected string or map")
        if value not in args:
            words = ", ".join(f"`{word}`" for word in args)
            raise _Wrong(pointer, f"`{value}` is not one of {words}")
        return value
    if origin is Annotated or hint is int:
        _, word, allowed = get_args(_I64 if hint is int else hint)
        if type(value) is not int:
            raise _Wrong(pointer, f"invalid type: {_said(value)}, expected {word}")
        if value not in allowed:
            raise _Wrong(pointer, f"invalid value: {_said(value)}, expected {word}")
        return value
    if hint is float and type(value) in (int, float):
        return float(value)
    # By `type`, not `isinstance`: to Python a bool is an int too.
    if type(value) is not hint:
        word = {bool: "a boolean", str: "a string", float: "f64"}[hint]
        raise _Wrong(pointer, f"invalid type: {_said(value)}, expected {word}")
    return value


def _said(value: Any) -> str:
    match value:
        case bool():
            return f"boolean `{json.dumps(value)}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f"string {json.dumps(value, ensure_ascii=False)}"
        case list():
            return "sequence"
        case _:
            return "map"


def _is_needed(field: dataclasses.Field) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _unknown_key(key: str, known: list[str]) -> str:
    wrong, word = min(((_distance(key, word), word) for word in known), default=(len(key), ""))
    # A third of the letters wrong is no slip of the pen any more.
    if known and wrong * 3 <= max(len(key), 3):
        return f"unknown key; did you mean `{word}`?"
    return f"unknown key; there are {', '.join(known)}"


def _distance(a: str, b: str) -> int:
    """How many letters must be changed, put in or left out to make one word of the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(diagonal + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]
