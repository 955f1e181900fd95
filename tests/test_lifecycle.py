from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backend_contract import (
    Backend,
    BackendStartError,
    ContractError,
    LocalBackend,
    ensure_started,
    ensure_stopped,
    running,
)

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

WAIT = 30  # seconds after which a test that hangs is given up


class Structural:
    """Inherits nothing, has a lock that is not re-entrant, and keeps a record of its calls."""

    backend_type = "STRUCTURAL"

    def __init__(self, name: str = "", calls: list[str] | None = None) -> None:
        self.is_started = False
        self.name = name
        self.calls = [] if calls is None else calls
        self.lock = threading.Lock()
        self.locked = 0

    def register_config(self, config: object) -> None:
        raise NotImplementedError

    def start(self) -> None:
        self.calls.append(f"start {self.name}".strip())
        self.is_started = True

    def stop(self) -> None:
        self.calls.append(f"stop {self.name}".strip())
        self.is_started = False

    def start_lock(self) -> AbstractContextManager[object]:
        self.locked += 1
        return self.lock

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None:
        raise AssertionError("nobody asked for that")


class Failing(Structural):
    """Fails in the methods it is told to, as often as it is told to."""

    def __init__(self, failures: dict[str, list[BaseException]], **arguments: Any) -> None:
        super().__init__(**arguments)
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
    def start(self) -> None:
        self.calls.append("start")


class NeverStopped(Structural):
    def stop(self) -> None:
        self.calls.append("stop")


@pytest.mark.parametrize("kind", [Structural, LocalBackend])
def test_a_backend_is_started_and_given_back_and_stopped(kind: type[Any]) -> None:
    backend = kind()
    assert ensure_started(backend) is backend
    assert backend.is_started is True
    ensure_stopped(backend)
    assert backend.is_started is False


def test_start_and_stop_are_called_only_where_there_is_something_to_do() -> None:
    backend = Structural()
    ensure_stopped(backend)
    for _ in range(2):
        ensure_started(backend)
    for _ in range(2):
        ensure_stopped(backend)
    ensure_started(backend)
    assert backend.calls == ["start", "stop", "start"]


def test_no_lock_is_taken_for_a_backend_that_is_started() -> None:
    backend = ensure_started(Structural())
    assert backend.locked == 1
    with backend.lock:  # it is not re-entrant: taking it here would never return
        ensure_started(backend)
    assert backend.locked == 1


def test_stopping_always_takes_the_lock() -> None:
    backend = Structural()
    ensure_stopped(backend)
    assert backend.locked == 1


def test_what_was_started_while_waiting_for_the_lock_is_not_started_again() -> None:
    class StartedMeanwhile(Structural):
        def start_lock(self) -> AbstractContextManager[object]:
            self.is_started = True  # by the thread that held the lock
            return super().start_lock()

    assert ensure_started(StartedMeanwhile()).calls == []
    with running(StartedMeanwhile()) as (backend,):
        pass
    assert backend.calls == []  # nor stopped: it is somebody else's
    assert backend.is_started


@pytest.mark.parametrize("kind", [NeverStarted, Structural])
def test_a_start_that_does_not_start_is_an_error_with_its_clause(kind: type[Structural]) -> None:
    backend = kind()
    if kind is Structural:
        ensure_started(backend)
        return
    with pytest.raises(BackendStartError) as error:
        ensure_started(backend)
    assert error.value.clause is not None
    assert error.value.clause.id == "BC302"
    message = str(error.value)
    assert message.startswith(f"BC302: {__name__}.NeverStarted.start() returned")
    assert "is_started is False" in message
    assert not backend.lock.locked()


@pytest.mark.parametrize("value", [1, "yes", lambda: True])
def test_only_true_is_started(value: object) -> None:
    class Odd(Structural):
        def start(self) -> None:
            self.is_started = value  # type: ignore[assignment]  # wrong on purpose

    with pytest.raises(BackendStartError, match="BC302"):
        ensure_started(Odd())
    odd = Structural()
    odd.is_started = value  # type: ignore[assignment]  # wrong on purpose
    assert ensure_started(odd).calls == ["start"]


def test_a_stop_that_does_not_stop_is_an_error_with_its_clause() -> None:
    backend = ensure_started(NeverStopped())
    with pytest.raises(ContractError, match=r"^BC303: .*NeverStopped\.stop\(\) returned") as error:
        ensure_stopped(backend)
    assert error.value.clause is not None
    assert error.value.clause.id == "BC303"
    assert not backend.lock.locked()


