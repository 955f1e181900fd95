"""Starting and stopping the backends that a runtime holds.

All functions accept any backend, rely only on the contract, and may be called from any thread. They
are coordinated by the backend's own ``start_lock``, so several runtimes, or a module that starts
its backend itself, can share one backend without knowing of each other.

*Deadlines.* With a *timeout*, in seconds, each ``start`` and each ``stop`` runs in a daemon thread.
The time includes waiting for the lock. If a call does not end in time,
:class:`~backend_contract.BackendStartError` or :class:`~backend_contract.BackendStopError` is
raised. The call itself cannot be interrupted: a late start is stopped when it ends, and a late stop
goes on. Ctrl-C during a start propagates when the start has ended and is undone, or the time is
over.

*While holding the lock.* With a :class:`~backend_contract.BackendBase`, whose lock is re-entrant,
every function here may be called while holding ``start_lock()``, except :func:`running_async` and
calls with a *timeout*: they use other threads, and raise. With other backends calling while holding
the lock is an error that cannot be detected: the call blocks until the lock is released.

*Logging.* Each start and stop, with its duration, is a record of the logger ``backend_contract`` of
level INFO, and each failure one of level ERROR.

*At interpreter exit.* Nothing is stopped automatically. The ``with`` block of :func:`running` stops
its backends even if ``sys.exit`` or Ctrl-C ends it; ``atexit.register(ensure_stopped, backend)``
works too, and waits for a ``start`` that is under way in another thread. A signal without a
handler, such as ``SIGTERM`` by default, ends the process and stops nothing.

*After a fork.* A ``with`` block that the parent process entered stops nothing in the child.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import TypeVar

from backend_contract._lifecycle.attempts import is_async
from backend_contract._lifecycle.running import Running, RunningAsync
from backend_contract._lifecycle.transitions import (
    START,
    STOP,
    call_method,
    start_if_needed,
    stop_if_needed,
)
from backend_contract.protocol import Backend

__all__ = ["ensure_started", "ensure_stopped", "running", "running_async"]

BackendT = TypeVar("BackendT", bound=Backend)


def ensure_started(backend: BackendT, timeout: float | None = None) -> BackendT:
    """Start *backend* if it is not started, and return it.

    Thread-safe: concurrent callers trigger a single ``start()`` and block until it returns, under
    the backend's ``start_lock``. If the backend is already started, the lock is not acquired
    (clause BC405 makes that safe).

    An exception of ``start`` propagates, with a note that names the backend; the lock is then free,
    and a later call retries. If ``start`` raises after setting the flag, the backend is stopped.
    Raises :class:`BackendStartError` if ``start`` does not end within *timeout* seconds, and, with
    the clause, if it returns and ``is_started`` is not ``True`` (BC302), if it is ``async``
    (BC309), or if ``start_lock`` returns no context manager (BC401) or suppresses its exception
    (BC403). Raises :class:`ValueError` if *timeout* is not a finite number above 0.
    """
    found: object = backend.is_started
    if found is not True:
        is_async(found)  # closes a coroutine
        call_method(backend, START, partial(start_if_needed, backend), timeout)
    return backend


def ensure_stopped(backend: Backend, timeout: float | None = None) -> None:
    """Stop *backend* if it is started.

    Thread-safe: always acquires the backend's ``start_lock``, so it waits for a ``start`` that is
    under way and then stops the backend. Concurrent callers trigger a single ``stop()``.

    An exception of ``stop`` propagates, with a note that names the backend; the lock is then free,
    and a later call retries. Raises :class:`BackendStopError` if ``stop`` does not end within
    *timeout* seconds, and, with the clause, if it returns and ``is_started`` is ``True`` (BC303),
    if it is ``async`` (BC309), or if ``start_lock`` returns no context manager (BC401) or
    suppresses its exception (BC403). Raises :class:`ValueError` if *timeout* is not a finite number
    above 0.
    """
    call_method(backend, STOP, lambda _: stop_if_needed(backend), timeout)


def running(
    *backends: BackendT, timeout: float | None = None
) -> AbstractContextManager[tuple[BackendT, ...]]:
    """Start *backends* in order, yield them as a tuple, and stop them in reverse order.

    A backend that was already started stays started, unless another ``running`` started it: those
    share it, and the last one to leave stops it. Backends are stopped however the body ends, if a
    later backend fails to start, and if Ctrl-C arrives while they are started; ``stop`` is then
    called on every backend whose ``start`` was called. If Ctrl-C arrives while they are stopped,
    the others are still stopped. Each start and each stop may take *timeout* seconds, as with
    :func:`ensure_started` and :func:`ensure_stopped`, whose errors are raised.

    An exception of ``start`` or of the body propagates unchanged. If a ``stop`` raises, the other
    backends are still stopped; the exception then propagates, or several as an ``ExceptionGroup``
    (below Python 3.11 that of the ``exceptiongroup`` backport), each with a note that names its
    backend. If both happen, the exception of ``stop`` propagates and has that of ``start`` or of
    the body as its ``__context__``, as with ``finally`` and :class:`contextlib.ExitStack`.
    """
    return Running(backends, timeout)


def running_async(
    *backends: BackendT, timeout: float | None = None
) -> AbstractAsyncContextManager[tuple[BackendT, ...]]:
    """Do the same as :func:`running` for ``async with``, on asyncio and trio.

    ``start`` and ``stop`` run in threads of their own, so a server whose threads all hang can still
    stop its backends. Requires anyio (extra ``async``); without it the call raises
    :class:`ModuleNotFoundError`.

    However the task is cancelled, no backend that this call started is started once the block has
    been left: a ``start`` that is under way completes and is undone, later backends are not
    started, and stopping completes, before the cancellation propagates.

    Raises :class:`BackendStartError` if this thread holds the lock of a backend on entering.
    Leaving while this thread holds one blocks the event loop until the backends are stopped, and
    then raises :class:`BackendStopError`.
    """
    try:
        import anyio as _  # noqa: F401 - the error is raised here, not on entering
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "running_async needs anyio: pip install 'backend-contract[async]'", name=error.name
        ) from error
    return RunningAsync(backends, timeout)
