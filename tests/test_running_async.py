"""`running_async`, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from backend_contract import LocalBackend, ensure_started, running_async
from backend_contract.lifecycle import _Run

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

WAIT = 30  # seconds after which a test that hangs is given up

both_event_loops = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
pytestmark = pytest.mark.anyio


class Recorded(LocalBackend):
    """Keeps a record of its calls, and the threads they were made in."""

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
    """Whose start (or stop) does not end before the test says so."""

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
async def test_backends_are_started_in_order_and_stopped_in_reverse_off_the_event_loop() -> None:
    calls: list[str] = []
    a, b = Recorded("a", calls), Recorded("b", calls)
    async with running_async(a, b) as given:
        assert given == (a, b)
        assert calls == ["start a", "start b"]
    assert calls == ["start a", "start b", "stop b", "stop a"]
    assert threading.get_ident() not in a.threads + b.threads


@both_event_loops
async def test_what_ran_before_goes_on_running() -> None:
    calls: list[str] = []
    backend = ensure_started(Recorded("a", calls))
    async with running_async(backend):
        pass
    assert calls == ["start a"]


@both_event_loops
async def test_a_failing_start_stops_the_earlier_ones_and_arrives_as_it_is() -> None:
    calls: list[str] = []

    class Down(Recorded):
        def start(self) -> None:
            raise OSError("down")

    with pytest.raises(OSError, match="down"):
        async with running_async(Recorded("a", calls), Down("b", calls), Recorded("c", calls)):
            pytest.fail("the body must not run")
    assert calls == ["start a", "stop a"]


@both_event_loops
async def test_several_stops_that_fail_arrive_together() -> None:
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
async def test_a_cancelled_body_stops_all() -> None:
    calls: list[str] = []
    with anyio.CancelScope() as scope:
        async with running_async(Recorded("a", calls), Recorded("b", calls)):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert calls == ["start a", "start b", "stop b", "stop a"]


@both_event_loops
async def test_what_is_being_started_when_the_scope_is_cancelled_is_stopped_again() -> None:
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
async def test_what_is_being_started_when_the_task_is_cancelled_is_stopped_again() -> None:
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


def test_what_is_asked_to_start_after_all_was_stopped_stays_as_it_is() -> None:
    backend = LocalBackend()
    run = _Run()
    run.stop()
    run.start(backend)  # its thread came late
    assert not backend.is_started


@both_event_loops
async def test_the_event_loop_goes_on_while_a_backend_stops() -> None:
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
async def test_it_stops_while_every_thread_of_the_server_hangs() -> None:
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


def test_without_anyio_the_error_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['anyio'] = None\n"
        "from backend_contract import running_async\n"
        "try: running_async()\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "running_async needs anyio: pip install 'backend-contract[async]'\n"
