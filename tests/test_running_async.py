"""`running_async`, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from contextlib import AbstractContextManager
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from support import WAIT, Mine, run_python

from backend_contract import (
    BackendStartError,
    BackendStopError,
    LocalBackend,
    ensure_started,
    ensure_stopped,
    running_async,
)
from backend_contract._lifecycle import attempts

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
        self.stopped = threading.Event()

    def stop(self) -> None:
        super().stop()
        self.stopped.set()

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
@pytest.mark.parametrize("times", [2, 5])
async def test_cancelled_repeatedly(times: int) -> None:
    """However often the task is cancelled, it leaves when the backend is stopped, not before."""
    calls: list[str] = []
    slow = Slow("slow", calls)

    async def hold() -> None:
        async with running_async(slow):
            pytest.fail("the body must not run")

    task = asyncio.create_task(hold())
    await wait_for(slow.entered)
    for _ in range(times):
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not task.done()
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == ["start slow", "stop slow"]


@on_asyncio
async def test_cancelled_while_stopping() -> None:
    """A cancellation that arrives while a backend stops propagates when all are stopped."""
    calls: list[str] = []
    slow, first = Slow("slow", calls, slow="stop"), Recorded("first", calls)

    async def hold() -> None:
        async with running_async(first, slow):
            pass

    task = asyncio.create_task(hold())
    await wait_for(slow.entered)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == ["start first", "start slow", "stop slow", "stop first"]


@both_event_loops
async def test_deadline_of_the_caller() -> None:
    """`anyio.fail_after` around a slow start raises `TimeoutError`; nothing stays started."""
    calls: list[str] = []
    slow = Slow("slow", calls)

    async def let_it_end() -> None:
        await wait_for(slow.entered)
        scope.cancel()
        slow.go_on.set()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(let_it_end)
            async with running_async(slow):
                pytest.fail("the body must not run")
    assert scope.cancelled_caught
    assert calls == ["start slow", "stop slow"]


async def enter_and_cancel(backend: LocalBackend, asked_for_lock: threading.Event) -> None:
    """Enter `running_async`, and cancel that once it waits for the lock."""
    async with anyio.create_task_group() as tasks:

        async def cancel() -> None:
            await wait_for(asked_for_lock)
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel)
        async with running_async(backend):
            pytest.fail("the body must not run")


@both_event_loops
async def test_cancelled_while_waiting_for_lock() -> None:
    """A task that is cancelled while another thread holds the lock leaves at once."""
    backend = Mine()
    held, free = threading.Event(), threading.Event()

    def hold_lock() -> None:
        with backend.start_lock():
            held.set()
            assert free.wait(WAIT)

    thread = threading.Thread(target=hold_lock)
    thread.start()
    await wait_for(held)
    asked_for_lock = threading.Event()

    class Waiting(Mine):
        def start_lock(self) -> AbstractContextManager[object]:
            asked_for_lock.set()
            return backend.start_lock()

    waiting = Waiting()
    with anyio.fail_after(WAIT):
        await enter_and_cancel(waiting, asked_for_lock)
    assert not free.is_set()
    free.set()
    thread.join(WAIT)
    ensure_stopped(waiting)  # acquires the lock after the thread that was given up, or before it
    assert not waiting.is_started


@both_event_loops
async def test_entered_while_holding_lock() -> None:
    """Entering while this thread holds the lock raises, and does not hang."""
    backend = Mine()
    raises = pytest.raises(BackendStartError, match="holds the start lock")
    with backend.start_lock(), anyio.fail_after(WAIT), raises:
        async with running_async(backend):
            pytest.fail("the body must not run")
    assert not backend.is_started


@both_event_loops
async def test_left_while_holding_lock() -> None:
    """Leaving while this thread holds the lock raises; the backend is stopped all the same."""
    backend = Mine()
    lock = backend.start_lock()
    with anyio.fail_after(WAIT), pytest.raises(BackendStopError, match="holds the start lock"):
        async with running_async(backend):
            lock.__enter__()
    lock.__exit__(None, None, None)
    assert not backend.is_started


@both_event_loops
async def test_timeout() -> None:
    """With a *timeout*, a start that does not end raises, and is undone when it ends."""
    calls: list[str] = []
    slow = Slow("slow", calls)
    with pytest.raises(BackendStartError):
        async with running_async(slow, timeout=0.05):
            pytest.fail("the body must not run")
    slow.go_on.set()
    await wait_for(slow.stopped)
    assert calls == ["start slow", "stop slow"]


@on_asyncio
@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_anywhere(seed: int) -> None:
    """Cancelled after any number of turns of the loop, once or twice, nothing stays started."""
    choices = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
    for turns in range(100):
        first, second = Mine(), Mine()

        async def hold(*backends: Mine) -> None:
            async with running_async(*backends):
                await asyncio.sleep(0)

        task = asyncio.create_task(hold(first, second))
        for _ in range(turns % 25):
            await asyncio.sleep(0)
        for _ in range(choices.choice([1, 2])):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
        assert not first.is_started
        assert not second.is_started


@on_asyncio
async def test_cancelled_before_the_stop_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that is cancelled before the thread of its stop runs is left after the stop."""
    backend, may_begin, entered = Mine(), threading.Event(), asyncio.Event()
    in_thread = attempts._in_thread

    def begin_late(call: Any, *arguments: Any) -> Any:
        def wait_first(attempt: attempts.Attempt) -> None:
            may_begin.wait(WAIT)
            call(attempt)

        return in_thread(wait_first, *arguments)

    async def hold() -> None:
        async with running_async(backend):
            monkeypatch.setattr(attempts, "_in_thread", begin_late)
            entered.set()

    task = asyncio.create_task(hold())
    await entered.wait()
    for _ in range(2):
        task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
    assert not task.done()
    may_begin.set()
    await asyncio.wait([task])
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


