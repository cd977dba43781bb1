"""The functions of `ansible_runner`."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from . import _commands
from ._arguments import Handlers
from ._commands import Command
from .exceptions import ConfigurationError
from .runner import Runner
from .runner_config import RunnerConfig

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._arguments import RunArguments

_log = logging.getLogger(__package__)

# A half of a run elsewhere is a command.
_STREAMING = ("streamer", "_input", "_output", "only_transmit_kwargs", "keepalive_seconds")


def run(**kwargs: Unpack[RunArguments]) -> Runner:
    """Runs Ansible and returns the `Runner` when it is over. Takes the keyword arguments of `ansible_runner.run`.

    A run that could not begin raises `ConfigurationError`; one that failed does not raise, see `Runner.status`.

    What is otherwise than with `ansible_runner`:

    - Nothing is written to `env/`; what is given here wins over what lies there.
    - Handlers may be slow and may raise: Ansible does not wait for them, and the run goes on. An exception is logged once and kept in
      `Runner.handler_errors`; only one of `cancel_callback` means something, namely yes.
    - What `event_handler` returns is ignored: the events of a run are its evidence.
    - The last status is told when all files of the run are written, then `artifacts_handler` and `finished_callback` are called.
    - `cancel_callback` is called in a thread of its own, every 0.2 seconds; its first yes is final, and ends the run in order.
    - No signal is touched. Ctrl-C raises `KeyboardInterrupt`, after the run was ended in order; a second one ends it at once.
    - If this process dies, the run is ended.
    """
    runner = _init_runner(kwargs)
    runner.run()
    return runner


def run_async(**kwargs: Unpack[RunArguments]) -> tuple[threading.Thread, Runner]:
    """As `run`, in a thread of its own, which is returned with the `Runner` once the run has begun.

    A run that is refused raises here, not in the thread. Python does not exit before the thread ends; `Runner.cancel` ends it earlier.
    """
    runner = _init_runner(kwargs)
    runner._begin()
    return _started(runner), runner


def run_command(
    executable_cmd: str, cmdline_args: list[str] | None = None, **kwargs: Any
) -> tuple[str, str, int | None]:
    """Runs any program and returns what it printed, what it printed to standard error, and its exit code: 127 where there is no such
    program, 254 after `timeout` and a cancel.

    `input_fd`, `output_fd` and `error_fd` are files or descriptors for the program; what goes there is not returned. Standard error is
    always apart. Takes `private_data_dir` (for `env/envvars`), `envvars`, `host_cwd`, `timeout`, `quiet` and handlers besides.
    """
    command = _commands.command(executable_cmd, cmdline_args, kwargs)
    command.run()
    return command.output(), command.error(), command.rc


def run_command_async(
    executable_cmd: str, cmdline_args: list[str] | None = None, **kwargs: Any
) -> tuple[threading.Thread, Command]:
    """As `run_command`, in a thread of its own. What is returned with it answers as a `Runner` does."""
    command = _commands.command(executable_cmd, cmdline_args, kwargs)
    return _started(command), command


def get_plugin_docs(
    plugin_names: list[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **kwargs: Any,
) -> tuple[Any, str]:
    """Returns the documentation of plugins, as `ansible-doc` gives it, and what it complained about. With `response_format="json"` it is a
    `dict`, else (`"human"`) a text."""
    command = _plugin_docs(plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path, kwargs)
    return command.response(is_json=response_format == "json")


def get_plugin_docs_async(
    plugin_names: list[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **kwargs: Any,
) -> tuple[threading.Thread, Command]:
    """As `get_plugin_docs`, in a thread of its own: the text is in `stdout` of what is returned with it."""
    command = _plugin_docs(plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path, kwargs)
    return _started(command), command


def get_plugin_list(
    list_files: bool | None = None,
    response_format: str | None = None,
    plugin_type: str | None = None,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **kwargs: Any,
) -> tuple[Any, str]:
    """Returns the plugins that Ansible finds, with a line about each or with their files, and what `ansible-doc` complained about."""
    _choice("response_format", response_format, ("json", "human"))
    arguments = ["-F" if list_files else "-l"]
    arguments += ["-j"] if response_format == "json" else []
    arguments += _commands.options(("-t", plugin_type), ("--playbook-dir", playbook_dir), ("-M", module_path))
    return _commands.command("ansible-doc", arguments, kwargs).response(is_json=response_format == "json")


def get_inventory(
    action: str,
    inventories: list[str],
    response_format: str | None = None,
    host: str | None = None,
    playbook_dir: str | None = None,
    vault_ids: str | None = None,
    vault_password_file: str | None = None,
    output_file: str | None = None,
    export: bool | None = None,
    **kwargs: Any,
) -> tuple[Any, str]:
    """Returns an inventory as `ansible-inventory` sees it, and what it complained about. `action` is `graph`, `host` or `list`.

    With `response_format="json"` the answer is a `dict`, else a text; a graph is a text always.
    """
    _choice("action", action, ("graph", "host", "list"))
    _choice("response_format", response_format, ("json", "yaml", "toml"))
    if not isinstance(inventories, list):
        raise ConfigurationError(f"`inventories` is a list, not {type(inventories).__name__}")
    if action == "host" and host is None:
        raise ConfigurationError("the action `host` needs a `host`")
    if action == "graph" and response_format not in (None, "json"):
        raise ConfigurationError(f"a graph cannot be had as {response_format}: leave out `response_format`")
    arguments = [f"--{action}"] + ([str(host)] if action == "host" else [])
    arguments += _commands.options(*(("-i", inventory) for inventory in inventories))
    arguments += [f"--{response_format}"] if response_format in ("yaml", "toml") else []
    arguments += _commands.options(
        ("--playbook-dir", playbook_dir),
        ("--vault-id", vault_ids),
        ("--vault-password-file", vault_password_file),
        ("--output", output_file),
    )
    arguments += ["--export"] if export else []
    is_json = response_format == "json" and action != "graph"
    return _commands.command("ansible-inventory", arguments, kwargs).response(is_json=is_json)


def get_ansible_config(
    action: str, config_file: str | None = None, only_changed: bool | None = None, **kwargs: Any
) -> tuple[str, str]:
    """Returns Ansible's configuration as text, and what `ansible-config` complained about. `action` is `list`, `dump` or `view`."""
    _choice("action", action, ("list", "dump", "view"))
    if only_changed and action != "dump":
        raise ConfigurationError("`only_changed` is for the action `dump`")
    arguments = [action, *_commands.options(("-c", config_file)), *(["--only-changed"] if only_changed else [])]
    response, error = _commands.command("ansible-config", arguments, kwargs).response(is_json=False)
    return str(response), error


