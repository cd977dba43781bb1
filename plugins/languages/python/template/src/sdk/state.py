"""A small store of bytes of this plugin in this run; it survives a restart of the plugin."""

from wit_world.imports import state as host

from .answer import accepted


def get(key: str) -> bytes | None:
    return host.get(key)


def set(key: str, value: bytes) -> None:
    accepted(host.set, key, value)


def delete(key: str) -> None:
    host.delete(key)
