"""BC4xx: the lock of a backend, and when it is seen to be started."""

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
from backend_contract._conformance.behavioural.outcomes import StopTrial, unchecked, violated
from backend_contract._conformance.behavioural.trial import WINDOW, Trial, tries
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
def _try_context_manager(trial: Trial) -> None:
    backend = trial.new()
    _enter_and_leave(trial, backend)
    # In another thread: a lock that was not released may let this one in again.
    trial.in_thread(lambda: _enter_and_leave(trial, backend), "another thread at the lock").result()


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
def _try_exclusion(trial: Trial) -> None:
    backend = trial.new()
    _require_exclusion(trial, backend, backend.start_lock, "another")
    early = backend.start_lock()
    _require_exclusion(trial, backend, lambda: early, "an earlier")


def _require_exclusion(
    trial: Trial, backend: Backend, lock: Callable[[], AbstractContextManager[object]], which: str
) -> None:
    """Require that no other thread enters, by the context manager of *which* call of start_lock."""
    arrived = trial.event()

    def enter() -> None:
        manager = lock()
        arrived.set()
        with manager:
            pass

    with backend.start_lock():
        other = trial.in_thread(enter, "a second thread at the lock")
        arrived.wait()
        if other.ended_within(WINDOW):
            other.result()
            raise violated(
                f"two threads were inside: the second used the context manager of {which} call"
            )
    other.result()


@tries(
    "BC403",
    """\
import threading
backend, entered = make(), threading.Event()
try:
    with backend.start_lock():
        raise RuntimeError
    raise AssertionError("the lock suppressed the exception")
except RuntimeError:
    pass
def enter():
    with backend.start_lock():
        entered.set()
threading.Thread(target=enter, daemon=True).start()
assert entered.wait(5), "the lock is still held\"""",
)
def _try_error_in_body(trial: Trial) -> None:
    backend = trial.new()
    propagated = False
    try:
        with backend.start_lock():
            raise InjectedError("raised by the conformance kit in the body of the lock")
    except InjectedError:
        propagated = True
    if not propagated:
        raise violated(
            "the lock suppressed the exception of the body, so a failed start would go unnoticed"
        )
    trial.set_description("entering the lock in another thread, after the body raised,")
    trial.in_thread(lambda: _enter_and_leave(trial, backend), "after the body raised").result()


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
def _try_members_under_lock(trial: Trial) -> None:
    backend = trial.new()
    with backend.start_lock():
        trial.is_started(backend, "under the lock")
        must_start(trial, backend, "start(), under the lock,")
        must_stop(trial, backend, "stop(), under the lock,")


@tries(
    "BC405",
    """\
# replace `connect` by a part of the work of `start`
backend = make()
backend.connect = lambda: seen.append(backend.is_started)
seen = []
backend.start()
assert seen == [False], seen""",
    after=("BC401",),
)
def _try_reading_during_start(trial: Trial) -> None:
    if trial.holds("BC401"):
        _try_reading_before_lock(trial)
    backend = trial.new()
    reached, go_on = threading.Event(), trial.event()

    def work() -> None:
        reached.set()
        go_on.wait()

    inject_work(trial, backend, work)
    start = trial.in_thread(backend.start, "start()")
    trial.set_description("start(), which never called the function given to `during_start`,")
    while not reached.is_set() and not start.ended_within(0.01):
        pass
    if not reached.is_set():
        _require_return(start)
        raise unchecked("start() returned without calling the function given to `during_start`")
    read = trial.in_thread(lambda: backend.is_started, "is_started, during start()")
    # A backend may block the reader until its work is done.
    too_early = read.ended_within(WINDOW) and read.result() is True
    go_on.set()
    if too_early:
        raise violated("is_started was True in another thread while start() was still working")
    _require_return(start)


def _require_return(start: WorkerCall[None]) -> None:
    """Require that start() returns. BC302 holds, so an exception is due to the hook."""
    try:
        start.result()
    except StopTrial:
        raise
    except Exception as error:
        raise unchecked(
            f"start(), with `during_start`, raised {describe_exception(error)}"
        ) from error


def _try_reading_before_lock(trial: Trial) -> None:
    """Read while start() waits for the lock, which takes no hook."""
    backend = trial.new()
    with backend.start_lock():
        start = trial.in_thread(backend.start, "start(), while another thread holds the lock")
        if not start.ended_within(WINDOW):
            read = trial.in_thread(lambda: backend.is_started, "is_started, while start() waits")
            if read.ended_within(WINDOW) and read.result() is True:
                raise violated("is_started was True while start() was still waiting for the lock")
    with suppress(Exception):  # BC302 reports it
        start.result()
