"""Steps that several clauses share."""

from __future__ import annotations

import inspect
import multiprocessing
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from backend_contract._conformance.behavioural.calls import WorkerCall, current_frames
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    needs_a_suite,
    violated,
)
from backend_contract._conformance.behavioural.run import Run
from backend_contract._conformance.behavioural.trial import Trial
from backend_contract.protocol import Backend, ConfigType

SHORT_WINDOW = 0.05
"""Seconds of the windows of which there are many."""


class InjectedError(ConnectionError):
    """Raised by the kit inside a backend, which has to cope with it."""


def must_start(trial: Trial, backend: Backend, what: str) -> object:
    """Start *backend*, and require that it is started then; *what* names the call in messages."""
    returned = trial.start(backend, what)
    require_state(trial, backend, f"after {what} returned", started=True)
    return returned


def must_stop(trial: Trial, backend: Backend, what: str) -> object:
    """Stop *backend*, and require that it is stopped then; *what* names the call in messages."""
    returned = trial.stop(backend, what)
    require_state(trial, backend, f"after {what} returned", started=False)
    return returned


def require_state(trial: Trial, backend: Backend, when: str, *, started: bool) -> None:
    """Require that ``is_started`` is *started*; *when* completes the message."""
    value = trial.is_started(backend, when)
    if value is not started:
        raise violated(f"is_started is {value!r} {when}")


def start_if_possible(trial: Trial, backend: Backend) -> None:
    """Start *backend*, ignoring whether that fails or hangs: other clauses report it."""
    with trial.doing("start()", "start"), suppress(StopTrial):
        close_coroutine(trial.start(backend))


def accepts(trial: Trial, backend: Backend, given: ConfigType) -> bool:
    """Register *given*; return whether that succeeds, which other clauses judge."""
    with trial.doing("register_config()"), suppress(Exception, SystemExit):
        close_coroutine(backend.register_config(given))
        return True
    return False


def lock_is_free(trial: Trial, backend: Backend, when: str) -> bool:
    """Return whether other threads can enter the lock; *when* says after what, in messages."""
    # One may have the id of a thread that has ended and keeps the lock, which is re-entrant then.
    together = threading.Barrier(2)

    def enter() -> None:
        together.wait()
        with backend.start_lock():
            pass

    for entering in [trial.in_thread(enter, f"at the lock, {when}") for _ in range(2)]:
        if not answers(trial, entering, f"entering the lock in another thread, {when},"):
            return False
        entering.result()
    return True


def enter_lock(
    trial: Trial,
    backend: Backend,
    lock: AbstractContextManager[object] | None = None,
    meeting: threading.Barrier | None = None,
) -> WorkerCall[bool]:
    """Enter *lock*, or that of a new call, in another thread; return when it is about to enter.

    The result of the call is whether it met another one inside, at *meeting*.
    """
    arrived = trial.event()

    def enter() -> bool:
        manager = backend.start_lock() if lock is None else lock
        arrived.set()
        with manager:
            if meeting is not None:
                with suppress(threading.BrokenBarrierError):
                    meeting.wait(SHORT_WINDOW)
                    return True
        return False

    call = trial.in_thread(enter, "a second thread at the lock")
    call.reaches(arrived)
    return call


def require_free_lock(trial: Trial, backend: Backend, when: str) -> None:
    """Require that another thread can enter the lock, unless the lock itself is faulty."""
    if trial.holds("BC401") and not lock_is_free(trial, backend, when):
        raise lock_is_held(when)


def lock_is_held(when: str) -> StopTrial:
    """Return the violation of a member that keeps the lock."""
    return violated(f"the lock is still held {when}: another thread cannot enter")


def new_with_work(trial: Trial, work: Callable[[], None]) -> Backend:
    """Return a new backend whose ``start()`` calls *work*, by the hook.

    Without the hook, the clause needs a suite.
    """
    if trial.subject.during_start is None:
        raise needs_a_suite(
            "not tested: define `during_start` in a BackendConformance suite, so that the kit can "
            "make start() fail or block"
        )
    backend = trial.new()
    trial.hook("during_start", backend, work)
    return backend


def injects_work(trial: Trial, backend: Backend, work: Callable[[], None]) -> bool:
    """Make ``backend.start()`` call *work*, by the hook; return whether that is possible."""
    with unless_skipped():
        trial.hook("during_start", backend, work)
        return trial.subject.during_start is not None
    return False


@contextmanager
def unless_skipped() -> Generator[None]:
    """Leave out a part of a clause that a hook of the author's skips."""
    try:
        yield
    except StopTrial as outcome:
        if outcome.skip is None:
            raise


def answers(trial: Trial, call: WorkerCall[Any], what: str, limited_as: str = "") -> bool:
    """Return whether *call* ends within the limit of a call; *what* names it in messages."""
    seconds = trial.run.pace.limit_of(limited_as)
    for _ in range(2):  # so that the trial itself is not over before
        trial.set_description(what, limited_as)
        if call.ended_within(seconds / 2):
            return True
    return False


def others_may_be_at_work(run: Run) -> bool:
    """Return whether threads or processes run that the subject has started."""
    frames = current_frames()
    others = [
        thread
        for thread in threading.enumerate()
        if thread not in run.threads_before
        and not thread.name.startswith(("backend-contract", "AnyIO worker thread"))
        and not _is_of_grpc(frames.get(thread.ident or 0))
    ]
    frames.clear()  # they are in a cycle with this one, and keep what the threads hold
    return bool(others) or bool(multiprocessing.active_children())


def _is_of_grpc(frame: FrameType | None) -> bool:
    """Return whether *frame*, at the top of a thread's stack, is of a function of grpcio."""
    # To walk on from there is not safe while the thread runs.
    return frame is not None and Path(frame.f_code.co_filename).parent.name == "grpc"


def require_none(returned: object, what: str) -> None:
    """Require that a call returned ``None``; *what* names the call in messages."""
    if returned is not None:
        close_coroutine(returned)
        raise violated(f"{what} returned {returned!r}")


def close_coroutine(returned: object) -> None:
    """Close *returned* if it is a coroutine. A clause reports it, so it needs no warning."""
    if inspect.iscoroutine(returned):
        returned.close()
