"""Starting and stopping the backends that a runtime holds.

All functions accept any backend, rely only on the contract, and may be called from any thread. They
are coordinated by the backend's own ``start_lock``, so several runtimes, or a module that starts
its backend itself, can share one backend without knowing of each other.

*While holding the lock.* With a :class:`~backend_contract.BackendBase`, whose lock is re-entrant,
every function here may be called while holding ``start_lock()``. With other backends that is an
error that cannot be detected: if the lock is not re-entrant, the call deadlocks.

*At interpreter exit.* Nothing is stopped automatically. The ``with`` block of :func:`running` stops
its backends even if ``sys.exit`` or Ctrl-C ends it; ``atexit.register(ensure_stopped, backend)``
works too, and waits for a ``start`` that is under way in another thread. A signal without a
handler, such as ``SIGTERM`` by default, ends the process and stops nothing.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TypeVar

from backend_contract._compat import add_note, exception_group
from backend_contract.errors import BackendStartError, ContractError, class_name
from backend_contract.protocol import Backend

__all__ = ["ensure_started", "ensure_stopped", "running", "running_async"]

BackendT = TypeVar("BackendT", bound=Backend)


def ensure_started(backend: BackendT) -> BackendT:
    """Start *backend* if it is not started, and return it.

    Thread-safe: concurrent callers trigger a single ``start()`` and block until it returns, under
    the backend's ``start_lock``. If the backend is already started, the lock is not acquired
    (clause BC405 makes that safe).

    An exception of ``start`` propagates unchanged; the lock is then free, and a later call retries.
    Raises :class:`BackendStartError`, with the clause, if ``start`` returns and ``is_started`` is
    not ``True`` (BC302), if ``start`` is ``async`` (BC309), or if ``start_lock`` suppresses its
    exception (BC403).
    """
    if backend.is_started is not True:
        returned = False
        with backend.start_lock():
            _start(backend)
            returned = True
        if not returned:
            raise _suppressed(backend)
    return backend


def ensure_stopped(backend: Backend) -> None:
    """Stop *backend* if it is started.

    Thread-safe: always acquires the backend's ``start_lock``, so it waits for a ``start`` that is
    under way and then stops the backend. Concurrent callers trigger a single ``stop()``.

    An exception of ``stop`` propagates unchanged; the lock is then free, and a later call retries.
    Raises :class:`ContractError`, with clause BC303, if ``stop`` returns and ``is_started`` is
    ``True``.
    """
    with backend.start_lock():
        if _is_started(backend):
            backend.stop()
            if _is_started(backend):
                raise _violation(ContractError, backend, "stop", "BC303")


@contextmanager
def running(*backends: BackendT) -> Generator[tuple[BackendT, ...], None, None]:
    """Start *backends* in order, yield them as a tuple, and stop them in reverse order.

    Only the backends that this call started are stopped; one that was already started stays
    started. They are stopped however the body ends, and if a later backend fails to start. Each is
    started and stopped as by :func:`ensure_started` and :func:`ensure_stopped`.

    An exception of ``start`` or of the body propagates unchanged. If a ``stop`` raises, the other
    backends are still stopped; the exception then propagates unchanged, or several as an
    ``ExceptionGroup`` (below Python 3.11 that of the ``exceptiongroup`` backport), each with a note
    that names its backend. If both happen, the exception of ``stop`` propagates and has that of
    ``start`` or of the body as its ``__context__``, as with ``finally`` and
    :class:`contextlib.ExitStack`.
    """
    run = _Run()
    try:
        for backend in backends:
            run.start(backend)
        yield backends
    finally:
        run.stop()


def running_async(
    *backends: BackendT,
) -> AbstractAsyncContextManager[tuple[BackendT, ...]]:
    """Do the same as :func:`running` for ``async with``, on asyncio and trio.

    ``start`` and ``stop`` run in a thread that is not one of those that handle requests, so a
    server whose threads all hang can still stop its backends. Requires anyio (extra ``async``);
    without it the call raises :class:`ModuleNotFoundError`.

    Cancellation leaks no backend: a ``start`` that is under way completes and is undone, later
    backends are not started, and stopping is shielded. (A task that asyncio cancels a second time
    leaves at once; the thread finishes stopping.)
    """
    try:
        import anyio.to_thread
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "running_async needs anyio: pip install 'backend-contract[async]'", name=error.name
        ) from error

    @asynccontextmanager
    async def context() -> AsyncGenerator[tuple[BackendT, ...], None]:
        run = _Run()
        try:
            for backend in backends:
                limiter = anyio.CapacityLimiter(1)  # a separate one never waits for requests
                await anyio.to_thread.run_sync(run.start, backend, limiter=limiter)
            yield backends
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(run.stop, limiter=anyio.CapacityLimiter(1))

    return context()


class _Run:
    """The backends that one ``running`` started and has to stop.

    ``start`` and ``stop`` may overlap: the task that requested a start may be cancelled before that
    start has ended, or has even begun.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._over = False
        self._started: list[Backend] = []

    def start(self, backend: Backend) -> None:
        with self._turn:
            if self._over or _is_started(backend):
                return
            returned = False
            with backend.start_lock():
                if _start(backend):
                    self._started.append(backend)
                returned = True
            if not returned:
                raise _suppressed(backend)

    def stop(self) -> None:
        with self._turn:
            self._over = True
        failures: list[BaseException] = []
        for backend in reversed(self._started):
            try:
                ensure_stopped(backend)
            except BaseException as failure:
                add_note(failure, f"while stopping {class_name(type(backend))}")
                failures.append(failure)
        if failures:
            raise _one_or_group(failures)


def _one_or_group(failures: Sequence[BaseException]) -> BaseException:
    if len(failures) == 1:
        return failures[0]
    return exception_group(f"{len(failures)} backends failed to stop", failures)


def _start(backend: Backend) -> bool:
    """Start *backend*, whose lock is held; return whether this call started it."""
    if _is_started(backend):
        return False
    start: Callable[[], object] = backend.start
    returned = start()
    if hasattr(returned, "__await__"):
        getattr(returned, "close", lambda: None)()  # avoids the "never awaited" warning
        raise _violation(BackendStartError, backend, "start", "BC309")
    if not _is_started(backend):
        raise _violation(BackendStartError, backend, "start", "BC302")
    return True


def _is_started(backend: Backend) -> bool:
    """Read the flag again: a type checker would assume the value from before ``start``."""
    return backend.is_started is True


def _suppressed(backend: Backend) -> ContractError:
    from backend_contract.clauses import CLAUSES

    return BackendStartError(
        f"{class_name(type(backend))}.start_lock() suppressed the exception raised by start(); its "
        "`__exit__` must not return a true value",
        clause=CLAUSES["BC403"],
    )


def _violation(
    error: type[ContractError], backend: Backend, method: str, clause_id: str
) -> ContractError:
    from backend_contract.clauses import CLAUSES

    clause = CLAUSES[clause_id]
    return error(
        f"{class_name(type(backend))}.{method}() returned, but is_started is "
        f"{backend.is_started!r}. {clause.fix}",
        clause=clause,
    )
