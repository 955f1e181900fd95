"""BC4xx: the lock of a backend, and when it is seen to be started."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import cast

from backend_contract._conformance.behavioural.calls import WorkerCall, describe_exception
from backend_contract._conformance.behavioural.helpers import (
    SHORT_WINDOW,
    InjectedError,
    accepts,
    answers,
    close_coroutine,
    enter_lock,
    lock_is_free,
    lock_is_held,
    must_start,
    must_stop,
    require_free_lock,
)
from backend_contract._conformance.behavioural.interleaving import Pause
from backend_contract._conformance.behavioural.outcomes import StopTrial, violated
from backend_contract._conformance.behavioural.run import configuration
from backend_contract._conformance.behavioural.trial import WINDOW, Trial, observed_once, tries
from backend_contract._conformance.behavioural.trials.held_start import (
    held_if_possible,
    held_starts,
)
from backend_contract._conformance.request_servers import Pairs
from backend_contract.protocol import Backend, ConfigType

_LONG = 1.0
"""Seconds for which the kit holds the lock once: some locks give up waiting."""

_UNKNOWN = {"by_the_conformance_kit": 1}
"""A configuration that a backend may refuse."""

_ERRORS = (
    InjectedError,
    ValueError,
    RuntimeError,
    TimeoutError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    ImportError,
    FileNotFoundError,
    StopIteration,
    asyncio.CancelledError,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
)
"""Exceptions that are raised under the lock."""

_MOST_PAUSES = 6
"""The number of lines before which a thread is stopped on its way into the lock, at most."""


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
enter()
other = threading.Thread(target=enter, daemon=True)
other.start()
other.join(5)
assert len(entered) == 3""",
)
def _try_context_manager(trial: Trial) -> None:
    backend = trial.new()
    _enter_and_leave(trial, backend)
    # In another thread: a lock that was not released may let this one in again.
    trial.in_thread(lambda: _enter_and_leave(trial, backend), "another thread at the lock").result()
    _enter_and_leave(trial, backend)


def _enter_and_leave(trial: Trial, backend: Backend) -> None:
    lock = trial.call("start_lock()", backend.start_lock)
    if not (hasattr(type(lock), "__enter__") and hasattr(type(lock), "__exit__")):
        raise violated(f"start_lock() returned {lock!r}")
    trial.call("the lock, on entering,", lock.__enter__)
    trial.call("the lock, on leaving,", lock.__exit__, None, None, None)


@tries(
    "BC402",
    """\
import random, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from backend_contract.testing import http_request
def second_is_inside(take_lock, seconds):
    entered = threading.Event()
    def enter():
        with take_lock():
            entered.set()
    with backend.start_lock():
        threading.Thread(target=enter, daemon=True).start()
        inside = entered.wait(seconds)
    assert entered.wait(5)
    return inside
def configure():
    try:
        backend.register_config({"by_the_conformance_kit": 1})
    except Exception:
        pass
def tell():
    with http_request() as request:
        backend.handle_runtime_context("model", request)
backend = make()
assert not second_is_inside(backend.start_lock, 1), "two threads are inside"
for change in (configure, tell, backend.start, backend.stop, backend.start):
    earlier = backend.start_lock()
    change()
    assert not second_is_inside(lambda: earlier, 0.2), "two threads are inside"
def switch(frame, *_):  # to another thread, before each step
    frame.f_trace_opcodes = True
    time.sleep(random.random() / 2000)
    return switch
def be_alone(inside=[]):
    inside.append(1)
    time.sleep(0.01)
    assert len(inside) == 1, "both have entered at the same time"
    inside.pop()
def enter(trace=switch):
    together.wait(5)
    sys.settrace(trace)
    with backend.start_lock():
        sys.settrace(None)
        be_alone()
together = threading.Barrier(2)
with ThreadPoolExecutor(2) as pool:
    for _ in range(100):
        backend = make()
        for entered in [pool.submit(enter) for _ in range(2)]:
            entered.result()
    try:
        with backend.start_lock():  # both wait for a third one
            waiting = [pool.submit(enter, None) for _ in range(2)]
            time.sleep(0.6)
            raise KeyError
    except KeyError:
        pass
    with backend.start_lock():
        be_alone()
    for entered in waiting:
        entered.result()
entered = threading.Event()
def come_in():
    with backend.start_lock():
        entered.set()
def look():
    threading.Thread(target=come_in, daemon=True).start()
    assert not entered.wait(0.2), "a member lets another thread in"
backend.connect = look  # replace `connect` by a part of the work of `start`
with backend.start_lock():
    for member in (backend.start, backend.stop):
        member()
        look()""",
)
def _try_exclusion(trial: Trial) -> None:
    backend = trial.new()
    with trial.starting_servers():  # which takes long
        _require_exclusion(trial, backend)
    if trial.holds("BC403"):  # otherwise this may keep the lock
        _require_exclusion_after_calls(trial, backend)
    _require_exclusion_before_each_line(trial)
    if trial.can_start:
        _require_exclusion_around_starts(trial)


