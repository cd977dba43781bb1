"""`ansible_runner`'s Python interface, carried out by the program `playwarden`.

    import playwarden as ansible_runner

The functions, their arguments, the `Runner` and the handlers are those of `ansible_runner`. What is otherwise is said where it is: in the
docstrings of `run` and `Runner`.
"""

from .exceptions import AnsibleRunnerException, CallbackError, ConfigurationError
from .interface import (
    get_ansible_config,
    get_inventory,
    get_plugin_docs,
    get_plugin_docs_async,
    get_plugin_list,
    get_role_argspec,
    get_role_list,
    run,
    run_async,
    run_command,
    run_command_async,
)
from .runner import Runner
from .runner_config import RunnerConfig

__version__ = "0.1.0"

__all__ = [
    "AnsibleRunnerException",
    "CallbackError",
    "ConfigurationError",
    "Runner",
    "RunnerConfig",
    "get_ansible_config",
    "get_inventory",
    "get_plugin_docs",
    "get_plugin_docs_async",
    "get_plugin_list",
    "get_role_argspec",
    "get_role_list",
    "run",
    "run_async",
    "run_command",
    "run_command_async",
]