def get_role_list(
    collection: str | None = None, playbook_dir: str | None = None, **kwargs: Any
) -> tuple[dict[str, Any], str]:
    """Returns the roles that have an argument specification, and what `ansible-doc` complained about."""
    arguments = ["-t", "role", "-l", "-j", *_commands.options(("--playbook-dir", playbook_dir))]
    arguments += [collection] if collection else []
    return _commands.command("ansible-doc", arguments, kwargs).response(is_json=True)


def get_role_argspec(
    role: str, collection: str | None = None, playbook_dir: str | None = None, **kwargs: Any
) -> tuple[dict[str, Any], str]:
    """Returns the argument specification of a role, and what `ansible-doc` complained about."""
    arguments = ["-t", "role", "-j", *_commands.options(("--playbook-dir", playbook_dir))]
    arguments.append(f"{collection}.{role}" if collection else role)
    return _commands.command("ansible-doc", arguments, kwargs).response(is_json=True)


def _init_runner(kwargs: Any) -> Runner:
    """Makes a `Runner` of the keyword arguments of `run`."""
    arguments: dict[str, Any] = dict(kwargs)
    for name in _STREAMING:
        if arguments.pop(name, None) is not None:
            raise ConfigurationError(f"`{name}` is not offered here: use `playwarden transmit`, `worker` and `process`")
    _configure_logging(arguments)
    handlers = {name: arguments.pop(name, None) for name in Handlers.__annotations__}
    return Runner(RunnerConfig(**arguments), **handlers)


def _configure_logging(arguments: dict[str, Any]) -> None:
    debug, logfile = arguments.pop("debug", None), arguments.pop("logfile", None)
    if arguments.pop("ignore_logging", True):
        return
    if debug is not None:
        _log.setLevel(logging.DEBUG if debug else logging.NOTSET)
    if logfile:
        _log.addHandler(logging.FileHandler(logfile))


def _plugin_docs(
    plugin_names: list[str],
    plugin_type: str | None,
    response_format: str | None,
    snippet: bool,
    playbook_dir: str | None,
    module_path: str | None,
    kwargs: dict[str, Any],
) -> Command:
    _choice("response_format", response_format, ("json", "human"))
    if not isinstance(plugin_names, list):
        raise ConfigurationError(f"`plugin_names` is a list, not {type(plugin_names).__name__}")
    arguments = (["-j"] if response_format == "json" else []) + (["-s"] if snippet else [])
    arguments += _commands.options(("-t", plugin_type), ("--playbook-dir", playbook_dir), ("-M", module_path))
    return _commands.command("ansible-doc", [*arguments, *plugin_names], kwargs)


def _choice(name: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise ConfigurationError(f"`{name}` is `{value}`: choose one of {', '.join(known)}")


def _started(runner: Runner | Command) -> threading.Thread:
    thread = threading.Thread(target=runner.run, name="playwarden-run")
    thread.start()
    return thread
