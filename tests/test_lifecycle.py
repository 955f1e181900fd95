from __future__ import annotations

import gc
import os
import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from decimal import Decimal
from fractions import Fraction
from types import FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support import WAIT, Structural, at_once, notes_of, run_python

from backend_contract import (
    Backend,
    BackendStartError,
    BackendStopError,
    ContractError,
    LocalBackend,
    ensure_started,
    ensure_stopped,
    running,
    running_async,
)
from backend_contract._lifecycle import attempts, transitions
from backend_contract._lifecycle import running as shared_blocks

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


class Named(Structural):
    """Records its calls with its name, in a list that several backends may share."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__()
        self.name = name
        self.record = calls

    def start(self) -> None:
        super().start()
        self.record.append(f"start {self.name}")

    def stop(self) -> None:
        super().stop()
        self.record.append(f"stop {self.name}")


class Failing(Named):
    """Raises the given failures first, one per call of the method."""

    def __init__(
        self,
        failures: dict[str, list[BaseException]],
        name: str = "failing",
        calls: list[str] | None = None,
    ) -> None:
        super().__init__(name, [] if calls is None else calls)
        self.failures = failures

    def start(self) -> None:
        if self.failures.get("start"):
            raise self.failures["start"].pop(0)
        super().start()

    def stop(self) -> None:
        if self.failures.get("stop"):
            raise self.failures["stop"].pop(0)
        super().stop()


class NeverStarted(Structural):
    def start(self) -> None: ...


class NeverStopped(Structural):
    def stop(self) -> None: ...


def clause_of(error: pytest.ExceptionInfo[ContractError]) -> str | None:
    """Return the id of the error's clause."""
    return error.value.clause.id if error.value.clause else None


# `ensure_started` and `ensure_stopped`.


@pytest.mark.parametrize("kind", [Structural, LocalBackend])
def test_start_and_stop(kind: type[Any]) -> None:
    """A backend is started, returned and stopped, whatever it inherits."""
    backend = kind()
    assert ensure_started(backend) is backend
    assert backend.is_started is True
    ensure_stopped(backend)
    assert backend.is_started is False


def test_idempotent() -> None:
    """`start` and `stop` are called only if there is something to do."""
    backend = Structural()
    ensure_stopped(backend)
    for _ in range(2):
        ensure_started(backend)
    for _ in range(2):
        ensure_stopped(backend)
    ensure_started(backend)
    assert backend.calls == ["start", "stop", "start"]


class Locked(Structural):
    """Counts how often its lock is requested."""

    locked = 0

    def start_lock(self) -> AbstractContextManager[object]:
        self.locked += 1
        return super().start_lock()


def test_no_lock_if_started() -> None:
    """The lock is acquired to start, and not if the backend is already started."""
    backend = ensure_started(Locked())
    assert backend.locked == 1
    with backend.lock:  # not re-entrant: acquiring it again would deadlock
        ensure_started(backend)
    assert backend.locked == 1


def test_stop_acquires_lock() -> None:
    """Stopping acquires the lock, even if there is nothing to stop."""
    backend = Locked()
    ensure_stopped(backend)
    assert backend.locked == 1


def test_started_meanwhile() -> None:
    """A backend that was started while waiting for the lock is neither started nor stopped."""

    class StartedMeanwhile(Structural):
        def start_lock(self) -> AbstractContextManager[object]:
            self.is_started = True  # by the thread that held the lock
            return super().start_lock()

    assert ensure_started(StartedMeanwhile()).calls == []
    with running(StartedMeanwhile()) as (backend,):
        pass
    assert backend.calls == []
    assert backend.is_started


def test_start_without_effect() -> None:
    """A `start` that returns and leaves the flag `False` violates BC302; the lock is free."""
    backend = NeverStarted()
    with pytest.raises(BackendStartError, match=r"NeverStarted\.start\(\) .*False") as error:
        ensure_started(backend)
    assert clause_of(error) == "BC302"
    assert not backend.lock.locked()


@pytest.mark.parametrize("value", [1, "yes", lambda: True])
def test_only_true_is_started(value: object) -> None:
    """A true value other than `True` does not count as started."""

    class Odd(Structural):
        def start(self) -> None:
            self.is_started = value  # type: ignore[assignment]  # wrong on purpose

    hint = "Make it a property" if callable(value) else "set the flag"
    with pytest.raises(BackendStartError, match=hint) as error:
        ensure_started(Odd())
    assert clause_of(error) == "BC302"
    odd = Structural()
    odd.is_started = value  # type: ignore[assignment]  # wrong on purpose
    assert ensure_started(odd).calls == ["start"]


def test_stop_without_effect() -> None:
    """A `stop` that returns and leaves the flag `True` violates BC303; the lock is free."""
    backend = ensure_started(NeverStopped())
    with pytest.raises(ContractError, match=r"NeverStopped\.stop\(\) .*True") as error:
        ensure_stopped(backend)
    assert clause_of(error) == "BC303"
    assert not backend.lock.locked()