@pytest.mark.parametrize("closed", [True, False])
def test_thread_outlives_its_loop(closed: bool) -> None:
    """The thread of a cancelled call ends, even if its event loop runs no more."""
    lock, asked = threading.Lock(), threading.Event()

    class Waiting(Mine):
        def start_lock(self) -> AbstractContextManager[object]:
            asked.set()
            return lock

    waiting = Waiting()

    loop = asyncio.new_event_loop()
    of_other_tests = {*threading.enumerate()}
    with lock:
        loop.run_until_complete(enter_and_cancel(waiting, asked))
        started = {*threading.enumerate()} - of_other_tests
        threads = [each for each in started if each.name == "backend_contract"]
        if closed:
            loop.close()
    assert threads
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()
    loop.close()
    assert not waiting.is_started


@pytest.mark.parametrize("where", ["start", "body"])
def test_dropped_task(where: str) -> None:
    """If the task of a block is dropped with its event loop, nothing stays started."""
    # In a separate process, because pytest keeps unhandled exceptions and their frames.
    run = run_python(
        "import asyncio, gc, threading\n"
        "from backend_contract import LocalBackend, running_async\n"
        "in_start, in_body, go_on = asyncio.Event(), asyncio.Event(), threading.Event()\n"
        "class Slow(LocalBackend):\n"
        "    def start(self):\n"
        "        loop.call_soon_threadsafe(in_start.set)\n"
        "        assert go_on.wait(20)\n"
        "        super().start()\n"
        "        print('started')\n"
        "    def stop(self):\n"
        "        super().stop()\n"
        "        print('stopped')\n"
        "slow = Slow()\n"
        "async def hold():\n"
        "    async with running_async(slow):\n"
        "        in_body.set()\n"
        "        await asyncio.Event().wait()\n"
        "async def reach():\n"
        "    global task\n"
        "    task = asyncio.create_task(hold())\n"
        f"    if {where == 'body'}: go_on.set()\n"
        f"    await in_{where}.wait()\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(reach())\n"
        "loop.close()\n"
        "del task, loop\n"
        "gc.collect()\n"
        "go_on.set()\n"
        "for thread in {*threading.enumerate()} - {threading.current_thread()}: thread.join()\n"
        "gc.collect()\n"
        "print(slow.is_started)"
    )
    assert run.stdout == "started\nstopped\nFalse\n", run.stderr


@pytest.mark.parametrize("phase", ["start", "stop"])
def test_ctrl_c_on_trio(phase: str) -> None:
    """Trio raises Ctrl-C in the main task, also in its shielded scopes: nothing stays started."""
    run = run_python(
        "import signal, threading, trio\n"
        "from backend_contract import LocalBackend, running_async\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it\n"
        "interrupted, first = threading.Event(), LocalBackend()\n"
        "def hop(rounds):  # of the loop, in which the main task learns of it\n"
        "    token.run_sync_soon(hop, rounds - 1) if rounds else interrupted.set()\n"
        "class Slow(LocalBackend):\n"
        f"    def {phase}(self):\n"
        "        token.run_sync_soon(signal.raise_signal, signal.SIGINT)\n"
        "        token.run_sync_soon(hop, 20)\n"
        "        assert interrupted.wait(20)\n"
        f"        super().{phase}()\n"
        "slow = Slow()\n"
        "async def main():\n"
        "    global token\n"
        "    token = trio.lowlevel.current_trio_token()\n"
        "    async with running_async(first, slow): pass\n"
        "try: trio.run(main)\n"
        "except KeyboardInterrupt: print(first.is_started, slow.is_started)"
    )
    assert run.stdout == "False False\n", run.stderr


def test_without_anyio() -> None:
    """Without anyio, the call raises an error that names the extra."""
    script = (
        "import sys; sys.modules['anyio'] = None\n"
        "from backend_contract import running_async\n"
        "try: running_async()\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    assert "pip install 'backend-contract[async]'" in run_python(script).stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork() -> None:
    """A child that is forked in the block leaves it without an error, and stops nothing."""
    run = run_python(
        "import asyncio, os, sys\n"
        "from backend_contract import LocalBackend, running_async\n"
        "async def main():\n"
        "    async with running_async(LocalBackend()) as (backend,):\n"
        "        child = os.fork()\n"
        "        if child:\n"
        "            status = os.waitpid(child, 0)[1]\n"
        "    if not child:\n"
        "        os._exit(backend.is_started)\n"
        "    print('parent', status, backend.is_started)\n"
        "asyncio.run(main())"
    )
    assert (run.stdout, run.returncode) == (f"parent {1 << 8} False\n", 0), run.stderr
