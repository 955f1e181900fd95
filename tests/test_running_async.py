"""`running_async`, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from support import WAIT, Mine, run_python

from backend_contract import LocalBackend, ensure_started, running_async

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

both_event_loops = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
pytestmark = pytest.mark.anyio


class Recorded(LocalBackend):
    """Records its calls, and the threads they were made in."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__()
        self.name, self.calls = name, calls
        self.threads: list[int] = []

    def start(self) -> None:
        self.record("start")
        super().start()

    def stop(self) -> None:
        self.record("stop")
        super().stop()

    def record(self, call: str) -> None:
        self.calls.append(f"{call} {self.name}")
        self.threads.append(threading.get_ident())


class Slow(Recorded):
    """Blocks in `start` (or `stop`) until the test continues it."""

    def __init__(self, name: str, calls: list[str], slow: str = "start") -> None:
        super().__init__(name, calls)
        self.slow = slow
        self.entered, self.go_on = threading.Event(), threading.Event()

    def record(self, call: str) -> None:
        if call == self.slow:
            self.entered.set()
            assert self.go_on.wait(WAIT)
        super().record(call)


async def wait_for(event: threading.Event) -> None:
    assert await anyio.to_thread.run_sync(event.wait, WAIT)


@both_event_loops
async def test_order() -> None:
    """Backends are started in order and stopped in reverse, in other threads than the loop's."""
    calls: list[str] = []
    a, b = Recorded("a", calls), Recorded("b", calls)
    async with running_async(a, b) as given:
        assert given == (a, b)
        assert calls == ["start a", "start b"]
    assert calls == ["start a", "start b", "stop b", "stop a"]
    assert threading.get_ident() not in a.threads + b.threads


@both_event_loops
async def test_already_started() -> None:
    """A backend that was already started stays started."""
    calls: list[str] = []
    backend = ensure_started(Recorded("a", calls))
    async with running_async(backend):
        pass
    assert calls == ["start a"]


@both_event_loops
async def test_failed_start() -> None:
    """If a start fails, the earlier backends are stopped and its exception propagates."""
    calls: list[str] = []

    class Down(Recorded):
        def start(self) -> None:
            raise OSError("down")

    with pytest.raises(OSError, match="down"):
        async with running_async(Recorded("a", calls), Down("b", calls), Recorded("c", calls)):
            pytest.fail("the body must not run")
    assert calls == ["start a", "stop a"]


@both_event_loops
async def test_failed_stops() -> None:
    """Several exceptions of `stop` propagate as a group; every backend is stopped."""

    class Stuck(Recorded):
        def stop(self) -> None:
            super().stop()
            raise OSError(self.name)

    calls: list[str] = []
    with pytest.raises(ExceptionGroup) as caught:
        async with running_async(Stuck("a", calls), Recorded("b", calls), Stuck("c", calls)):
            pass
    assert [str(failure) for failure in caught.value.exceptions] == ["c", "a"]
    assert calls[3:] == ["stop c", "stop b", "stop a"]


@both_event_loops
async def test_cancelled_body() -> None:
    """All backends are stopped if the body is cancelled."""
    calls: list[str] = []
    with anyio.CancelScope() as scope:
        async with running_async(Recorded("a", calls), Recorded("b", calls)):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert calls == ["start a", "start b", "stop b", "stop a"]


@both_event_loops
async def test_scope_cancelled_during_start() -> None:
    """If the scope is cancelled, a `start` under way completes and is undone."""
    calls: list[str] = []
    slow, later = Slow("slow", calls), Recorded("later", calls)

    async def hold() -> None:
        async with running_async(slow, later):
            pytest.fail("the body must not run")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold)
        await wait_for(slow.entered)
        tasks.cancel_scope.cancel()
        slow.go_on.set()
    assert calls == ["start slow", "stop slow"]


@on_asyncio
async def test_task_cancelled_during_start() -> None:
    """If the task is cancelled, a `start` under way completes and is undone."""
    calls: list[str] = []
    slow, later = Slow("slow", calls), Recorded("later", calls)

    async def hold() -> None:
        async with running_async(slow, later):
            pytest.fail("the body must not run")

    task = asyncio.create_task(hold())
    await wait_for(slow.entered)
    task.cancel()
    for _ in range(10):  # the cancellation is delivered, and the task waits for the thread
        await asyncio.sleep(0)
    assert not task.done()
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == ["start slow", "stop slow"]
    assert not slow.is_started


@on_asyncio
async def test_late_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start whose thread begins after the block was left does nothing."""
    late: list[Callable[[], object]] = []
    in_thread = anyio.to_thread.run_sync

    async def run_sync(function: Callable[..., object], *arguments: Any, limiter: Any) -> object:
        if late:
            return await in_thread(function, *arguments, limiter=limiter)
        late.append(lambda: function(*arguments))
        raise asyncio.CancelledError  # as if cancelled twice before the thread has begun

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
    backend = Mine()
    with pytest.raises(asyncio.CancelledError):
        async with running_async(backend):
            pytest.fail("the body must not run")
    late[0]()
    assert not backend.is_started


@both_event_loops
async def test_loop_is_not_blocked() -> None:
    """The event loop runs while a backend stops."""
    slow = Slow("slow", [], slow="stop")

    async def answer() -> None:
        await wait_for(slow.entered)
        slow.go_on.set()  # which a blocked event loop would never reach

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        async with running_async(slow):
            pass
    assert not slow.is_started


@both_event_loops
async def test_all_threads_hang() -> None:
    """Backends are started and stopped even if every thread of the server hangs."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    backend = LocalBackend()
    hanging, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        assert hanging.wait(WAIT)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, hang)
        while not begun.is_set():
            await anyio.lowlevel.checkpoint()
        with anyio.fail_after(WAIT):
            async with running_async(backend):
                assert backend.is_started
        assert not backend.is_started
        hanging.set()


def test_without_anyio() -> None:
    """Without anyio, the call raises an error that names the extra."""
    script = (
        "import sys; sys.modules['anyio'] = None\n"
        "from backend_contract import running_async\n"
        "try: running_async()\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    assert "pip install 'backend-contract[async]'" in run_python(script).stdout