@pytest.mark.parametrize("failure", [OSError("down"), KeyboardInterrupt(), SystemExit(3)])
def test_failed_start(failure: BaseException) -> None:
    """An exception of `start` propagates unchanged, and a later call retries."""
    backend = Failing({"start": [failure]})
    with pytest.raises(type(failure)) as caught:
        ensure_started(backend)
    assert caught.value is failure
    assert not backend.lock.locked()
    assert ensure_started(backend).is_started


def test_failed_stop() -> None:
    """An exception of `stop` propagates unchanged, and a later call retries."""
    failure = OSError("busy")
    backend = ensure_started(Failing({"stop": [failure]}))
    with pytest.raises(OSError, match="busy") as caught:
        ensure_stopped(backend)
    assert caught.value is failure
    assert not backend.lock.locked()
    ensure_stopped(backend)
    assert not backend.is_started


def test_async_start() -> None:
    """An `async` start violates BC309, and its coroutine causes no warning."""

    class Async(LocalBackend):
        async def start(self) -> None:  # type: ignore[override]  # wrong on purpose
            self._started = True

    with pytest.raises(BackendStartError, match="remove `async` from `start`") as error:
        ensure_started(Async())
    assert clause_of(error) == "BC309"


class Suppressing(LocalBackend):
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        with self._start_lock, suppress(Exception):
            yield

    def start(self) -> None:
        raise OSError("no server")


def test_suppressing_lock() -> None:
    """A lock that suppresses the exception of `start` violates BC403."""
    with pytest.raises(BackendStartError, match="suppressed") as error:
        ensure_started(Suppressing())
    assert clause_of(error) == "BC403"
    with pytest.raises(BackendStartError, match="suppressed") as error, running(Suppressing()):
        pytest.fail("the body must not run")
    assert clause_of(error) == "BC403"


def test_while_holding_lock() -> None:
    """With a `BackendBase`, every function may be called while holding the lock."""
    backend = LocalBackend()
    with backend.start_lock():
        with running(backend):
            assert backend.is_started
        ensure_started(backend)
        ensure_stopped(backend)
    assert not backend.is_started


def test_concurrent_starts() -> None:
    """Concurrent callers trigger one `start`, and all return after it."""
    backend = Structural()
    assert at_once(16, lambda _: ensure_started(backend).is_started) == [True] * 16
    assert backend.calls == ["start"]


def test_concurrent_stops() -> None:
    """Concurrent callers trigger one `stop`."""
    backend = ensure_started(Structural())
    at_once(16, lambda _: ensure_stopped(backend))
    assert backend.calls == ["start", "stop"]


class Slow(Structural):
    """Blocks in `start` until the test continues it."""

    def __init__(self) -> None:
        super().__init__()
        self.starting, self.go_on = threading.Event(), threading.Event()
        self.requested = threading.Event()

    def start(self) -> None:
        self.starting.set()
        assert self.go_on.wait(WAIT)
        super().start()

    def start_lock(self) -> AbstractContextManager[object]:
        if self.starting.is_set():
            self.requested.set()
        return super().start_lock()


def test_stop_during_start() -> None:
    """Stopping waits for a `start` that is under way, and then stops the backend."""
    backend = Slow()
    with ThreadPoolExecutor(2) as pool:
        start = pool.submit(ensure_started, backend)
        assert backend.starting.wait(WAIT)
        stop = pool.submit(ensure_stopped, backend)
        assert backend.requested.wait(WAIT)
        assert not stop.done()
        backend.go_on.set()
        assert start.result(WAIT) is backend
        stop.result(WAIT)
    assert backend.calls == ["start", "stop"]
    assert not backend.is_started


def test_started_while_locked() -> None:
    """A started backend is returned even while another thread holds its lock."""
    backend = ensure_started(Structural())
    with backend.lock, ThreadPoolExecutor(1) as pool:
        assert pool.submit(ensure_started, backend).result(WAIT) is backend


# `running`.


def several(*names: str) -> tuple[list[str], list[Named]]:
    """Return backends of these names and the record that they share."""
    calls: list[str] = []
    return calls, [Named(name, calls) for name in names]


def test_running_order() -> None:
    """Backends are started in order and stopped in reverse order."""
    calls, backends = several("a", "b", "c")
    with running(*backends) as given:
        assert given == tuple(backends)
        assert calls == ["start a", "start b", "start c"]
    assert calls[3:] == ["stop c", "stop b", "stop a"]


def test_running_nothing() -> None:
    """Without backends, an empty tuple is yielded."""
    none: tuple[Backend, ...] = ()
    with running(*none) as given:
        assert given == ()


def test_running_already_started() -> None:
    """A backend that was already started stays started."""
    calls, backends = several("a", "b")
    ensure_started(backends[0])
    with running(*backends):
        pass
    assert calls == ["start a", "start b", "stop b"]
    assert backends[0].is_started


def test_running_twice() -> None:
    """A backend given twice, or to a nested `running`, is started and stopped once."""
    calls, (backend,) = several("a")
    with running(backend, backend), running(backend):
        pass
    assert calls == ["start a", "stop a"]


