"""What several clauses do with a backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress

from backend_contract.conformance.trial import Trial, unchecked, violated
from backend_contract.protocol import Backend

__all__ = [
    "FaultError",
    "ignoring_failures",
    "is_of_the_call",
    "must_start",
    "must_stop",
    "plug_in",
    "require_nothing",
]


class FaultError(ConnectionError):
    """What a start that is to fail fails with: a server, say, that cannot be reached."""


def must_start(trial: Trial, backend: Backend, what: str) -> None:
    """Start it; ``what`` is how a reader knows this call."""
    trial.call(what, backend.start)
    if trial.is_started(backend, f"after {what}") is not True:
        raise violated(f"is_started is {backend.is_started!r} after {what} returned")


def must_stop(trial: Trial, backend: Backend, what: str) -> None:
    """Stop it; ``what`` is how a reader knows this call."""
    trial.call(what, backend.stop)
    if trial.is_started(backend, f"after {what}") is not False:
        raise violated(f"is_started is {backend.is_started!r} after {what} returned")


def plug_in(trial: Trial, backend: Backend, work: Callable[[], None]) -> None:
    """Let ``backend.start()`` call ``work``, by the author's hook. Without one, that is all."""
    if trial.subject.during_start is None:
        raise unchecked("it takes a start() that fails, or is held: give the hook `during_start`")
    trial.hook("during_start", backend, work)


def require_nothing(returned: object, what: str) -> None:
    """That a call has returned ``None``; ``what`` is how a reader knows it."""
    if returned is not None:
        _never_awaited(returned)
        raise violated(f"{what} returned {returned!r}")


def is_of_the_call(error: BaseException) -> bool:
    """Whether it is the call itself that was wrong, and nothing in what was called."""
    traceback = error.__traceback__
    return isinstance(error, TypeError) and traceback is not None and traceback.tb_next is None


def ignoring_failures(trial: Trial, backend: Backend, member: str, *arguments: object) -> None:
    """Call a method of which other clauses speak: that it is there, what it raises and returns."""
    with trial.unless_it_hangs(f"{member}()"), suppress(BaseException):
        _never_awaited(getattr(backend, member)(*arguments))


def _never_awaited(returned: object) -> None:
    """Spare everybody the warning: a clause speaks of it."""
    if inspect.iscoroutine(returned):
        returned.close()
