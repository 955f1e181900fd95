"""Starting and stopping one backend under its lock, with log records, notes and errors."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from backend_contract._compat import add_note, forget_earlier_raises
from backend_contract._lifecycle.attempts import Attempt, Call, call_within, is_async
from backend_contract.errors import BackendStartError, BackendStopError, ContractError, class_name
from backend_contract.protocol import Backend

if TYPE_CHECKING:
    from logging import Logger


class Method:
    """One of the two calls that change whether a backend is started."""

    def __init__(self, name: str, gerund: str, error: type[ContractError]) -> None:
        self.name = name
        self.gerund = gerund
        self.error = error


START = Method("start", "starting", BackendStartError)
STOP = Method("stop", "stopping", BackendStopError)


def call_method(
    backend: Backend,
    method: Method,
    call: Call,
    timeout: float | None,
    attempt: Attempt | None = None,
) -> None:
    """Call *call*, which calls *method* of *backend*, within *timeout* seconds if there is one."""
    attempt = attempt or Attempt()
    if timeout is None:
        call(attempt)
        return
    seconds = seconds_of(timeout)
    require_free_lock(backend, method)
    if not call_within(seconds, call, attempt):
        problem = (
            f"{class_name(type(backend))}.{method.name}() did not end within {seconds:g} seconds, "
            "waiting for the lock included; it goes on in the background"
        )
        _log_failure(problem)
        raise method.error(problem)


def start_if_needed(backend: Backend, attempt: Attempt) -> None:
    """Start *backend* under its lock, unless it is started or *attempt* is given up."""

    def start_unless_started() -> None:
        if attempt.begin() and not is_started(backend):
            start(backend)
            if not attempt.complete():
                stop(backend)

    under_lock(backend, START, start_unless_started)


def stop_if_needed(backend: Backend) -> None:
    """Stop *backend* under its lock, if it is started."""

    def stop_if_started() -> None:
        if is_started(backend):
            stop(backend)

    under_lock(backend, STOP, stop_if_started)


def start(backend: Backend) -> None:
    """Start *backend*, whose lock is held, and which is not started."""
    try:
        _call(backend, START)
    except BaseException as failure:
        # Interrupted, it may have taken something without having set the flag.
        if is_started(backend) or not isinstance(failure, Exception):
            _undo_start(backend, failure)
        raise


def _undo_start(backend: Backend, failure: BaseException) -> None:
    """Stop a backend whose ``start`` raised *failure*."""
    try:
        stop(backend)
    except Exception as second:  # recorded; what `start` raised says more
        add_note(
            failure, f"stop() of the half-started backend then raised {class_name(type(second))}"
        )


def stop(backend: Backend) -> None:
    """Stop *backend*, whose lock is held."""
    _call(backend, STOP)


def _call(backend: Backend, method: Method) -> None:
    """Call *method*. Log its duration or failure, and name the backend in a note on a failure."""
    name = class_name(type(backend))
    began = perf_counter()
    try:
        call: Callable[[], object] = getattr(backend, method.name)
        _require_synchronous(call(), backend, method)
        if is_started(backend) is not (method is START):
            raise _violation(backend, method, "BC302" if method is START else "BC303")
    except BaseException as failure:
        add_note(failure, f"while {method.gerund} {name}")
        forget_earlier_raises()
        took = perf_counter() - began
        _log_failure(f"{method.gerund} {name} failed after {took:.3f} s", exc_info=True)
        raise
    if logger := _logger():
        logger.info("%s %s took %.3f s", method.gerund, name, perf_counter() - began)


def _log_failure(message: str, *, exc_info: bool = False) -> None:
    with suppress(Exception):  # a handler may fail on an odd exception, which has to propagate
        if logger := _logger():
            logger.error("%s", message, exc_info=exc_info)


def _logger() -> Logger | None:
    # If nothing has imported `logging`, there is no handler. An import here could block forever in
    # a child that was forked while another thread imported it.
    logging: Any = sys.modules.get("logging")
    if not hasattr(logging, "NullHandler"):  # not imported, or only in part
        return None
    logger: Logger = logging.getLogger("backend_contract")
    if not logger.handlers:  # keep the handler of last resort from printing
        logger.addHandler(logging.NullHandler())
    return logger


def under_lock(backend: Backend, method: Method, call: Callable[[], None]) -> None:
    """Call *call* while holding the lock. Raises if the lock suppresses its exception."""
    returned = False
    with _lock(backend, method):
        call()
        returned = True
    if not returned:
        raise _contract_error(
            method,
            "BC403",
            f"{class_name(type(backend))}.start_lock() suppressed the exception raised by "
            f"{method.name}(); its `__exit__` must not return a true value",
        )


def _lock(backend: Backend, method: Method) -> AbstractContextManager[object]:
    lock = backend.start_lock()
    if not hasattr(type(lock), "__enter__"):
        is_async(lock)  # closes a coroutine
        raise _contract_error(
            method,
            "BC401",
            f"{class_name(type(backend))}.start_lock() must return a context manager, got "
            f"{class_name(type(lock))}",
        )
    return lock


def _require_synchronous(returned: object, backend: Backend, method: Method) -> None:
    if is_async(returned):
        raise _contract_error(
            method,
            "BC309",
            f"{class_name(type(backend))}.{method.name}() is async, and is never awaited; remove "
            f"`async` from `{method.name}`",
        )


def seconds_of(timeout: float) -> float:
    """Return *timeout*. Raises :class:`ValueError` unless it is a finite number above 0."""
    with suppress(TypeError, OverflowError):  # not a number; too large for a float
        if type(timeout) is not bool and math.isfinite(timeout) and timeout > 0:
            return min(float(timeout), threading.TIMEOUT_MAX)
    raise ValueError(f"timeout must be a finite number of seconds above 0, got {timeout!r}")


def require_free_lock(backend: Backend, method: Method) -> None:
    """Raise the error of *method* if this thread is known to hold the lock."""
    if holds_lock(backend):
        raise lock_is_held(backend, method)


def lock_is_held(backend: Backend, method: Method) -> ContractError:
    """Return the error for a call in another thread while this one holds the lock."""
    return method.error(
        f"this thread holds the start lock of {class_name(type(backend))}, and {method.name}() "
        "runs in another thread; release the lock first"
    )


def holds_lock(backend: Backend) -> bool:
    """Return whether this thread holds the lock; ``False`` if the lock cannot tell."""
    lock: object = backend.start_lock()
    if not isinstance(lock, _RLOCK):
        is_async(lock)  # closes a coroutine
        return False
    try:
        threading.Condition(lock).notify()  # raises unless this thread holds the lock
    except RuntimeError:
        return False
    return True


_RLOCK = type(threading.RLock())


def is_started(backend: Backend) -> bool:
    """Read the flag again: a type checker would assume the value from before ``start``."""
    found: object = backend.is_started
    if found is True:
        return True
    is_async(found)  # closes a coroutine
    return False


def _violation(backend: Backend, method: Method, clause_id: str) -> ContractError:
    from backend_contract.clauses import CLAUSES

    found: object = backend.is_started
    is_async(found)  # closes a coroutine
    fix = "Make it a property." if callable(found) else CLAUSES[clause_id].fix
    return _contract_error(
        method,
        clause_id,
        f"{class_name(type(backend))}.{method.name}() returned, but is_started is {found!r}. {fix}",
    )


def _contract_error(method: Method, clause_id: str, message: str) -> ContractError:
    from backend_contract.clauses import CLAUSES

    return method.error(message, clause=CLAUSES[clause_id])