def test_running_stopped_in_body() -> None:
    """A backend that the body has stopped is not stopped again."""
    calls, (backend,) = several("a")
    with running(backend):
        ensure_stopped(backend)
    assert calls == ["start a", "stop a"]


def test_running_equal_backends() -> None:
    """Backends that compare equal are told apart, and need not be hashable."""

    class Equal(Named):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # a backend need not be hashable

    calls: list[str] = []
    ensure_started(first := Equal("a", calls))
    with running(first, Equal("b", calls)):
        pass
    assert calls == ["start a", "start b", "stop b"]


@pytest.mark.parametrize("failure", [ValueError("body"), KeyboardInterrupt(), SystemExit(2)])
def test_failed_body(failure: BaseException) -> None:
    """If the body raises, all backends are stopped and its exception propagates unchanged."""
    calls, backends = several("a", "b")
    with pytest.raises(type(failure)) as caught, running(*backends):
        raise failure
    assert caught.value is failure
    assert calls[2:] == ["stop b", "stop a"]


def test_failed_later_start() -> None:
    """If a start fails, the earlier backends are stopped and the later ones not started."""
    calls, backends = several("a", "b", "d")
    failure = OSError("c is down")
    failing = Failing({"start": [failure]}, name="c", calls=calls)
    everything = running(*backends[:2], failing, backends[2])
    with pytest.raises(OSError, match="c is down") as caught, everything:
        pytest.fail("the body must not run")
    assert caught.value is failure
    assert calls == ["start a", "start b", "stop b", "stop a"]


def failing_to_stop(*failures: BaseException) -> tuple[list[str], list[Named]]:
    """Return backends of which all but the first and the last fail to stop, and their record."""
    calls, (first, last) = several("first", "last")
    middle = [Failing({"stop": [failure]}, calls=calls) for failure in failures]
    return calls, [first, *middle, last]


def test_one_failed_stop() -> None:
    """One exception of `stop` propagates unchanged, with a note; the others are stopped."""
    failure = OSError("stuck")
    calls, backends = failing_to_stop(failure)
    with pytest.raises(OSError, match="stuck") as caught, running(*backends):
        pass
    assert caught.value is failure
    assert notes_of(failure) == [f"while stopping {__name__}.Failing"]
    assert calls[-2:] == ["stop last", "stop first"]


def test_several_failed_stops() -> None:
    """Several exceptions of `stop` propagate as a group, each with a note."""
    failures = OSError("stuck"), ValueError("odd")
    calls, backends = failing_to_stop(*failures)
    group = pytest.raises(ExceptionGroup, match="2 backends failed to stop")
    with group as caught, running(*backends):
        pass
    assert caught.value.exceptions == failures[::-1]  # in the order they were stopped
    assert all(notes_of(failure) for failure in failures)
    assert calls[-2:] == ["stop last", "stop first"]


def test_interrupted_stop() -> None:
    """`KeyboardInterrupt` in a `stop` does not keep the other backends from being stopped."""
    calls, backends = failing_to_stop(KeyboardInterrupt(), OSError("stuck"))
    with pytest.raises(BaseExceptionGroup) as caught, running(*backends):
        pass
    assert not isinstance(caught.value, ExceptionGroup)
    assert calls[-1] == "stop first"


def test_failed_stop_after_failed_body() -> None:
    """The exception of `stop` propagates and has that of the body as its context."""
    stuck, body = OSError("stuck"), ValueError("body")
    _, backends = failing_to_stop(stuck)
    with pytest.raises(OSError, match="stuck") as caught, running(*backends):
        raise body
    assert caught.value.__context__ is body


def test_failed_stops_after_failed_start() -> None:
    """The group of exceptions of `stop` has the exception of `start` as its context."""
    _, backends = failing_to_stop(OSError("stuck"), ValueError("odd"))
    down = RuntimeError("down")
    everything = running(*backends, Failing({"start": [down]}))
    with pytest.raises(ExceptionGroup, match="failed to stop") as caught, everything:
        pytest.fail("the body must not run")
    assert caught.value.__context__ is down


# Interpreter exit, in separate processes.


PRELUDE = """
import atexit, sys, threading
from backend_contract import LocalBackend, ensure_started, ensure_stopped, running

class Talking(LocalBackend):
    backend_type = "TALKING"

    def start(self):
        print("starting")
        starting.set()
        assert go_on.wait(30)
        print("started")
        super().start()

    def stop(self):
        print("stopped")
        super().stop()

starting, go_on = threading.Event(), threading.Event()
backend = Talking()
"""


def test_exit_with_atexit() -> None:
    """`atexit` can stop a backend."""
    run = run_python(
        f"{PRELUDE}go_on.set()\natexit.register(ensure_stopped, ensure_started(backend))"
    )
    assert (run.stdout, run.returncode) == ("starting\nstarted\nstopped\n", 0)
    assert run.stderr == ""


