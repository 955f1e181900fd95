"""BC4xx: the lock of a backend, and who sees it started."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from backend_contract._conformance.behavioural.calls import WorkerCall, describe_exception
from backend_contract._conformance.behavioural.helpers import (
    InjectedError,
    inject_work,
    must_start,
    must_stop,
)
from backend_contract._conformance.behavioural.table import tries
from backend_contract._conformance.behavioural.trial import (
    WINDOW,
    StopTrial,
    Trial,
    unchecked,
    violated,
)
from backend_contract.protocol import Backend


@tries(
    "BC401",
    """\
import threading
backend = make()
def enter():
    with backend.start_lock():
        entered.append(True)
entered = []
enter()
other = threading.Thread(target=enter, daemon=True)
other.start()
other.join(5)
assert len(entered) == 2""",
)
def _the_lock_is_a_context_manager(trial: Trial) -> None:
    backend = trial.new()
    _enter_and_leave(trial, backend)
    # In another thread: to this one, a lock that was not freed may be open.
    trial.in_thread(lambda: _enter_and_leave(trial, backend), "a thread at the lock").result()


def _enter_and_leave(trial: Trial, backend: Backend) -> None:
    lock = trial.call("start_lock()", backend.start_lock)
    if not (hasattr(type(lock), "__enter__") and hasattr(type(lock), "__exit__")):
        raise violated(f"start_lock() returned {lock!r}")
    trial.call("the lock, on entering,", lock.__enter__)
    trial.call("the lock, on leaving,", lock.__exit__, None, None, None)


@tries(
    "BC402",
    """\
import threading
backend, entered = make(), threading.Event()
def enter():
    with backend.start_lock():
        entered.set()
other = threading.Thread(target=enter, daemon=True)
with backend.start_lock():
    other.start()
    assert not entered.wait(0.2), "two threads are inside"
assert entered.wait(5)""",
)
def _nobody_else_enters(trial: Trial) -> None:
    backend = trial.new()
    _only_one_enters(trial, backend, backend.start_lock, "of another call")
    early = backend.start_lock()
    _only_one_enters(trial, backend, lambda: early, "of an earlier call")


def _only_one_enters(
    trial: Trial, backend: Backend, lock: Callable[[], AbstractContextManager[object]], whose: str
) -> None:
    arrived = trial.event()

    def enter() -> None:
        manager = lock()
        arrived.set()
        with manager:
            pass

    with backend.start_lock():
        other = trial.in_thread(enter, "a thread that wants to enter")
        arrived.wait()
        if other.ended_within(WINDOW):
            other.result()
            raise violated(f"a second thread was inside as well, by the manager {whose}")
    other.result()


@tries(
    "BC403",
    """\
import threading
backend, entered = make(), threading.Event()
try:
    with backend.start_lock():
        raise RuntimeError
    raise AssertionError("the lock has swallowed what was raised")
except RuntimeError:
    pass
def enter():
    with backend.start_lock():
        entered.set()
threading.Thread(target=enter, daemon=True).start()
assert entered.wait(5), "the lock is still held\"""",
)
def _the_lock_is_free_after_an_error(trial: Trial) -> None:
    backend = trial.new()
    arrived = False
    try:
        with backend.start_lock():
            raise InjectedError("made by the conformance kit, in the body of the lock")
    except InjectedError:
        arrived = True
    if not arrived:
        raise violated(
            "the lock has swallowed what the body raised: a failed start would look fine"
        )
    trial.set_description("another thread waited for the lock, after the body raised")
    trial.in_thread(lambda: _enter_and_leave(trial, backend), "a thread after that").result()


@tries(
    "BC404",
    """\
import threading
backend = make()
def work():
    with backend.start_lock():
        backend.start()
        assert backend.is_started
        backend.stop()
thread = threading.Thread(target=work, daemon=True)
thread.start()
thread.join(5)
assert not thread.is_alive(), "start() or stop() waits for the lock that its caller holds\"""",
)
def _members_work_under_the_lock(trial: Trial) -> None:
    backend = trial.new()
    with backend.start_lock():
        trial.is_started(backend, "under the lock")
        must_start(trial, backend, "start(), under the lock,")
        must_stop(trial, backend, "stop(), under the lock,")


@tries(
    "BC405",
    """\
# with `connect` standing for what `start` does before it is done
backend = make()
backend.connect = lambda: seen.append(backend.is_started)
seen = []
backend.start()
assert seen == [False], seen""",
    after=("BC401",),
)
def _nobody_sees_it_started_too_early(trial: Trial) -> None:
    if trial.holds("BC401"):
        _is_started_before_the_lock_is_had(trial)
    backend = trial.new()
    reached, go_on = threading.Event(), trial.event()

    def work() -> None:
        reached.set()
        go_on.wait()

    inject_work(trial, backend, work)
    start = trial.in_thread(backend.start, "start()")
    trial.set_description("start() was held open, and never came to what `during_start` was given")
    while not reached.is_set() and not start.ended_within(0.01):
        pass
    if not reached.is_set():
        _ends_well(start)
        raise unchecked("start() did not call what `during_start` was given")
    read = trial.in_thread(lambda: backend.is_started, "is_started, while start() works")
    # A backend may let the reader wait until the work is done.
    too_early = read.ended_within(WINDOW) and read.result() is True
    go_on.set()
    if too_early:
        raise violated("is_started was True in another thread while start() was still at work")
    _ends_well(start)


def _ends_well(start: WorkerCall[None]) -> None:
    """It is fit for use (BC302 says so), so that what it raises now is for the hook's sake."""
    try:
        start.result()
    except StopTrial:
        raise
    except Exception as error:
        raise unchecked(
            f"start(), with `during_start`, raised {describe_exception(error)}"
        ) from error


def _is_started_before_the_lock_is_had(trial: Trial) -> None:
    """A start() that takes the lock can be held there, without any hook."""
    backend = trial.new()
    with backend.start_lock():
        start = trial.in_thread(backend.start, "start(), while another thread has the lock")
        if not start.ended_within(WINDOW):
            read = trial.in_thread(lambda: backend.is_started, "is_started, while start() waits")
            if read.ended_within(WINDOW) and read.result() is True:
                raise violated("is_started was True while start() was still waiting for the lock")
    with suppress(Exception):  # BC302 speaks of it
        start.result()