def _require_exclusion_after_calls(trial: Trial, backend: Backend) -> None:
    """Require that a context manager still excludes others after calls of other members."""
    earlier = backend.start_lock()
    for given in (trial.subject.sample, _UNKNOWN):
        accepts(trial, backend, configuration(given))
    for kind in trial.kinds:
        _tell(trial, backend, kind, trial.subject.metadata)
    if _admits(trial, backend, earlier):
        raise _two_inside("an earlier call")


def _require_exclusion_around_starts(trial: Trial) -> None:
    if trial.holds("BC403"):
        if which := _restart_at_the_lock(trial).admits:
            raise _two_inside(f"a call before {which}")
        for start in held_if_possible(trial):
            if start.lets_in:
                raise violated(
                    f"another thread was inside while {start.what}, whose caller held the lock, "
                    "was still working"
                )
    if trial.holds("BC404") and (frees := _members_that_free_the_lock(trial)):
        raise violated(f"{frees[0]}, under the lock, lets another thread enter it")


def _require_exclusion(trial: Trial, backend: Backend) -> None:
    """Hold the lock, and require that two others enter afterwards, in turn."""
    what = "the lock, entered by two threads in turn,"
    trial.set_description(what)
    earlier, meeting = backend.start_lock(), threading.Barrier(2)
    at_changes = partial(_require_exclusion_before_each_change, trial, trial.new())
    meanwhile = trial.in_thread(at_changes, "meanwhile")
    with backend.start_lock():
        another = enter_lock(trial, backend, meeting=meeting)
        old = enter_lock(trial, backend, earlier, meeting)
        with trial.unlimited():
            another.ended_within(_LONG)
        for waiter, which in ((another, "another call"), (old, "an earlier call")):
            if waiter.ended_within(0):
                waiter.result()
                raise _two_inside(which)
    trial.set_description(what)
    if another.result() | old.result():
        raise violated("two threads were inside: both had waited for a third one to leave")
    meanwhile.result()


def _require_exclusion_after_failure(trial: Trial, backend: Backend) -> None:
    """Let the body raise while one thread waits, and require that it keeps another one out."""
    meeting = threading.Barrier(2)
    calls: list[WorkerCall[bool]] = []
    with suppress(Exception), backend.start_lock():  # BC403 reports other errors
        calls.append(enter_lock(trial, backend, meeting=meeting))
        calls[0].ended_within(SHORT_WINDOW)
        raise InjectedError
    calls.append(enter_lock(trial, backend, meeting=meeting))
    # Otherwise the lock is kept, which BC403 reports.
    if all(call.ended_within(_LONG / 4) for call in calls) and any(c.result() for c in calls):
        raise violated("two threads were inside: one had waited while the body of another raised")


