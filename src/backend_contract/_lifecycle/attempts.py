"""Calls of a backend's members: with a deadline or a cancellation, and never of async ones."""

from __future__ import annotations

import contextvars
import threading
import types
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeAlias, cast


class Attempt:
    """A call that cannot be interrupted, but that its caller may give up.

    Whether the call completed or was given up is decided once, for the call and its caller. A call
    that was given up before it began does nothing; one given up later undoes its effect.
    """

    def __init__(self) -> None:
        # Not a lock: Ctrl-C must not leave it locked. `setdefault` decides for the first caller.
        self._decision: dict[str, str] = {}
        self.has_begun = False
        """Whether the call may have had an effect."""

    def begin(self) -> bool:
        """Return whether the call should have an effect: it was not given up so far."""
        self.has_begun = True
        return not self._decision

    def complete(self) -> bool:
        """Return whether the effect should stay: it was not given up, and no longer can be."""
        return self._decision.setdefault("the call", "completed") == "completed"

    def give_up(self) -> bool:
        """Return whether the call is given up; it is not if it has completed."""
        return self._decision.setdefault("the call", "given up") == "given up"

    @property
    def is_given_up(self) -> bool:
        """Whether the caller has given up the call before it completed."""
        return "given up" in self._decision.values()


Call: TypeAlias = Callable[[Attempt], None]


def call_within(seconds: float, call: Call, attempt: Attempt) -> bool:
    """Call *call* in a daemon thread; return whether it ended within *seconds*.

    An exception of *call* propagates unchanged. If the time is over, or if the caller is
    interrupted, *attempt* is given up; an interruption propagates when the call has ended.
    """
    ended = threading.Event()
    until = monotonic() + seconds
    try:
        failures = _in_thread(call, attempt, ended.set)
        in_time = ended.wait(seconds)
    except BaseException:
        attempt.give_up()
        if attempt.has_begun:  # the process may end now, and the thread with it
            ended.wait(max(0, until - monotonic()))
        raise
    if not in_time and attempt.give_up():
        return False
    ended.wait()  # completed meanwhile
    if failures:
        raise failures[0]
    return True


async def call_async(call: Call, *, must_end: bool = False) -> None:
    """Call *call* in a daemon thread, and wait for its end. Requires anyio.

    An exception of *call* propagates unchanged. If the task is cancelled, the attempt is given up;
    the cancellation propagates when the call has ended, or at once if it has not begun, unless it
    *must_end*.
    """
    import anyio
    import anyio.lowlevel

    ended = anyio.Event()
    loop: Any = anyio.lowlevel.current_token().native_token
    # Not `anyio.from_thread`, which waits for the loop: that of a cancelled task may run no more.
    post = loop.run_sync_soon if hasattr(loop, "run_sync_soon") else loop.call_soon_threadsafe

    def tell_loop() -> None:
        with suppress(RuntimeError):  # the loop is closed
            post(ended.set)

    attempt = Attempt()
    failures = _in_thread(call, attempt, tell_loop)
    try:
        await ended.wait()
    except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):  # trio raises either one here
        if not attempt.give_up() or attempt.has_begun or must_end:
            with anyio.CancelScope(shield=True):
                while not ended.is_set():
                    with suppress(anyio.get_cancelled_exc_class()):  # asyncio: cancelled again
                        await ended.wait()
        raise
    if failures:
        raise failures[0]


def _in_thread(call: Call, attempt: Attempt, on_end: Callable[[], None]) -> list[BaseException]:
    """Start *call* in a daemon thread, in the caller's context; return the list for its failure."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call(attempt)
        except BaseException as failure:
            failures.append(failure)
        finally:
            on_end()

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="backend_contract", daemon=True).start()
    return failures


def is_async(returned: object) -> bool:
    """Return whether a member is ``async``, by what a call or an attribute of it gave.

    A coroutine is closed, so that Python does not warn that it was never awaited.
    """
    if issubclass(type(returned), types.CoroutineType):
        cast("types.CoroutineType[Any, Any, Any]", returned).close()
    # On the type, because an instance may answer for every attribute.
    if issubclass(type(returned), types.AsyncGeneratorType):
        return True
    return hasattr(type(returned), "__await__")
