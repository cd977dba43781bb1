"""Files of this plugin in the run's folder, and values for the jobs that follow."""

import json
from typing import Any

from wit_world.imports import output as host

from .answer import accepted


def append(name: str, text: str | bytes) -> None:
    accepted(host.append, name, text.encode() if isinstance(text, str) else text)


def append_line(name: str, line: str) -> None:
    """Adds a line and its end."""
    accepted(host.append_line, name, line)


def publish(name: str, value: Any) -> None:
    """Names an output of the job. The last value wins."""
    accepted(host.publish, name, json.dumps(value))