def _two_inside(which: str) -> StopTrial:
    return violated(f"two threads were inside: the second used the context manager of {which}")


def _require_exclusion_before_each_line(trial: Trial) -> None:
    """Stop a thread before each line on its way in, and let another one enter meanwhile."""
    for number in range(2, _MOST_PAUSES + 1):  # nothing has been done before the first line
        if not _require_exclusion_at(trial, trial.new(), Pause(number, trial.event())):
            break


def _require_exclusion_before_each_change(trial: Trial, backend: Backend) -> None:
    """Stop a thread before each change on its way in, and before it leaves with an error."""
    for number in range(1, _MOST_PAUSES):
        if not _require_exclusion_at(trial, backend, Pause(number, trial.event(), "opcode")):
            break
    _require_exclusion_after_failure(trial, backend)


def _require_exclusion_at(trial: Trial, backend: Backend, pause: Pause) -> bool:
    """Stop a thread at *pause*, and let another one enter; return whether it was stopped."""
    leave, slow_is_inside, fast_is_inside = (trial.event() for _ in range(3))

    def enter_slowly() -> None:
        with backend.start_lock():
            pause.end()
            slow_is_inside.set()

    def enter() -> None:
        with backend.start_lock():
            fast_is_inside.set()
            leave.wait()

    trial.set_description("the lock, entered by two threads at once,")
    slow = trial.in_thread(partial(pause.run, enter_slowly), "a first thread at the lock")
    if not slow.reaches(pause.reached):
        slow.result()
        return False
    fast = trial.in_thread(enter, "a second thread at the lock")
    # If it does not enter, the first thread has gone far enough to keep it out.
    is_inside = fast_is_inside.wait(SHORT_WINDOW)
    pause.go_on.set()
    both = is_inside and slow_is_inside.wait(SHORT_WINDOW)
    leave.set()
    if both:
        raise violated("two threads were inside: both called start_lock() at the same time")
    for call in (slow, fast):
        call.result()
    return True


@tries(
    "BC403",
    """\
import asyncio, threading
from backend_contract.testing import http_request
def is_free():
    entered = threading.Event()
    def enter():
        with backend.start_lock():
            entered.set()
    threading.Thread(target=enter, daemon=True).start()
    return entered.wait(5)
backend = make()
errors = [ConnectionError, ValueError, RuntimeError, TimeoutError, KeyError, FileNotFoundError]
for error in (*errors, ImportError, asyncio.CancelledError, KeyboardInterrupt, SystemExit):
    try:
        with backend.start_lock():
            raise error
        raise AssertionError("the lock suppressed the exception")
    except error:
        pass
    assert is_free(), "the lock is still held"
for config in ({}, {"by_the_conformance_kit": 1}, 1):
    try:
        backend.register_config(config)
    except Exception:
        pass
    assert is_free(), "register_config() keeps the lock"
with http_request() as request:
    for model_id in ("model", "\\u00e9/" * 500):
        backend.handle_runtime_context(model_id, request)
assert is_free(), "handle_runtime_context() keeps the lock"
for member in (backend.start, backend.stop, backend.stop):
    member()
    assert is_free(), f"{member.__name__}() keeps the lock\"""",
)
def _try_release(trial: Trial) -> None:
    backend = trial.new()
    for error in _ERRORS:
        _require_propagation(backend, error("raised by the conformance kit under the lock"))
        require_free_lock(trial, backend, f"after the body raised {error.__name__}")
    accepts(trial, backend, configuration(trial.subject.sample))
    require_free_lock(trial, backend, "after register_config()")
    accepts(trial, backend, configuration(_UNKNOWN))
    require_free_lock(trial, backend, "after register_config() with a key that is not known")
    for kind, metadata in itertools.product(trial.kinds, (trial.subject.metadata, ())):
        if _tell(trial, backend, kind, metadata):
            require_free_lock(trial, backend, "after handle_runtime_context()")
    accepts(trial, backend, cast("ConfigType", 1))
    require_free_lock(trial, backend, "after register_config() with a number")
    if trial.can_start and (kept_by := _restart_at_the_lock(trial).kept_by):
        raise lock_is_held(f"after {kept_by}")