@pytest.mark.parametrize("failure", [OSError("down"), KeyboardInterrupt(), SystemExit(3)])
def test_a_failed_start_arrives_as_it_is_and_may_be_repeated(failure: BaseException) -> None:
    backend = Failing({"start": [failure]})
    with pytest.raises(type(failure)) as caught:
        ensure_started(backend)
    assert caught.value is failure
    assert not backend.lock.locked()
    assert ensure_started(backend).is_started


def test_a_failed_stop_arrives_as_it_is_and_may_be_repeated() -> None:
    failure = OSError("busy")
    backend = ensure_started(Failing({"stop": [failure]}))
    with pytest.raises(OSError, match="busy") as caught:
        ensure_stopped(backend)
    assert caught.value is failure
    assert not backend.lock.locked()
    ensure_stopped(backend)
    assert not backend.is_started


def test_the_lock_of_a_backend_base_may_be_held_already() -> None:
    backend = LocalBackend()
    with backend.start_lock():
        with running(backend):
            assert backend.is_started
        ensure_started(backend)
        ensure_stopped(backend)
    assert not backend.is_started


def test_of_many_threads_one_starts_and_all_return_when_it_has() -> None:
    everybody = threading.Barrier(16)
    backend = Structural()

    def start() -> bool:
        everybody.wait(WAIT)
        return ensure_started(backend).is_started

    with ThreadPoolExecutor(16) as pool:
        assert all(future.result(WAIT) for future in [pool.submit(start) for _ in range(16)])
    assert backend.calls == ["start"]


