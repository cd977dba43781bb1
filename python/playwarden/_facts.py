"""The cache of facts, as Ansible's plugin `jsonfile` keeps it.

Until ansible-core 2.18 a host has a file of its name, which is its facts. From 2.19 on the file is `s1_<host>`, and its member
`__payload__` is a text that is JSON again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from ._arguments import Event

_NEW = "s1_"


def read(folder: str, host: str) -> dict[str, Any] | None:
    """Returns the cached facts of a host, of whichever form is newer."""
    for path in sorted(filter(os.path.isfile, _paths(folder, host)), key=os.path.getmtime, reverse=True):
        try:
            with open(path, encoding="utf-8") as file:
                facts = json.load(file)
            if isinstance(facts, dict) and isinstance(facts.get("__payload__"), str):
                facts = _plain(json.loads(facts["__payload__"]))
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict):
            return facts
    return None


def write(folder: str, host: str, facts: dict[str, Any]) -> None:
    """Writes the facts of a host in both forms, since nobody knows yet which Ansible will read them."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    text = json.dumps(facts)
    plain, new = _paths(folder, host)
    for path, content in ((plain, text), (new, json.dumps({"__payload__": text}))):
        descriptor, temporary = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(temporary, path)


def of_events(events: Iterator[Event], host: str) -> dict[str, Any]:
    """Returns what modules found out about a host, where there is no cache. Facts that a play set for itself are not among them, as in
    the cache."""
    found: dict[str, Any] = {}
    for event in events:
        data = event.get("event_data", {})
        if event["event"] not in ("runner_on_ok", "runner_item_on_ok") or data.get("host") != host:
            continue
        facts = (data.get("res") or {}).get("ansible_facts")
        action = str(data.get("resolved_action") or data.get("task_action")).rpartition(".")[2]
        if isinstance(facts, dict) and action not in ("set_fact", "include_vars"):
            found.update(facts)
    return found


def _plain(value: Any) -> Any:
    """Returns a value without what Ansible remembers of where it came from."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        if "__ansible_type" in value:
            for key in ("value", "iso8601"):
                if key in value:
                    return _plain(value[key])
        return {key: _plain(one) for key, one in value.items()}
    return value


def _paths(folder: str, host: str) -> list[str]:
    return [os.path.join(folder, _file_name(prefix + host)) for prefix in ("", _NEW)]


def _file_name(key: str) -> str:
    # What cannot be a file's name is its digest.
    if any(part in key for part in ("/", "..", "<", ">", "|")):
        return hashlib.sha256(key.encode()).hexdigest()[: max(len(key), 12)]
    return key