def test_exit_stops_nothing() -> None:
    """Nothing is stopped automatically at exit."""
    run = run_python(f"{PRELUDE}go_on.set()\nensure_started(backend)")
    assert (run.stdout, run.stderr) == ("starting\nstarted\n", "")


def test_exit_waits_for_start() -> None:
    """`atexit` waits for a `start` that is under way in another thread."""
    run = run_python(
        f"{PRELUDE}"
        "atexit.register(ensure_stopped, backend)\n"
        "atexit.register(go_on.set)\n"  # runs first: the start is under way until then
        "threading.Thread(target=ensure_started, args=[backend], daemon=True).start()\n"
        "assert starting.wait(30)\n"
        "print('end of the main thread')"
    )
    lines = "starting\nend of the main thread\nstarted\nstopped\n"
    assert (run.stdout, run.stderr) == (lines, "")


def test_exit_in_running() -> None:
    """`running` stops its backends if `sys.exit` ends the block."""
    run = run_python(f"{PRELUDE}go_on.set()\nwith running(backend):\n    sys.exit(7)")
    assert (run.stdout, run.returncode) == ("starting\nstarted\nstopped\n", 7)


def test_interrupt_in_running() -> None:
    """`running` stops its backends if Ctrl-C ends the block."""
    run = run_python(f"{PRELUDE}go_on.set()\nwith running(backend):\n    raise KeyboardInterrupt")
    assert run.stdout == "starting\nstarted\nstopped\n"
    assert "KeyboardInterrupt" in run.stderr


# Sharing.


def test_overlapping() -> None:
    """Two `running` that overlap share a backend; the last one to leave stops it."""
    calls, (backend,) = several("a")
    first, second = running(backend), running(backend)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert calls == ["start a"]
    second.__exit__(None, None, None)
    assert calls == ["start a", "stop a"]


def test_overlapping_already_started() -> None:
    """A backend that no `running` started stays started when the last one leaves."""
    _, (backend,) = several("a")
    ensure_started(backend)
    with running(backend), running(backend):
        pass
    assert backend.is_started


def test_shared_after_failure() -> None:
    """A `running` that fails does not stop the backends that another one holds."""
    calls, (backend,) = several("a")
    with running(backend):
        broken = Failing({"start": [OSError("down")]}, calls=calls)
        with pytest.raises(OSError, match="down"), running(backend, broken):
            pytest.fail("the body must not run")
        assert backend.is_started
    assert calls == ["start a", "stop a"]


def test_sharing_ends() -> None:
    """Nothing is remembered of a backend that nobody holds any more."""
    calls, (backend,) = several("a")
    with running(backend):
        pass
    ensure_started(backend)
    with running(backend):
        pass
    assert backend.is_started
    assert calls == ["start a", "stop a", "start a"]


@pytest.mark.usefixtures("eager_threads")
def test_sharing_under_load() -> None:
    """In every block of every thread the backend is started; at the end it is not."""
    backend = Unreliable(seed=0, fails=0)
    seen: list[bool] = []

    def work(_: int) -> None:
        for _ in range(100):
            with running(backend):
                seen.append(backend.is_started)

    at_once(16, work)
    assert seen == [True] * 1600
    assert backend.wrong == []
    assert backend.started == backend.stopped > 0
    assert not backend.is_started


# Deadlines.


class Hanging(Structural):
    """Blocks in the given member until the test continues it."""

    def __init__(self, member: str) -> None:
        super().__init__()
        self.member = member
        self.go_on, self.stopped = threading.Event(), threading.Event()

    def hang_in(self, member: str) -> None:
        if member == self.member:
            assert self.go_on.wait(WAIT)

    def start(self) -> None:
        self.hang_in("start")
        super().start()

    def stop(self) -> None:
        self.hang_in("stop")
        super().stop()
        self.stopped.set()


def test_start_in_time() -> None:
    """With a *timeout* that is kept, backends start and stop, in another thread."""
    threads: list[threading.Thread] = []

    class Noting(Structural):
        def start(self) -> None:
            threads.append(threading.current_thread())
            super().start()

    backend = Noting()
    assert ensure_started(backend, timeout=WAIT) is backend
    ensure_stopped(backend, timeout=WAIT)
    with running(backend, timeout=WAIT):
        assert backend.is_started
    assert backend.calls == ["start", "stop"] * 2
    assert all(thread.daemon for thread in threads)
    assert threading.current_thread() not in threads


def test_late_start() -> None:
    """A start that does not end in time raises, naming the backend, and is stopped when it ends."""
    backend = Hanging("start")
    with pytest.raises(BackendStartError, match=r"Hanging\.start\(\) .* 0\.05 seconds"):
        ensure_started(backend, timeout=0.05)
    backend.go_on.set()
    assert backend.stopped.wait(WAIT)
    ensure_stopped(backend)
    assert backend.calls == ["start", "stop"]


