"""How handlers are called: whatever they do, the run goes on."""

from __future__ import annotations

import logging
import traceback
from typing import Any, Callable

from .exceptions import CallbackError

_log = logging.getLogger(__name__)

#: How long after a call of `cancel_callback` the next one comes, in seconds.
POLL = 0.2


class HandlerCalls:
    """Calls handlers and remembers which of them raised."""

    def __init__(self) -> None:
        self.handler_errors: list[CallbackError] = []

    def _call(self, name: str, handler: Callable[..., Any] | None, *args: Any, **kwargs: Any) -> None:
        """Calls a handler, which may return what it wants."""
        if handler:
            try:
                handler(*args, **kwargs)
            except Exception as error:
                self._blame(name, error)

    def _is_wanted(self, cancel_callback: Callable[[], Any]) -> bool:
        """Asks whether the run shall end; an exception says yes."""
        try:
            return bool(cancel_callback())
        except BaseException as error:
            self._blame("cancel_callback", error)
            return True

    def _blame(self, name: str, error: BaseException) -> None:
        for known in self.handler_errors:
            if known.handler == name:
                known.times += 1
                return
        # Its frames would keep alive whatever the handler had at hand.
        traceback.clear_frames(error.__traceback__)
        self.handler_errors.append(CallbackError(name, error))
        _log.error("%s raised; the run goes on, and it will not be said again", name, exc_info=error)
