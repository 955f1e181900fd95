"""Blocks in which backends are started, shared by all that hold the same backend."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import Any, Generic, TypeVar

from backend_contract._compat import exception_group
from backend_contract._lifecycle.attempts import Attempt, call_async
from backend_contract._lifecycle.transitions import (
    START,
    STOP,
    call_method,
    holds_lock,
    is_started,
    lock_is_held,
    require_free_lock,
    seconds_of,
    start,
    stop,
    under_lock,
)
from backend_contract.protocol import Backend

BackendT = TypeVar("BackendT", bound=Backend)


class _Shared:
    """A backend that at least one ``running`` holds. Changed only under the backend's lock."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend  # keeps it alive, and so its `id`
        self.holds: list[_Hold] = []
        self.is_ours = False
        """Whether a ``running`` has called ``start``."""


# By `id`, because a backend need not be hashable.
_shared: dict[int, _Shared] = {}

if hasattr(os, "register_at_fork"):  # what the parent started is not the child's to stop
    os.register_at_fork(after_in_child=_shared.clear)


class _Hold:
    """The claim of one ``running`` on one of its backends."""

    def __init__(self, backend: Backend, attempt: Attempt, owner: _Block[Any]) -> None:
        self.backend = backend
        self.attempt = attempt
        self._unreleased = owner.holds
        # Nothing can handle Ctrl-C at the first instruction of `__exit__`, nor run the `__aexit__`
        # of a coroutine whose event loop is gone. No `__del__`, which would swallow Ctrl-C.
        self._owner: object = weakref.ref(owner, self._abandon)

    def acquire(self, _: Attempt) -> None:
        """Start the backend unless it is started. Undone if the attempt was given up meanwhile."""
        try:
            under_lock(self.backend, START, self._acquire)
        finally:
            if not self.attempt.complete():
                self.release()

    def _acquire(self) -> None:
        if not self.attempt.begin():
            return
        _shared.setdefault(id(self.backend), _Shared(self.backend)).holds.append(self)
        if not is_started(self.backend):
            _shared[id(self.backend)].is_ours = True
            start(self.backend)

    def release(self) -> None:
        """Stop the backend if this is its last hold, and a ``running`` started it. Idempotent."""
        under_lock(self.backend, STOP, self._release)

    def _release(self) -> None:
        shared = self._shared
        if shared is None:
            return
        try:
            if len(shared.holds) == 1 and shared.is_ours and is_started(self.backend):
                stop(self.backend)
        except Exception:
            self.forget()
            raise
        self.forget()

    def _abandon(self, _: object) -> None:
        """Release the claim of a ``running`` that was dropped and never left."""
        if self in self._unreleased and self._shared and not self.attempt.is_given_up:
            self.release()

    @property
    def _shared(self) -> _Shared | None:
        shared = _shared.get(id(self.backend))
        return shared if shared is not None and self in shared.holds else None

    def forget(self) -> None:
        """Drop the claim and stop nothing. Idempotent."""
        self._owner = None
        shared = self._shared
        if shared is not None:
            if len(shared.holds) > 1:
                shared.holds.remove(self)
            else:
                del _shared[id(self.backend)]


class _Block(Generic[BackendT]):
    """The backends of one ``running``, and its claims on them."""

    def __init__(self, backends: tuple[BackendT, ...], timeout: float | None) -> None:
        self._backends = backends
        self._timeout = None if timeout is None else seconds_of(timeout)
        self.holds: list[_Hold] = []
        self._process = 0

    def _acquire(self, backend: Backend, attempt: Attempt) -> None:
        self._process = os.getpid()
        hold = _Hold(backend, attempt, self)
        self.holds.append(hold)
        call_method(backend, START, hold.acquire, self._timeout, attempt)

    def _release_all(self) -> None:
        try:
            self._release_each()
        finally:
            if self.holds:  # interrupted
                self._release_each()

    def _release_each(self) -> None:
        if self._process != os.getpid():  # forked: these are the parent's, and so are their locks
            self.holds.clear()
        failures: list[BaseException] = []
        interrupted: _Hold | None = None
        while self.holds:
            hold = self.holds[-1]
            try:
                if not hold.attempt.is_given_up:  # then it undoes itself
                    self._release(hold)
                self.holds.pop()
            except BaseException as failure:
                failures.append(failure)
                # Once more after Ctrl-C, which may have come before `stop` was called.
                if isinstance(failure, Exception):
                    self.holds.pop()
                elif hold is interrupted:
                    self.holds.pop().forget()
                interrupted = hold
        if failures:
            raise _one_or_group(failures)

    def _release(self, hold: _Hold) -> None:
        if self._timeout is not None and holds_lock(hold.backend):
            hold.release()  # another thread would wait for this one
            raise lock_is_held(hold.backend, STOP)
        call_method(hold.backend, STOP, lambda _: hold.release(), self._timeout)


# Classes and no generators: Ctrl-C between a `yield` and the body would leave backends started.
class Running(_Block[BackendT], AbstractContextManager[tuple[BackendT, ...]]):
    """The context manager of :func:`~backend_contract.running`."""

    def __enter__(self) -> tuple[BackendT, ...]:
        if self._timeout is not None:
            for backend in self._backends:
                require_free_lock(backend, START)
        try:
            for backend in self._backends:
                self._acquire(backend, Attempt())
            return self._backends
        except BaseException:
            self._release_all()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self._release_each()
        finally:  # Ctrl-C may have come before the first line of the call
            self._release_all()


class RunningAsync(_Block[BackendT], AbstractAsyncContextManager[tuple[BackendT, ...]]):
    """The context manager of :func:`~backend_contract.running_async`."""

    async def __aenter__(self) -> tuple[BackendT, ...]:
        import anyio.lowlevel

        for backend in self._backends:
            require_free_lock(backend, START)
        try:
            for backend in self._backends:
                await anyio.lowlevel.checkpoint_if_cancelled()
                await call_async(partial(self._acquire, backend))
            return self._backends
        except BaseException:
            await self._release_all_async()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._release_all_async()

    async def _release_all_async(self) -> None:
        if self._process != os.getpid():  # forked: asyncio runs in the parent only
            self._release_all()
            return
        for hold in self.holds:
            if holds_lock(hold.backend):
                self._release_all()  # another thread would wait for this one
                raise lock_is_held(hold.backend, STOP)

        def release_all(_: Attempt) -> None:
            self._release_all()

        await call_async(release_all, must_end=True)


def _one_or_group(failures: Sequence[BaseException]) -> BaseException:
    if len(failures) == 1:
        return failures[0]
    return exception_group(f"{len(failures)} backends failed to stop", failures)
