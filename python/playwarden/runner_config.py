"""What a run is asked for, and where its files are."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Mapping
from typing import Any

from ._arguments import Arguments
from .exceptions import ConfigurationError, MissingFolder

# Everything else is `None` until it is named.
_DEFAULTS: dict[str, Any] = {
    "container_image": "",
    "directory_isolation_base_path": None,
    "fact_cache": "fact_cache",
    "fact_cache_type": "jsonfile",
    "process_isolation_executable": "podman",
    "rotate_artifacts": 0,
    **dict.fromkeys(
        (
            "check_job_event_data",
            "json_mode",
            "omit_event_data",
            "only_failed_event_data",
            "process_isolation",
            "quiet",
            "role_skip_facts",
            "suppress_ansible_output",
            "suppress_env_files",
            "suppress_output_file",
        ),
        False,
    ),
}

# Those that mean something else as attributes: there they are full paths, as in `ansible_runner`.
_PLACES = ("private_data_dir", "ident", "artifact_dir", "fact_cache")


class RunnerConfig:
    """What a run is asked for. Every keyword argument of `run` is an attribute too, and may be set until the run begins.

    `artifact_dir` is the folder of this run, `fact_cache` its cache of facts, both full paths. `command`, `cwd` and `env` say how Ansible was
    started, once it was: `env` has what was added to the environment, never what is secret.
    """

    private_data_dir: str
    ident: str
    artifact_dir: str
    fact_cache: str

    def __init__(self, private_data_dir: Any = None, **kwargs: Any) -> None:
        if private_data_dir is None:
            # As in `ansible_runner` it stays: it has the only record of the run.
            private_data_dir = tempfile.mkdtemp(prefix=".playwarden-")
        self.private_data_dir = os.path.abspath(os.fspath(private_data_dir))
        if not os.path.isdir(self.private_data_dir):
            raise MissingFolder(f"there is no folder `{self.private_data_dir}`: `private_data_dir` must exist")
        ident = kwargs.get("ident")
        self.ident = str(uuid.uuid4()) if ident is None else str(ident)
        if self.ident in ("", ".", "..") or "/" in self.ident:
            raise ConfigurationError(f"`{self.ident}` is no name of a folder: choose another `ident`")
        self._artifacts = os.path.abspath(
            kwargs.get("artifact_dir") or os.path.join(self.private_data_dir, "artifacts")
        )
        self.artifact_dir = os.path.join(self._artifacts, self.ident)
        self._fact_cache = kwargs.get("fact_cache") or _DEFAULTS["fact_cache"]
        self.fact_cache = os.path.join(self.artifact_dir, self._fact_cache)
        self._named = set(kwargs)
        # The program refuses what it does not know, by name.
        for name in [*Arguments.__annotations__, *kwargs]:
            if name not in _PLACES:
                setattr(self, name, kwargs.get(name, _DEFAULTS.get(name)))
        settings = kwargs.get("settings") or {}
        self.job_timeout = kwargs.get("timeout") or settings.get("job_timeout")
        self.idle_timeout = settings.get("idle_timeout")
        self._command: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        # Only for what is not there: the attributes are made in a loop, which no type checker follows.
        raise AttributeError(f"{type(self).__name__} has no attribute `{name}`")

    def prepare(self) -> None:
        """There is nothing to do: everything is checked by the program, when the run begins."""

    @property
    def command(self) -> list[str]:
        """The command line of Ansible; empty before it was started."""
        return list(self._started().get("command", []))

    @property
    def env(self) -> dict[str, str]:
        """What was added to the environment for Ansible; empty before it was started."""
        return dict(self._started().get("env", {}))

    @property
    def cwd(self) -> str:
        """The folder in which Ansible was started, or is going to be."""
        known = self._started().get("cwd")
        project = self.project_dir or os.path.join(self.private_data_dir, "project")
        return str(known or self.host_cwd or (project if os.path.isdir(project) else self.private_data_dir))

    @property
    def extra_vars(self) -> Any:
        return self.extravars

    @property
    def cmdline_args(self) -> str | None:
        value: str | None = self.cmdline
        return value

    @property
    def ssh_key_data(self) -> str | None:
        value: str | None = self.ssh_key
        return value

    def _started(self) -> dict[str, Any]:
        if not self._command:
            try:
                with open(os.path.join(self.artifact_dir, "command"), encoding="utf-8") as file:
                    self._command = json.load(file)
            except (OSError, ValueError):
                return {}
        return self._command

    def _document(self) -> str:
        """What the program is handed: JSON, on one line."""
        document: dict[str, Any] = {"ident": self.ident}
        if "artifact_dir" in self._named:
            document["artifact_dir"] = self._artifacts
        if "fact_cache" in self._named:
            document["fact_cache"] = self._fact_cache
        for name in dict.fromkeys([*Arguments.__annotations__, *sorted(self._named)]):
            value = None if name in _PLACES else getattr(self, name)
            if value is not None and (name in self._named or value != _DEFAULTS.get(name)):
                document[name] = value
        texts = []
        for name, value in document.items():
            try:
                texts.append(f"{json.dumps(name)}:{json.dumps(value, default=_plain, allow_nan=False)}")
            except (TypeError, ValueError, RecursionError) as error:
                raise ConfigurationError(f"`{name}` has a value that JSON has not: {error}") from error
        return "{" + ",".join(texts) + "}\n"


def _plain(value: Any) -> Any:
    """What JSON has instead of some types of Python."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