def test_late_start_in_running() -> None:
    """The backends that started in time are stopped; the late one is stopped when it ends."""
    calls, (early,) = several("early")
    late = Hanging("start")
    together: list[Backend] = [early, late]
    with pytest.raises(BackendStartError), running(*together, timeout=0.05):
        pytest.fail("the body must not run")
    assert calls == ["start early", "stop early"]
    late.go_on.set()
    assert late.stopped.wait(WAIT)


def test_late_stop() -> None:
    """A stop that does not end in time raises, naming the backend, and goes on."""
    backend = ensure_started(Hanging("stop"))
    with pytest.raises(BackendStopError, match=r"Hanging\.stop\(\)"):
        ensure_stopped(backend, timeout=0.05)
    backend.go_on.set()
    assert backend.stopped.wait(WAIT)


def test_deadline_includes_lock() -> None:
    """The time to wait for the lock counts; the start that was given up never happens."""
    backend = Structural()
    with backend.lock, pytest.raises(BackendStartError):
        ensure_started(backend, timeout=0.05)
    ensure_stopped(backend)  # acquires the lock after the thread that was given up, or before it
    assert "start" not in backend.calls


@pytest.mark.parametrize("failure", [OSError("down"), SystemExit(3)])
def test_failure_within_deadline(failure: BaseException) -> None:
    """An exception of `start` in the other thread propagates unchanged."""
    with pytest.raises(type(failure)) as caught:
        ensure_started(Failing({"start": [failure]}), timeout=WAIT)
    assert caught.value is failure


def test_deadline_while_holding_lock() -> None:
    """With a *timeout*, calls while holding the lock raise, and do not wait for themselves."""
    backend = LocalBackend()
    with backend.start_lock():
        with pytest.raises(BackendStartError, match="holds the start lock"):
            ensure_started(backend, timeout=WAIT)
        with pytest.raises(BackendStartError), running(backend, timeout=WAIT):
            pytest.fail("the body must not run")
        ensure_started(backend)
        with pytest.raises(BackendStopError, match="holds the start lock"):
            ensure_stopped(backend, timeout=WAIT)


@pytest.mark.parametrize(
    "timeout", [0, -1, float("inf"), float("nan"), True, False, "1", b"1", 1j, [1], 10**400]
)
def test_invalid_deadline(timeout: Any) -> None:
    """A *timeout* is a finite number of seconds above 0."""
    for call in (ensure_started, ensure_stopped, running, running_async):
        with pytest.raises(ValueError, match="timeout must be"):
            call(Structural(), timeout=timeout)


@pytest.mark.parametrize("timeout", [WAIT, Fraction(WAIT), Decimal(WAIT), 1e300])
def test_valid_deadline(timeout: Any) -> None:
    """Any such number will do, even one that is longer than a lock can wait."""

    class Waiting(Structural):
        def start(self) -> None:
            asked.set()
            assert go_on.wait(WAIT)
            super().start()

    asked, go_on, waiting = threading.Event(), threading.Event(), Waiting()
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(ensure_started, waiting, timeout=timeout)
        assert asked.wait(WAIT)
        go_on.set()
        assert started.result(WAIT).is_started
    ensure_stopped(waiting, timeout=timeout)


# Wrong backends.


def test_start_that_raises_with_flag_set() -> None:
    """If `start` raises after setting the flag, the backend is stopped."""

    class HalfStarted(Structural):
        def start(self) -> None:
            super().start()
            raise OSError("no GPU")

    backend = HalfStarted()
    with pytest.raises(OSError, match="no GPU") as caught:
        ensure_started(backend)
    (note,) = notes_of(caught.value)
    assert note.startswith("while starting")
    assert note.endswith("HalfStarted")
    with pytest.raises(OSError, match="no GPU"), running(backend):
        pytest.fail("the body must not run")
    assert backend.calls == ["start", "stop"] * 2


def test_async_stop() -> None:
    """An `async` stop violates BC309, and its coroutine causes no warning."""

    class Async(LocalBackend):
        async def stop(self) -> None:  # type: ignore[override]  # wrong on purpose
            self._started = False

    with pytest.raises(BackendStopError) as error:
        ensure_stopped(ensure_started(Async()))
    assert clause_of(error) == "BC309"


@pytest.mark.parametrize("name", ["start_lock", "is_started"])
@pytest.mark.parametrize("call", [ensure_started, ensure_stopped])
def test_other_async_member(name: str, call: Callable[[Any], object]) -> None:
    """An `async` lock or flag is an error, and no coroutine is left to warn of."""

    async def member(_: object) -> None: ...

    kind = type("Async", (NeverStarted,), {})
    backend = kind()
    setattr(kind, name, property(member) if name == "is_started" else member)
    if (name, call) == ("is_started", ensure_stopped):
        call(backend)  # not started
        assert backend.calls == []
    else:
        with pytest.raises(ContractError) as caught:
            call(backend)
        assert clause_of(caught) == ("BC401" if name == "start_lock" else "BC302")
    gc.collect()  # pytest fails if there is a warning


