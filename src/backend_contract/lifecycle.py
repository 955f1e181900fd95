"""Starting and stopping the backends that a runtime holds.

Everything here takes any backend, needs nothing of it but the contract, and may be called from any
thread. What decides is the backend's own ``start_lock``, so several runtimes, or a module that
starts its backend by itself, agree on one backend without knowing of each other.

*While holding the lock.* With a :class:`~backend_contract.base.BackendBase`, whose lock is
re-entrant, every function here may be called while holding ``start_lock()``. With another backend
that is an error which cannot be detected: where its lock is not re-entrant the call never returns.

*At the end of the interpreter.* Nothing is stopped by itself. The end of the ``with`` block of
:func:`running` stops its backends also where ``sys.exit`` or Ctrl-C ends it;
``atexit.register(ensure_stopped, backend)`` works too, and waits for a ``start`` that is under way
in another thread. A signal without a handler, such as ``SIGTERM`` as Python leaves it, ends the
process and stops nothing.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TypeVar

from backend_contract._exceptions import add_note, grouped
from backend_contract._names import class_name
from backend_contract.errors import BackendStartError, ContractError
from backend_contract.protocol import Backend

__all__ = ["ensure_started", "ensure_stopped", "running", "running_async"]

BackendType = TypeVar("BackendType", bound=Backend)


def ensure_started(backend: BackendType) -> BackendType:
    """Start ``backend`` unless it is started, and return it.

    However many threads ask, ``start`` is called once; the others wait for it, under the backend's
    ``start_lock``. Where it is started already no lock is taken (clause BC405 makes that safe).

    Raises what ``start`` raises, as it is; the lock is free then, and a later call tries again. A
    ``start`` that returns while ``is_started`` is not ``True`` is a :class:`BackendStartError`
    with clause BC302.
    """
    if backend.is_started is not True:
        returned = False
        with backend.start_lock():
            _start(backend)
            returned = True
        if not returned:
            raise _swallowed(backend)
    return backend


def ensure_stopped(backend: Backend) -> None:
    """Stop ``backend`` if it is started.

    Always takes the backend's ``start_lock``: while a ``start`` is under way it waits for its end
    and then stops what was started, and of several threads one calls ``stop``.

    Raises what ``stop`` raises, as it is; the lock is free then, and a later call tries again. A
    ``stop`` that returns while ``is_started`` is ``True`` is a :class:`ContractError` with
    clause BC303.
    """
    with backend.start_lock():
        if _is_started(backend):
            backend.stop()
            if _is_started(backend):
                raise _broken(ContractError, backend, "stop", "BC303")


@contextmanager
def running(*backends: BackendType) -> Generator[tuple[BackendType, ...], None, None]:
    """Start ``backends`` in order, yield them as a tuple, and stop them in reverse order.

    Only those that this call started are stopped: one that was started before, by whomever, stays
    so. They are stopped however the body ends, and also where a later backend fails to start.

    A failure of ``start`` or of the body reaches the caller as it is. A failure of ``stop`` does
    not keep the others from being stopped, and then propagates: as it is where it is the only one,
    several as an ``ExceptionGroup`` (below Python 3.11 that of the ``exceptiongroup`` backport).
    Each has a note that says which backend. Where both happen, it is as with ``finally`` and
    :class:`contextlib.ExitStack`: the failure of ``stop`` propagates, and what the body or
    ``start`` raised is its ``__context__``.
    """
    run = _Run()
    try:
        for backend in backends:
            run.start(backend)
        yield backends
    finally:
        run.stop()


def running_async(
    *backends: BackendType,
) -> AbstractAsyncContextManager[tuple[BackendType, ...]]:
    """Do what :func:`running` does, for ``async with``: ``start`` and ``stop`` run in a thread.

    That thread is none of those that answer requests, so a server whose threads all hang can still
    stop. Needs anyio, and raises :class:`ModuleNotFoundError` at the call without it.

    Cancellation leaks no backend: where it arrives while a ``start`` is under way, that one ends
    first and is stopped again, those that follow are never started, and stopping is shielded from
    it. (A task that asyncio cancels for a second time leaves at once; the thread finishes
    stopping.)
    """
    try:
        import anyio.to_thread
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "running_async needs anyio: pip install 'backend-contract[async]'", name=error.name
        ) from error

    @asynccontextmanager
    async def context() -> AsyncGenerator[tuple[BackendType, ...], None]:
        run = _Run()
        try:
            for backend in backends:
                limiter = anyio.CapacityLimiter(1)  # of its own: never behind the requests
                await anyio.to_thread.run_sync(run.start, backend, limiter=limiter)
            yield backends
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(run.stop, limiter=anyio.CapacityLimiter(1))

    return context()


class _Run:
    """Which backends one ``running`` started, so that it stops those and no others.

    ``start`` and ``stop`` may overlap: the task that asked for a start in a thread may be cancelled
    before the start has ended, or has even begun.
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
                raise _swallowed(backend)

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
            raise _one_or_grouped(failures)


def _one_or_grouped(failures: Sequence[BaseException]) -> BaseException:
    if len(failures) == 1:
        return failures[0]
    return grouped(f"{len(failures)} backends failed to stop", failures)


def _start(backend: Backend) -> bool:
    """Start ``backend``, whose lock is held; return whether it was this call that did."""
    if _is_started(backend):
        return False
    start: Callable[[], object] = backend.start
    returned = start()
    if hasattr(returned, "__await__"):
        getattr(returned, "close", lambda: None)()  # nobody is to be warned that it is not awaited
        raise _broken(BackendStartError, backend, "start", "BC309")
    if not _is_started(backend):
        raise _broken(BackendStartError, backend, "start", "BC302")
    return True


def _is_started(backend: Backend) -> bool:
    """Read anew: a type checker would take what it was before ``start`` for what it still is."""
    return backend.is_started is True


def _swallowed(backend: Backend) -> ContractError:
    from backend_contract.clauses import CLAUSES

    return BackendStartError(
        f"{class_name(type(backend))}.start_lock() has swallowed what start() raised. A context "
        "manager lets pass what is raised in its body",
        clause=CLAUSES["BC403"],
    )


def _broken(
    error: type[ContractError], backend: Backend, method: str, clause_id: str
) -> ContractError:
    from backend_contract.clauses import CLAUSES

    clause = CLAUSES[clause_id]
    return error(
        f"{class_name(type(backend))}.{method}() returned, and is_started is "
        f"{backend.is_started!r}. {clause.fix}",
        clause=clause,
    )
