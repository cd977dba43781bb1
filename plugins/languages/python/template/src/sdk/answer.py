"""What a hook answers."""

from collections.abc import Callable

from componentize_py_types import Err
from wit_world.imports.types import (
    Event,
    Failure,
    Reason,
    Stop,
    Verdict,
    Verdict_Cancel,
    Verdict_Proceed,
    Verdict_Warn,
)


def proceed() -> Verdict:
    return Verdict_Proceed()


def warn(text: str, *, code: str | None = None, event: Event | None = None) -> Verdict:
    """The verdict that is recorded and shown while the run goes on."""
    return Verdict_Warn(_reason(text, code, event))


def cancel(
    text: str, *, code: str | None = None, event: Event | None = None, stop: Stop = Stop.NOW
) -> Verdict:
    """The verdict that cancels the run, with one sentence for the operator.

    `code` is a stable word for tools, `event` the one that decided. `Stop.AFTER_RUNNING_TASKS` lets
    running tasks end by themselves instead of interrupting them.
    """
    return Verdict_Cancel((_reason(text, code, event), stop))


def fail(message: str, *, retry_after_ms: int | None = None) -> Err[Failure]:
    """What to raise when a call did not work out: `raise fail("the disk is full")`.

    Of a policy it is a fault. Other hooks are called again with the same, if `retry_after_ms` says so.
    """
    return Err(Failure(message, retry_after_ms))


def accepted[**P](call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Makes a call of the host's that may be refused: the refusal, a text, becomes a failure."""
    try:
        call(*args, **kwargs)
    except Err as refusal:
        raise fail(str(refusal.value)) from refusal


def _reason(text: str, code: str | None, event: Event | None) -> Reason:
    return Reason(text, code, event.counter if event else None)