class Slow(Structural):
    """Whose start does not end before the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.starting, self.go_on = threading.Event(), threading.Event()
        self.asked = threading.Event()

    def start(self) -> None:
        self.starting.set()
        assert self.go_on.wait(WAIT)
        super().start()

    def start_lock(self) -> AbstractContextManager[object]:
        if self.starting.is_set():
            self.asked.set()
        return super().start_lock()


def test_stopping_during_a_start_waits_for_its_end_and_then_stops() -> None:
    backend = Slow()
    with ThreadPoolExecutor(2) as pool:
        start = pool.submit(ensure_started, backend)
        assert backend.starting.wait(WAIT)
        stop = pool.submit(ensure_stopped, backend)
        assert backend.asked.wait(WAIT)
        assert not stop.done()
        backend.go_on.set()
        assert start.result(WAIT) is backend
        stop.result(WAIT)
    assert backend.calls == ["start", "stop"]
    assert not backend.is_started


def test_a_started_backend_is_not_held_up_by_whoever_holds_its_lock() -> None:
    backend = ensure_started(Structural())
    with backend.lock, ThreadPoolExecutor(1) as pool:
        assert pool.submit(ensure_started, backend).result(WAIT) is backend


# running


def several(*names: str) -> tuple[list[str], list[Structural]]:
    calls: list[str] = []
    return calls, [Structural(name, calls) for name in names]


def test_backends_are_started_in_order_and_stopped_in_reverse() -> None:
    calls, backends = several("a", "b", "c")
    with running(*backends) as given:
        assert given == tuple(backends)
        assert calls == ["start a", "start b", "start c"]
    assert calls[3:] == ["stop c", "stop b", "stop a"]


def test_running_nothing_is_fine() -> None:
    none: tuple[Backend, ...] = ()
    with running(*none) as given:
        assert given == ()


def test_what_ran_before_goes_on_running() -> None:
    calls, backends = several("a", "b")
    ensure_started(backends[0])
    with running(*backends):
        pass
    assert calls == ["start a", "start b", "stop b"]
    assert backends[0].is_started


def test_a_backend_given_twice_is_started_and_stopped_once() -> None:
    calls, (backend,) = several("a")
    with running(backend, backend), running(backend):
        pass
    assert calls == ["start a", "stop a"]


def test_what_the_body_has_stopped_is_not_stopped_again() -> None:
    calls, (backend,) = several("a")
    with running(backend):
        ensure_stopped(backend)
    assert calls == ["start a", "stop a"]


def test_backends_that_compare_equal_are_told_apart() -> None:
    class Equal(Structural):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # a backend need not be hashable

    calls: list[str] = []
    ensure_started(first := Equal("a", calls))
    with running(first, Equal("b", calls)):
        pass
    assert calls == ["start a", "start b", "stop b"]


@pytest.mark.parametrize("failure", [ValueError("body"), KeyboardInterrupt(), SystemExit(2)])
def test_a_failing_body_stops_all_and_arrives_as_it_is(failure: BaseException) -> None:
    calls, backends = several("a", "b")
    with pytest.raises(type(failure)) as caught, running(*backends):
        raise failure
    assert caught.value is failure
    assert calls[2:] == ["stop b", "stop a"]


def test_a_later_start_that_fails_stops_the_earlier_ones_and_arrives_as_it_is() -> None:
    calls, backends = several("a", "b", "d")
    failure = OSError("c is down")
    failing = Failing({"start": [failure]}, name="c", calls=calls)
    everything = running(*backends[:2], failing, backends[2])
    with pytest.raises(OSError, match="c is down") as caught, everything:
        pytest.fail("the body must not run")
    assert caught.value is failure
    assert calls == ["start a", "start b", "stop b", "stop a"]


def failing_to_stop(*failures: BaseException) -> tuple[list[str], list[Structural]]:
    """Two of them fail to stop, the others stop."""
    calls, (first, last) = several("first", "last")
    middle = [Failing({"stop": [failure]}, name="?", calls=calls) for failure in failures]
    return calls, [first, *middle, last]


def notes(failure: BaseException) -> list[str]:
    return getattr(failure, "__notes__", [])


def test_one_stop_that_fails_arrives_as_it_is_and_the_others_are_stopped() -> None:
    failure = OSError("stuck")
    calls, backends = failing_to_stop(failure)
    with pytest.raises(OSError, match="stuck") as caught, running(*backends):
        pass
    assert caught.value is failure
    assert notes(failure) == [f"while stopping {__name__}.Failing"]
    assert calls[-2:] == ["stop last", "stop first"]


def test_several_stops_that_fail_arrive_together() -> None:
    failures = OSError("stuck"), ValueError("odd")
    calls, backends = failing_to_stop(*failures)
    together = pytest.raises(ExceptionGroup, match="2 backends failed to stop")
    with together as caught, running(*backends):
        pass
    assert caught.value.exceptions == failures[::-1]  # in the order they were stopped
    assert calls[-2:] == ["stop last", "stop first"]


def test_an_interrupted_stop_does_not_keep_the_others_from_being_stopped() -> None:
    calls, backends = failing_to_stop(KeyboardInterrupt(), OSError("stuck"))
    with pytest.raises(BaseExceptionGroup) as caught, running(*backends):
        pass
    assert not isinstance(caught.value, ExceptionGroup)
    assert calls[-1] == "stop first"


def test_a_failing_stop_after_a_failing_body_is_as_with_finally() -> None:
    stuck, body = OSError("stuck"), ValueError("body")
    _, backends = failing_to_stop(stuck)
    with pytest.raises(OSError, match="stuck") as caught, running(*backends):
        raise body
    assert caught.value.__context__ is body


def test_failing_stops_after_a_failing_start_are_as_with_finally() -> None:
    _, backends = failing_to_stop(OSError("stuck"), ValueError("odd"))
    down = RuntimeError("down")
    everything = running(*backends, Failing({"start": [down]}))
    with pytest.raises(ExceptionGroup, match="failed to stop") as caught, everything:
        pytest.fail("the body must not run")
    assert caught.value.__context__ is down


# the end of the interpreter, in processes of their own


PRELUDE = """
import atexit, sys, threading
from backend_contract import LocalBackend, ensure_started, ensure_stopped, running