def _require_propagation(backend: Backend, error: BaseException) -> None:
    caught: list[BaseException] = []
    try:
        with backend.start_lock():
            raise error
    except BaseException as raised:  # also what ends a thread
        caught.append(raised)
    kind = type(error).__name__
    if not caught:
        raise violated(
            f"the lock suppressed the {kind} of the body, so a failed start would go unnoticed"
        )
    if caught != [error]:
        raise violated(
            f"the body raised {kind}, and the lock raised {describe_exception(caught[0])} instead"
        )


def _tell(trial: Trial, backend: Backend, kind: str, metadata: Pairs) -> bool:
    """Call ``handle_runtime_context``; return whether that was possible, and returned or raised."""
    model_id = "a model" if metadata else "\u00e9/" * 500  # both are unusual, or neither
    with suppress(StopTrial), trial.context(kind, metadata) as context:
        told = trial.in_thread(
            lambda: close_coroutine(backend.handle_runtime_context(model_id, context)),
            "handle_runtime_context()",
        )
        return answers(trial, told, "handle_runtime_context()")
    return False  # no request can be made


@dataclass(frozen=True)
class _Restart:
    """What was observed at the lock while a backend was stopped and started again."""

    kept_by: str = ""
    """The member that kept the lock."""
    admits: str = ""
    """The member after which an earlier context manager admits a second thread."""
    is_early: bool = False
    """Whether ``is_started`` was ``True`` while ``start()`` waited for the lock."""
    answers: bool = True
    """Whether ``is_started`` returned while another thread held the lock."""


@observed_once
def _restart_at_the_lock(trial: Trial) -> _Restart:
    backend = trial.started()
    if not lock_is_free(trial, backend, "after start()"):
        return _Restart(kept_by="start()")
    earlier = backend.start_lock()
    with trial.doing("stop()"), suppress(StopTrial):  # BC303 reports it
        trial.stop(backend)
    if not lock_is_free(trial, backend, "after stop()"):
        return _Restart(kept_by="stop()")
    admits = "stop()" if _admits(trial, backend, earlier) else ""
    earlier = backend.start_lock()
    is_early = _start_at_lock(trial, backend)
    if not lock_is_free(trial, backend, "after start()"):
        return _Restart(kept_by="start()")
    if not admits and _admits(trial, backend, earlier):
        admits = "start()"
    with backend.start_lock():
        read = trial.in_thread(lambda: backend.is_started, "is_started, while the lock is held")
        has_answered = answers(trial, read, "is_started, while another thread holds the lock,")
    return _Restart(admits=admits, is_early=is_early, answers=has_answered)


def _admits(trial: Trial, backend: Backend, lock: AbstractContextManager[object]) -> bool:
    """Return whether a second thread enters by *lock* beside a first one."""
    with backend.start_lock():
        second = enter_lock(trial, backend, lock)
        is_inside = second.ended_within(SHORT_WINDOW)
    second.result()
    return is_inside


def _start_at_lock(trial: Trial, backend: Backend) -> bool:
    """Start while the lock is held; return whether ``is_started`` is ``True`` too early."""
    trial.make_room(backend)
    with backend.start_lock(), trial.doing("start(), while another thread holds the lock,"):
        start = trial.in_thread(backend.start, "start(), while another thread holds the lock")
        is_early = False
        if not start.ended_within(WINDOW):
            read = trial.in_thread(lambda: backend.is_started, "is_started, while start() waits")
            is_early = read.ended_within(WINDOW) and read.result() is True
        # Or start() is about to return, without having waited for the lock.
        is_early = is_early and not answers(trial, start, "start(), at the lock,", "start")
    with trial.doing("start()", "start"), suppress(Exception):  # BC306 reports it
        start.result()
        trial.run.note_start(backend)
    return is_early