class Awaitable(AbstractContextManager[object]):
    """A lock that can be awaited too."""

    def __await__(self) -> Iterator[None]:
        yield None

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("lock", [None, object(), Awaitable()])
def test_lock_kinds(lock: Any) -> None:
    """A lock is anything that `with` accepts, and nothing else."""

    class Locking(Structural):
        def start_lock(self) -> Any:
            return lock

    if isinstance(lock, Awaitable):
        assert ensure_started(Locking()).is_started
    else:
        with pytest.raises(BackendStartError, match="must return a context manager") as caught:
            ensure_started(Locking())
        assert clause_of(caught) == "BC401"


def test_odd_return_value() -> None:
    """A returned value that answers every attribute is not taken for a coroutine."""

    class AnswersAll:
        def __getattr__(self, name: str) -> object:
            return lambda: pytest.fail(f"{name} was called")

    class Fluent(Structural):
        def start(self) -> Any:
            super().start()
            return AnswersAll()

    assert ensure_started(Fluent()).is_started


def test_lock_that_suppresses_stop() -> None:
    """A lock that suppresses the exception of `stop` violates BC403."""

    class StuckAndSilent(Suppressing):
        def start(self) -> None:
            self._started = True

        def stop(self) -> None:
            raise OSError("stuck")

    with pytest.raises(BackendStopError, match="suppressed") as error:
        ensure_stopped(ensure_started(StuckAndSilent()))
    assert clause_of(error) == "BC403"
    with pytest.raises(BackendStopError) as error, running(StuckAndSilent()):
        pass
    assert clause_of(error) == "BC403"


@pytest.mark.parametrize("failure", [StopIteration(), GeneratorExit()])
def test_generator_exceptions(failure: BaseException) -> None:
    """Exceptions that mean something to generators propagate unchanged."""
    with pytest.raises(type(failure)) as caught, running(Failing({"start": [failure]})):
        pytest.fail("the body must not run")
    assert caught.value is failure


# Ctrl-C.


def interrupt(backends: tuple[Backend, ...], at: int, phase: str, timeout: float | None) -> bool:
    """Raise `KeyboardInterrupt` at the line *at* of the package; return whether there is one."""
    files = {module.__file__ for module in (attempts, shared_blocks, transitions)}
    lines, armed = 0, phase == "enter"

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines, armed
        if frame.f_code.co_filename not in files:
            return None
        if armed and event == "line":
            lines += 1
            if lines == at:
                armed = False
                raise KeyboardInterrupt
        return trace

    gc.collect()  # what earlier interruptions left in cycles is stopped here
    context = running(*backends, timeout=timeout)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with context:
            armed = armed or (phase == "exit" and lines < at)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("timeout", [None, WAIT])
@pytest.mark.parametrize("phase", ["enter", "exit"])
def test_interrupted_anywhere(phase: str, timeout: float | None) -> None:
    """Wherever Ctrl-C arrives while entering or leaving, all backends are stopped."""
    at = 1
    gc.freeze()  # makes collections quick
    backends = LocalBackend(), LocalBackend()
    of_other_tests = {*threading.enumerate()}
    while interrupt(backends, at, phase, timeout):
        for thread in {*threading.enumerate()} - of_other_tests:
            thread.join(WAIT)
        assert [backend.is_started for backend in backends] == [False, False], at
        at += 1
    gc.unfreeze()
    assert at > 50
    with running(*backends):  # nothing is left of the interrupted ones
        pass
    assert not any(backend.is_started for backend in backends)


def test_dropped_block() -> None:
    """A block that nothing can leave any more has been left; only the last holder stops."""
    backend = Structural()
    with running(backend):
        running(backend).__enter__()
        assert backend.is_started
    running(backend).__enter__()
    assert backend.calls == ["start", "stop"] * 2


@pytest.mark.parametrize("member", ["start", "stop"])
def test_dropped_after_deadline(member: str) -> None:
    """Dropping a block does not wait for a call that it gave up."""
    late = Hanging(member)
    errors = BackendStartError, BackendStopError
    with pytest.raises(errors), running(late, timeout=0.05):
        pass
    assert not late.stopped.is_set()
    late.go_on.set()
    assert late.stopped.wait(WAIT)


def test_interrupted_start() -> None:
    """If Ctrl-C interrupts a `start`, `stop` is called, whether or not the flag is set."""

    class Interrupted(Structural):
        def start(self) -> None:
            self.calls.append("start")
            raise KeyboardInterrupt

    backend = Interrupted()
    with pytest.raises(KeyboardInterrupt), running(backend):
        pytest.fail("the body must not run")
    assert backend.calls == ["start", "stop"]


