"""The keyword arguments of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, TypedDict, Union

if TYPE_CHECKING:
    from .runner import Runner

#: An event, as the journal has it.
Event = dict[str, Any]
Path = Union[str, "os.PathLike[str]"]


class Handlers(TypedDict, total=False):
    """What is called in the course of a run; never handed to the program."""

    event_handler: Callable[[Event], Any]
    status_handler: Callable[..., Any]
    cancel_callback: Callable[[], Any]
    finished_callback: Callable[[Runner], Any]
    artifacts_handler: Callable[[str], Any]


class Arguments(TypedDict, total=False):
    """What the program is handed, under the same names and with the same meanings as `ansible_runner`'s."""

    private_data_dir: Path
    ident: str | int
    playbook: str | list[Any] | dict[str, Any]
    module: str
    module_args: str
    host_pattern: str
    role: str
    role_vars: str | dict[str, Any]
    role_skip_facts: bool
    hosts: str
    roles_path: str | list[str]
    inventory: str | dict[str, Any] | list[str]
    envvars: dict[str, Any]
    extravars: str | dict[str, Any]
    passwords: dict[str, str]
    settings: dict[str, Any]
    ssh_key: str
    cmdline: str
    limit: str
    forks: int
    verbosity: int
    tags: str | list[str]
    skip_tags: str | list[str]
    binary: str
    artifact_dir: Path
    project_dir: Path
    rotate_artifacts: int
    host_cwd: Path
    timeout: int
    omit_event_data: bool
    only_failed_event_data: bool
    check_job_event_data: bool
    fact_cache: str
    fact_cache_type: str
    suppress_env_files: bool
    suppress_output_file: bool
    suppress_ansible_output: bool
    quiet: bool
    json_mode: bool
    process_isolation: bool
    process_isolation_executable: str
    process_isolation_path: str
    process_isolation_hide_paths: str | list[str]
    process_isolation_show_paths: str | list[str]
    process_isolation_ro_paths: str | list[str]
    directory_isolation_base_path: str
    container_image: str
    container_volume_mounts: list[str]
    container_options: list[str]
    container_workdir: str
    container_auth_data: dict[str, Any]


class RunArguments(Arguments, Handlers, total=False):
    """Everything that `run` and `run_async` take."""

    ignore_logging: bool
    debug: bool
    logfile: Path


#: Events of the program itself, which `ansible_runner` has not. They are in the journal and in its numbering.
OWN_EVENTS = frozenset(
    (
        "run_started",
        "status_changed",
        "policy_verdict",
        "plugin_fault",
        "callback_failed",
        "start_failed",
        "run_finished",
    )
)

#: Events that keep their data with `only_failed_event_data`.
FAILED_EVENTS = frozenset(
    ("runner_on_failed", "runner_item_on_failed", "runner_on_async_failed", "runner_on_unreachable")
)
