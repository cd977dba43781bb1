"""What is raised, under `ansible_runner`'s names."""

from __future__ import annotations


class AnsibleRunnerException(Exception):
    """The root of what this package raises. A run that failed is no exception: see `Runner.status`."""


class ConfigurationError(AnsibleRunnerException):
    """A run could not begin as it was asked for. The message is the program's own, with its remedy."""


class MissingFolder(ConfigurationError, ValueError):
    """There is no such `private_data_dir`, for which `ansible_runner` raises `ValueError`."""


class CallbackError(AnsibleRunnerException):
    """A handler raised. Never raised by a run: it stands in `Runner.handler_errors`, with the exception as its cause."""

    def __init__(self, handler: str, error: BaseException) -> None:
        super().__init__(f"{handler} raised {type(error).__name__}: {error}")
        self.__cause__ = error
        #: Which one: `event_handler`, `status_handler`, `cancel_callback` and so on.
        self.handler = handler
        #: How often it raised in this run; the exception is the first one's.
        self.times = 1