def test_interrupted_before_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """If Ctrl-C arrives while the thread of a deadline starts, `start` is not called later."""
    late: list[threading.Thread] = []
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if late:
            return start(thread)
        late.append(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    backend = Structural()
    with pytest.raises(KeyboardInterrupt), running(backend, timeout=WAIT):
        pytest.fail("the body must not run")
    start(late[0])
    late[0].join(WAIT)
    assert backend.calls == []


INTERRUPTED_START = """
import os, signal, threading
from backend_contract import LocalBackend, running

interrupted, left = threading.Event(), threading.Event()

def interrupt(*_):
    interrupted.set()
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)

class Slow(LocalBackend):
    def start(self):
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait(20)
        left.wait(0.5)
        super().start()

    def stop(self):
        print("stopped after start:", self._started)
        super().stop()

try:
    with running(Slow(), timeout=20):
        print("the body must not run")
except KeyboardInterrupt:
    print("interrupted")
left.set()
"""


def test_interrupted_start_with_deadline() -> None:
    """Ctrl-C propagates when the `start` under way is undone: the process may end then."""
    run = run_python(INTERRUPTED_START)
    assert run.stdout.splitlines() == ["stopped after start: True", "interrupted"], run.stderr


# Processes and logging.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork() -> None:
    """A forked child stops nothing of its parent, and does not hang, whoever holds the lock."""
    run = run_python(
        "import os, threading\n"
        "from backend_contract import LocalBackend, running\n"
        "class Told(LocalBackend):\n"
        "    def stop(self):\n"
        "        print('stopped in', 'parent' if os.getpid() == parent else 'child', flush=True)\n"
        "        super().stop()\n"
        "parent, backend = os.getpid(), Told()\n"
        "held, free = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with backend.start_lock():\n"
        "        held.set(); free.wait(30)\n"
        "with running(backend):\n"
        "    thread = threading.Thread(target=hold); thread.start(); held.wait(30)\n"
        "    child = os.fork()\n"
        "    if child:\n"
        "        free.set(); thread.join(); os.waitpid(child, 0)\n"
        "if child == 0: os._exit(0)"
    )
    assert (run.stdout, run.returncode) == ("stopped in parent\n", 0), run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_during_import() -> None:
    """A child that is forked while another thread imports `logging` starts backends."""
    run = run_python(
        "import os, sys, threading\n"
        "from importlib.machinery import ModuleSpec\n"
        "from backend_contract import LocalBackend, ensure_started\n"
        "importing, go_on = threading.Event(), threading.Event()\n"
        "class Importer:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return ModuleSpec(name, self) if name == 'logging' else None\n"
        "    def create_module(self, spec): return None\n"
        "    def exec_module(self, module): importing.set(); assert go_on.wait(20)\n"
        "sys.meta_path.insert(0, Importer())\n"
        "thread = threading.Thread(target=__import__, args=['logging'])\n"
        "thread.start()\n"
        "assert importing.wait(20)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    print(ensure_started(LocalBackend()).is_started, flush=True)\n"
        "    os._exit(0)\n"
        "go_on.set(); thread.join(); os.waitpid(child, 0)"
    )
    assert run.stdout == "True\n", run.stderr


def test_logging_partly_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another thread imports `logging`, backends start and stop as without it."""
    monkeypatch.setitem(sys.modules, "logging", ModuleType("logging"))
    backend = Structural()
    with running(backend):
        assert backend.is_started
    assert backend.calls == ["start", "stop"]


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    """Starts, stops and failures are records of the logger `backend_contract`."""
    failing = Failing({"start": [OSError("down")]})
    with caplog.at_level("INFO", logger="backend_contract"):
        with pytest.raises(OSError, match="down"):
            ensure_started(failing)
        with running(failing):
            pass
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "INFO", "INFO"]
    assert all(record.name == "backend_contract" for record in caplog.records)
    assert all(f"{__name__}.Failing" in record.getMessage() for record in caplog.records)


def test_logging_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """A call that does not end in time is a failure, before it ends."""
    backend = Structural()
    with ThreadPoolExecutor(1) as pool, backend.start_lock():
        overdue = pool.submit(ensure_started, backend, timeout=0.01)
        message = str(overdue.exception(WAIT))
    assert "did not end within 0.01 seconds" in message
    record = next(each for each in caplog.records if each.getMessage() == message)
    assert (record.name, record.levelname) == ("backend_contract", "ERROR")


class OddError(Exception):
    """An exception that cannot be formatted."""

    def __bool__(self) -> bool:
        raise RuntimeError("no truth value")

    __notes__ = property(__bool__)


@pytest.mark.parametrize("name", ["start", "stop"])
def test_logging_odd_exception(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that the log cannot show propagates unchanged."""
    failure = OddError()
    backend = Failing({name: [failure]})
    with pytest.raises(OddError) as caught, running(backend):
        pass
    assert caught.value is failure


@pytest.mark.parametrize("name", ["start", "stop"])
def test_reused_exception(name: str) -> None:
    """An exception that is raised again and again keeps the traceback of the last call only."""
    failure = OSError("down")
    backend = Failing({})
    lengths = []
    for _ in range(5):
        backend.failures[name] = [failure]
        with pytest.raises(OSError, match="down"), running(backend):
            pass
        lengths.append(len(traceback.extract_tb(failure.__traceback__)))
        ensure_stopped(backend)
    assert lengths[4] == lengths[1]


def test_traceback_of_nested_start() -> None:
    """The traceback of a backend that another one starts is kept."""
    inner = Failing({"start": [OSError("down")]})

    class Outer(Structural):
        def start(self) -> None:
            ensure_started(inner)

    with pytest.raises(OSError, match="down") as caught:
        ensure_started(Outer())
    names = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert names.count("start_if_needed") == 2
    assert names[-1] == "start"


def test_no_output_without_logging_setup() -> None:
    """A program that configures no logging sees nothing on standard error."""
    run = run_python(
        "import logging\n"
        "from backend_contract import LocalBackend, running\n"
        "class Down(LocalBackend):\n"
        "    def start(self): raise OSError('down')\n"
        "try:\n"
        "    with running(Down()): pass\n"
        "except OSError: print('raised')"
    )
    assert (run.stdout, run.stderr) == ("raised\n", "")


# Under load.


class Unreliable(Structural):
    """Fails at random, from a seed, and notes wrong uses."""

    def __init__(self, seed: int, fails: float = 0.2) -> None:
        super().__init__()
        self.fails = fails
        self.random = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
        self.inside = threading.Lock()
        self.wrong: list[str] = []
        self.started, self.stopped, self.failed = 0, 0, 0

    def become(self, started: bool) -> bool:
        """Set the flag, or fail; return whether this was a correct use."""
        if not self.inside.acquire(blocking=False):
            self.wrong.append("start or stop was entered by two threads at once")
            return False
        try:
            if self.is_started is started:
                self.wrong.append(f"is_started is {started} already")
            if self.random.random() < self.fails:
                self.failed += 1
                raise OSError("at random")
            self.is_started = started
        finally:
            self.inside.release()
        return True

    def start(self) -> None:
        self.started += self.become(True)

    def stop(self) -> None:
        self.stopped += self.become(False)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("seed", [1, 2])
def test_load(seed: int) -> None:
    """Under load, a backend is started exactly as often as it is stopped."""
    backend = Unreliable(seed)

    def work(number: int) -> int:
        choices = random.Random(seed * 1000 + number)  # noqa: S311 - as above
        failures = 0
        for _ in range(500):
            call: Callable[..., object] = choices.choice([ensure_started, ensure_stopped])
            try:
                call(backend)
            except OSError:
                failures += 1
        return failures

    seen = at_once(64, work)
    while backend.is_started:
        try:
            ensure_stopped(backend)
        except OSError:
            seen.append(1)
    assert backend.wrong == []
    assert backend.started == backend.stopped > 0
    assert sum(seen) == backend.failed > 0


class Lifecycle(RuleBasedStateMachine):
    """Three backends, compared with a model: the set of the numbers that are started."""

    @initialize()
    def begin(self) -> None:
        self.calls: list[str] = []
        self.expected: list[str] = []
        self.backends = [Failing({}, name=str(n), calls=self.calls) for n in range(3)]
        self.started: set[int] = set()

    def start(self, number: int, fails: bool) -> bool:
        """Start *number* in the model; return whether it succeeds."""
        if number in self.started:
            return True
        if fails:
            self.backends[number].failures["start"] = [OSError("start")]
            return False
        self.started.add(number)
        self.expected.append(f"start {number}")
        return True

    def stop(self, number: int) -> None:
        """Stop *number* in the model."""
        if number in self.started:
            self.started.remove(number)
            self.expected.append(f"stop {number}")

    @rule(number=st.integers(0, 2), fails=st.booleans())
    def ensure_started(self, number: int, fails: bool) -> None:
        if self.start(number, fails):
            ensure_started(self.backends[number])
        else:
            with pytest.raises(OSError, match="start"):
                ensure_started(self.backends[number])

    @rule(number=st.integers(0, 2), fails=st.booleans())
    def ensure_stopped(self, number: int, fails: bool) -> None:
        if number in self.started and fails:
            self.backends[number].failures["stop"] = [OSError("stop")]
            with pytest.raises(OSError, match="stop"):
                ensure_stopped(self.backends[number])
        else:
            self.stop(number)
            ensure_stopped(self.backends[number])

    @rule(numbers=st.lists(st.integers(0, 2), max_size=4), broken=st.integers(0, 4))
    def running(self, numbers: list[int], broken: int) -> None:
        started_here: list[int] = []
        works = True
        for index, number in enumerate(numbers):
            before = number in self.started
            works = self.start(number, fails=index == broken)
            if not works:
                break
            if not before:
                started_here.append(number)
        for number in reversed(started_here):
            self.stop(number)
        chosen = [self.backends[number] for number in numbers]
        if works:
            with running(*chosen):
                pass
        else:
            with pytest.raises(OSError, match="start"), running(*chosen):
                pytest.fail("the body must not run")

    @invariant()
    def agrees_with_model(self) -> None:
        if hasattr(self, "backends"):
            assert self.calls == self.expected
            assert {n for n, b in enumerate(self.backends) if b.is_started} == self.started
            assert not any(backend.lock.locked() for backend in self.backends)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=100, stateful_step_count=30)