class Mine(LocalBackend):
    backend_type = "MINE"

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
backend = Mine()
"""


def ends(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def test_the_end_of_the_interpreter_stops_what_atexit_was_told_to() -> None:
    run = ends("go_on.set()\natexit.register(ensure_stopped, ensure_started(backend))")
    assert (run.stdout, run.returncode) == ("starting\nstarted\nstopped\n", 0)
    assert run.stderr == ""


def test_the_end_of_the_interpreter_stops_nothing_by_itself() -> None:
    run = ends("go_on.set()\nensure_started(backend)")
    assert (run.stdout, run.stderr) == ("starting\nstarted\n", "")


def test_atexit_waits_for_a_start_that_is_under_way() -> None:
    run = ends(
        "atexit.register(ensure_stopped, backend)\n"
        "atexit.register(go_on.set)\n"  # runs first: the start is under way until then
        "threading.Thread(target=ensure_started, args=[backend], daemon=True).start()\n"
        "assert starting.wait(30)\n"
        "print('end of the main thread')"
    )
    lines = "starting\nend of the main thread\nstarted\nstopped\n"
    assert (run.stdout, run.stderr) == (lines, "")


def test_sys_exit_within_running_stops() -> None:
    run = ends("go_on.set()\nwith running(backend):\n    sys.exit(7)")
    assert (run.stdout, run.returncode) == ("starting\nstarted\nstopped\n", 7)


# under load


class Unreliable(Structural):
    """Fails at random, from a seed, and sees when it is used in two ways at once."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.inside = threading.Lock()
        self.wrong: list[str] = []
        self.started, self.stopped, self.failed = 0, 0, 0

    def become(self, started: bool) -> bool:
        """Whether it worked; called by one thread at a time, and never for what is so already."""
        if not self.inside.acquire(blocking=False):
            self.wrong.append("start or stop was entered by two at once")
            return False
        try:
            if self.is_started is started:
                self.wrong.append(f"is_started is {started} already")
            if self.random.random() < 0.2:
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


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("seed", [1, 2])
def test_under_load_a_backend_is_started_exactly_as_often_as_it_is_stopped(seed: int) -> None:
    threads, rounds = 64, 500
    backend = Unreliable(seed)
    everybody = threading.Barrier(threads)

    def work(number: int) -> int:
        own = random.Random(seed * 1000 + number)  # noqa: S311 - as above
        failures = 0
        everybody.wait(WAIT)
        for _ in range(rounds):
            call: Callable[..., object] = own.choice([ensure_started, ensure_stopped])
            try:
                call(backend)
            except OSError:
                failures += 1
        return failures

    with ThreadPoolExecutor(threads) as pool:
        seen = [future.result(120) for future in [pool.submit(work, n) for n in range(threads)]]
    while backend.is_started:
        try:
            ensure_stopped(backend)
        except OSError:
            seen.append(1)
    assert backend.wrong == []
    assert backend.started == backend.stopped > 0
    assert sum(seen) == backend.failed > 0


class Lifecycle(RuleBasedStateMachine):
    """Three backends, against a model of what is started that is a set of numbers."""

    @initialize()
    def begin(self) -> None:
        self.calls: list[str] = []
        self.expected: list[str] = []
        self.backends = [Failing({}, name=str(n), calls=self.calls) for n in range(3)]
        self.started: set[int] = set()

    def start(self, number: int, fails: bool) -> bool:
        """What the model does; whether it works out."""
        if number in self.started:
            return True
        if fails:
            self.backends[number].failures["start"] = [OSError("start")]
            return False
        self.started.add(number)
        self.expected.append(f"start {number}")
        return True

    def stop(self, number: int) -> None:
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
        ours: list[int] = []
        works = True
        for place, number in enumerate(numbers):
            before = number in self.started
            works = self.start(number, fails=place == broken)
            if not works:
                break
            if not before:
                ours.append(number)
        for number in reversed(ours):
            self.stop(number)
        chosen = [self.backends[number] for number in numbers]
        if works:
            with running(*chosen):
                pass
        else:
            with pytest.raises(OSError, match="start"), running(*chosen):
                pytest.fail("the body must not run")

    @invariant()
    def the_model_is_right(self) -> None:
        if hasattr(self, "backends"):
            assert self.calls == self.expected
            assert {n for n, b in enumerate(self.backends) if b.is_started} == self.started
            assert not any(backend.lock.locked() for backend in self.backends)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=100, stateful_step_count=30)


class Swallowing(LocalBackend):
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        with self._start_lock, suppress(Exception):
            yield

    def start(self) -> None:
        raise OSError("no server")


def test_a_lock_that_swallows_a_failed_start_is_told_of() -> None:
    with pytest.raises(BackendStartError, match="swallowed") as error:
        ensure_started(Swallowing())
    assert error.value.clause is not None
    assert error.value.clause.id == "BC403"
    with pytest.raises(BackendStartError, match="swallowed"), running(Swallowing()):
        raise AssertionError("the body is not reached")


def test_an_async_start_is_told_of_by_its_clause() -> None:
    class Async(LocalBackend):
        async def start(self) -> None:  # type: ignore[override]  # wrong on purpose
            self._started = True

    with pytest.raises(BackendStartError, match="BC309"):
        ensure_started(Async())