@tries(
    "BC404",
    """\
import threading
backend, worked, entered = make(), [], []
def configure():
    try:
        backend.register_config({})
    except NotImplementedError:
        pass
def enter():
    with backend.start_lock():
        entered.append(True)
def work():
    with backend.start_lock():
        other = threading.Thread(target=enter, daemon=True)
        other.start()
        for member in (configure, backend.start, backend.start, backend.stop):
            member()
            assert backend.is_started in (True, False)
            other.join(0.2)
            worked.append(not entered)
thread = threading.Thread(target=work, daemon=True)
thread.start()
thread.join(5)
assert len(worked) == 4, "a member fails, or waits for the lock that its caller holds"
assert all(worked), "another thread is let in\"""",
)
def _try_members_under_lock(trial: Trial) -> None:
    _members_that_free_the_lock(trial)


def _members_to_call(trial: Trial, backend: Backend) -> dict[str, Callable[[str], object]]:
    """Return the members that the caller may call while it holds the lock, by name."""
    given = configuration(trial.subject.sample)
    start = partial(must_start, trial, backend)
    members: dict[str, Callable[[str], object]] = {}
    if trial.holds("BC203") and trial.holds("BC403") and accepts(trial, backend, given):
        members["register_config()"] = lambda what: trial.call(what, backend.register_config, given)
    members["start()"] = start
    if trial.holds("BC304"):
        members["a second start()"] = start
    members["stop()"] = partial(must_stop, trial, backend)
    return members


@observed_once
def _members_that_free_the_lock(trial: Trial) -> list[str]:
    """Call members while the caller holds the lock; return those that let another thread in."""
    backend = trial.new()
    members = _members_to_call(trial, backend)
    frees, waiting = list[str](), list[WorkerCall[bool]]()
    try:
        with backend.start_lock():
            trial.is_started(backend, "under the lock")
            for name, call in members.items():
                call(f"{name}, under the lock,")
                waiting.append(enter_lock(trial, backend))
                if waiting[-1].ended_within(SHORT_WINDOW):
                    frees.append(name)
    except RuntimeError:  # a lock that is free cannot be freed
        if not frees:
            raise
    for waiter in waiting:
        waiter.result()
    return frees


@tries(
    "BC405",
    """\
# replace `connect` by a part of the work of `start`
backend = make()
backend.connect = lambda: seen.append(backend.is_started)
seen = []
backend.start()
backend.stop()
backend.start()
assert True not in seen, seen""",
    after=("BC303", "BC401", "BC403"),
    with_requests=True,
)
def _try_reading_during_start(trial: Trial) -> None:
    # It takes no hook to hold a start that waits for the lock.
    if all(map(trial.holds, ("BC303", "BC401", "BC403"))) and _restart_at_the_lock(trial).is_early:
        raise violated("is_started was True while start() was still waiting for the lock")
    for start in held_starts(trial):
        if start.was_started:
            raise violated(
                f"is_started was True in another thread while {start.what} was still working"
            )


@tries(
    "BC406",
    """\
import threading
def require_answer():
    answers = []
    read = threading.Thread(target=lambda: answers.append(backend.is_started), daemon=True)
    read.start()
    read.join(5)
    assert answers, "is_started waits for a lock"
backend = make()
backend.connect = require_answer  # replace `connect` by a part of the work of `start`
for change in (lambda: None, backend.start, backend.stop):
    change()
    with backend.start_lock():
        require_answer()""",
    after=("BC405",),
    with_requests=True,
)
def _try_reading_without_waiting(trial: Trial) -> None:
    if not _restart_at_the_lock(trial).answers:
        raise violated("is_started did not answer while another thread held the lock")
    for start in held_if_possible(trial):
        if not start.answered:
            raise violated(f"is_started did not answer while another thread was in {start.what}")
