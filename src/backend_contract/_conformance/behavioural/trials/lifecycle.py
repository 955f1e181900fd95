"""BC301 to BC305, BC307, BC309, BC311 and BC312: starting and stopping a backend."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from backend_contract._conformance.behavioural.calls import is_call_error
from backend_contract._conformance.behavioural.helpers import (
    accepts,
    close_coroutine,
    lock_is_free,
    must_start,
    must_stop,
    require_free_lock,
    require_none,
    require_state,
    start_if_possible,
    unless_skipped,
)
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    blocked,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import Received, configuration
from backend_contract._conformance.behavioural.trial import Trial, observed_once, tries
from backend_contract._conformance.behavioural.trials.restarts import (
    configure,
    failed_start,
    is_configured,
    second_starts,
    shows,
)
from backend_contract.protocol import Backend


@tries(
    "BC301",
    """\
import aconfig
ways = [(), (None,), (aconfig.Config({"a": 1}),)]
for arguments in ways if isinstance(make, type) else [()]:
    assert make(*arguments).is_started is False""",
)
def _try_new_backend(trial: Trial) -> None:
    if trial.subject.cls is None:
        when = "on a new backend; the factory must not start it"
        require_state(trial, trial.new(), when, started=False)
        return
    require_state(trial, trial.new(), "on a new backend", started=False)
    config = configuration(trial.subject.sample or {"conformance": {"kit": True}})
    for argument, kind in ((None, "no"), (config, "a")):
        try:
            backend = trial.new(argument)
        except StopTrial:  # BC201 reports it
            continue
        when = f"on a new backend that got {kind} configuration"
        require_state(trial, backend, when, started=False)


@tries(
    "BC302",
    """\
import contextvars, threading
# replace `connect` by a part of the work of `start`
backend, seen, done, worked = make(), [], threading.Event(), threading.Event()
def work():
    done.wait(0.2)  # until start() has returned
    seen.append(done.is_set())
    worked.set()
backend.connect = work
backend.start()
done.set()
worked.wait(1)
def read():
    seen.append(not contextvars.Context().run(lambda: backend.is_started))
other = threading.Thread(target=read)
other.start()
other.join()
assert backend.is_started is True
assert not any(seen), "the work goes on, or another thread reads another value\"""",
    half_by="during_start",
)
def _try_start(trial: Trial) -> None:
    if trial.subject.during_start is not None and trial.run.has_started:
        _require_work_done(trial)
    backend = trial.new()
    must_start(trial, backend, "start()")
    _require_in_every_thread(trial, backend, "start()", started=True)
    trial.share(backend)


def _require_in_every_thread(trial: Trial, backend: Backend, what: str, *, started: bool) -> None:
    """Require that ``is_started`` is *started* in a new thread and an empty context too."""
    when = f"in another thread after {what} returned"
    require = partial(require_state, trial, backend, when, started=started)
    trial.in_thread(partial(contextvars.Context().run, require), "reading is_started").result()


def _require_work_done(trial: Trial) -> None:
    """Require that start() does not return before its work is done, if the hook can show it."""
    try:
        failed = failed_start(trial)
    except StopTrial:  # BC308 reports it
        return
    if failed.work.goes_on:
        raise violated("start() returned before its work was done: it goes on in another thread")


@tries(
    "BC303",
    """\
import threading
backend = make()
backend.start()
assert backend.is_started is True
errors = []
def stop():
    try:
        backend.stop()
        assert backend.is_started is False
    except Exception as error:
        errors.append(error)
other = threading.Thread(target=stop)  # as a server does
other.start()
other.join()
assert not errors, errors
assert backend.is_started is False""",
)
def _try_stop(trial: Trial) -> None:
    backend = trial.started()
    trial.is_started(backend, "before stop()")  # a backend may keep what was read
    # In another thread than start(): a server may stop a backend that a request has started.
    if trial.run.running.get(id(backend)) != threading.get_ident():
        must_stop(trial, backend, "stop()")
    else:  # or in one whose id was given again, after that of start() has ended
        trial.in_thread(lambda: must_stop(trial, backend, "stop()"), "another thread").result()
    _require_in_every_thread(trial, backend, "stop()", started=False)
    require_state(trial, backend, "after stop() in another thread", started=False)


@tries(
    "BC304",
    """\
import os, threading
from backend_contract.testing import http_request
# replace `connect` by a part of the work of `start`
backend, seen = make(), []
backend.connect = lambda: seen.append("work")
try:
    backend.register_config({"kept": 1})
except NotImplementedError:
    pass
config = dict(getattr(backend, "config", None) or {})
def held():
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return {*threading.enumerate(), *(os.readlink(each) for each in links if os.path.exists(each))}
backend.start()
with http_request({"x-route-info": "somewhere"}) as request:
    backend.handle_runtime_context("a model", request)
is_kept = "'a model'" in repr(vars(backend))  # or where it keeps them
seen.clear()
before = held()
def start_again():
    backend.start()
    seen.append("returned")
backend.start()
assert backend.is_started is True
assert not seen and before <= held(), "the second start did its work again"
other = threading.Thread(target=start_again)
other.start()
other.join()
assert seen.pop() == "returned"
assert not is_kept or "'a model'" in repr(vars(backend)), "contexts are lost"
assert dict(getattr(backend, "config", None) or {}) == config
def enter():
    with backend.start_lock():
        seen.append("entered")
other = threading.Thread(target=enter, daemon=True)
other.start()
other.join(5)
assert seen, "the lock is still held"
backend.stop()
assert backend.is_started is False""",
    after=("BC303", "BC306", "BC401"),
    half_by="during_start",
)
def _try_second_start(trial: Trial) -> None:
    found = second_starts(trial)
    if found.lost:
        raise violated(f"after start() on a started backend, {found.lost} lost")
    if found.work_again:
        raise violated("start(), on a started backend, did its work again")
    if found.made_again:
        made = " and ".join(sorted(found.made_again))
        raise violated(f"start(), on a started backend, made its {made} again")
    trial.holds("BC308")  # which may see that too


@tries(
    "BC305",
    """\
backend = make()
try:
    backend.register_config({"kept": 1})
except NotImplementedError:
    pass
config = dict(getattr(backend, "config", None) or {})
backend.stop()
backend.stop()
assert backend.is_started is False
assert dict(getattr(backend, "config", None) or {}) == config
backend.start()
assert backend.is_started is True
backend.stop()
backend.stop()
assert backend.is_started is False
backend.start()
assert backend.is_started is True""",
    after=("BC302", "BC303", "BC306", "BC308", "BC311"),  # which start others than it shares
)
def _try_stop_without_start(trial: Trial) -> None:
    backend = trial.new()
    was_configured = configure(trial, backend)
    must_stop(trial, backend, "stop(), on a new backend,")
    require_free_lock(trial, backend, "after stop() on a new backend")
    must_stop(trial, backend, "stop(), called twice on a new backend,")
    if was_configured and not is_configured(trial, backend):
        raise violated("after stop() on a new backend, the registered configuration is lost")
    if not trial.can_start:
        return
    must_start(trial, backend, "start(), after stop() on a new backend,")
    if not trial.holds("BC303"):
        return
    must_stop(trial, backend, "stop()")
    must_stop(trial, backend, "stop(), on a stopped backend,")
    if trial.holds("BC306"):
        must_start(trial, backend, "start(), after stop() on a stopped backend,")
        trial.share(backend)


@tries(
    "BC307",
    """\
watched, unwatched = make(), make()
assert all(type(watched.is_started) is bool for _ in range(3))
watched.start()
after = watched.is_started
assert len({watched.is_started for _ in range(20)}) == 1
watched.stop()
assert [watched.is_started, watched.is_started] == [False, False]
unwatched.start()
assert type(unwatched.is_started) is bool
assert after == unwatched.is_started""",
)
def _try_reading_is_started(trial: Trial) -> None:
    found = _first_use(trial)
    if found.problem is not None:
        raise found.problem
    if found.is_started:
        return
    unwatched = trial.new()
    start_if_possible(trial, unwatched)
    if _read(trial, unwatched, "after start()"):
        raise violated("after start(), is_started is False if it was read before, otherwise True")


def _read(trial: Trial, backend: Backend, when: str) -> bool:
    """Read ``is_started`` several times; require the same each time."""
    value = trial.is_started(backend, when)
    if type(value) is not bool:
        advice = "Make it a property: put `@property` above `def is_started`."
        advice = advice if inspect.ismethod(value) else ""
        raise violated(f"is_started is {value!r} {when}", advice=advice)
    for _ in range(20 if value else 2):  # a start that goes on in the background is BC302's
        if (now := trial.is_started(backend, when)) is not value:
            raise violated(f"is_started is {value} {when}, and {now!r} when read again")
    return value


_MAY_KEEP = {
    "start()": "BC403",
    "start(), on a started backend,": "BC304",
    "stop()": "BC403",
    "stop(), on a stopped backend,": "BC403",
}
"""The calls of the first use, and the clauses that they violate if they keep the lock."""


@dataclass
class _FirstUse:
    """A backend that is started twice and stopped twice, and watched."""

    is_started: bool = False
    """Whether it is, after the first start."""
    problem: StopTrial | None = None
    """Why that could not be read."""
    calls: dict[str, object] = field(default_factory=dict[str, object])
    """What each call returned, or the outcome by which it ended."""


@observed_once
def _first_use(trial: Trial) -> _FirstUse:
    """Return what the first start and stop of the run show, which BC307 and BC309 judge."""
    backend, found = trial.new(), _FirstUse()
    try:
        _read(trial, backend, "on a new backend")
        found.calls["start()"] = _outcome_of(trial, backend, "start()")
        found.is_started = _read(trial, backend, "after start()")
    except StopTrial as problem:
        found.problem = problem
    for what in _MAY_KEEP:
        if what not in found.calls:
            found.calls[what] = _outcome_of(trial, backend, what)
        if what == "stop()":
            found.problem = found.problem or _problem_after_stop(trial, backend)
        if found.problem is None:
            _require_free_lock_after(trial, backend, what)
    return found


def _problem_after_stop(trial: Trial, backend: Backend) -> StopTrial | None:
    """Return how reading ``is_started`` fails after ``stop()``, unless BC303 is about that."""
    with trial.doing("is_started, after stop(),"), suppress(Exception, SystemExit):
        first, again = backend.is_started, backend.is_started
        if first is not True and again is not False:
            return violated(f"is_started is {first!r} after stop(), and {again!r} when read again")
    return None


def _require_free_lock_after(trial: Trial, backend: Backend, what: str) -> None:
    """Block all trials that start something, if the call *what* has kept the lock.

    They would all wait for it, in vain.
    """
    try:
        require_free_lock(trial, backend, f"after {what.rstrip(',')}")
    except StopTrial as outcome:
        clause = _MAY_KEEP[what]
        trial.run.observed.setdefault(clause, outcome)
        trial.run.lock_kept_by = clause
        raise blocked(clause) from None


def _outcome_of(trial: Trial, backend: Backend, what: str) -> object:
    name = what.partition("(")[0]
    with trial.doing(what, name):
        try:
            returned = (trial.start if name == "start" else trial.stop)(backend, what)
        except StopTrial as outcome:
            return outcome
    close_coroutine(returned)
    return returned


@tries(
    "BC309",
    """\
backend = make()
for call in (backend.start, backend.start, backend.stop, backend.stop):
    assert call() is None""",
    after=("BC301",),
)
def _try_return_values(trial: Trial) -> None:
    for what, returned in _first_use(trial).calls.items():
        if not isinstance(returned, StopTrial):
            require_none(returned, what)
            continue
        cause = returned.__cause__
        if cause is not None and is_call_error(cause):
            raise returned
        if what.endswith("()"):  # BC302 or BC303 reports it; otherwise BC304 or BC305
            raise unchecked(returned.found or returned.because[0]) from cause


@tries(
    "BC311",
    """\
import asyncio
backend = make()
async def start_and_stop():
    backend.start()
    assert backend.is_started is True
    backend.stop()
asyncio.run(start_and_stop())""",
)
def _try_running_loop(trial: Trial) -> None:
    backend = trial.new()

    async def start_and_stop() -> None:
        must_start(trial, backend, "start(), in a thread whose event loop is running,")
        must_stop(trial, backend, "stop(), in a thread whose event loop is running,")

    try:
        asyncio.run(start_and_stop())
    except StopTrial as outcome:
        if outcome.__cause__ is not None:
            _close_coroutines(outcome.__cause__)
        raise


def _close_coroutines(error: BaseException) -> None:
    """Avoid the "never awaited" warnings for what the backend could not run."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == "CORO_CREATED":
                value.close()


@tries(
    "BC312",
    """\
import gc, sys, threading
from backend_contract.testing import http_request
one, other = make(), make()
assert one is not other
told = {"told": {"to": "one"}}
try:
    one.register_config(told)
except Exception:
    pass
for backend in (other, make()):
    assert "told" not in (getattr(backend, "config", None) or {})
def enter():
    with other.start_lock():
        entered.set()
entered = threading.Event()
with one.start_lock():
    threading.Thread(target=enter, daemon=True).start()
    assert entered.wait(5), "both have one lock"
one.start()
assert other.is_started is False
other.stop()
assert one.is_started is True
model_id = " ".join(["a", "model"])  # a new string, which nothing else refers to
references = sys.getrefcount(model_id)
with http_request({"x-route-info": "somewhere"}) as request:
    one.handle_runtime_context(model_id, request)
one.stop()
del one
gc.collect()
assert sys.getrefcount(model_id) <= references, "what one was told outlives it\"""",
    after=("BC203", "BC303", "BC305", "BC401"),
    half_by="received_contexts",
)
def _try_independence(trial: Trial) -> None:
    starts = trial.can_start and trial.holds("BC303")
    one, other = trial.started() if starts else trial.new(), trial.new()
    # Later trials use the first one, which is told nothing.
    with unless_skipped():
        _require_own_configuration(trial, other, one)
    _require_own_lock(trial, one, other)
    if starts:
        _require_own_state(trial, one, other)
    with unless_skipped():
        _require_own_contexts(trial, other, one)


def _require_own_configuration(trial: Trial, one: Backend, other: Backend) -> None:
    told = {"told_to_one_backend": {"by": "the conformance kit"}}
    if not (trial.holds("BC203") and accepts(trial, one, configuration(told))):
        return
    for backend, which in ((other, "another"), (trial.new(), "a new")):
        if shows(trial, backend, told):
            raise violated(f"{which} backend has the configuration that was registered with one")


def _require_own_lock(trial: Trial, one: Backend, other: Backend) -> None:
    if trial.holds("BC401"):
        if not lock_is_free(trial, other, "of another backend"):
            raise blocked("BC403")
        with one.start_lock():
            require_free_lock(trial, other, "while the lock of another backend is held")


def _require_own_contexts(trial: Trial, one: Backend, other: Backend) -> None:
    if trial.subject.received_contexts is None:
        return
    kind = trial.start_a_server()
    if kind is None:
        return
    model_id = "told to one backend"
    with (
        trial.context(kind, trial.subject.metadata) as context,
        suppress(Exception, SystemExit),  # BC501 to BC506 report a failure
        trial.doing("handle_runtime_context()"),
    ):
        # In a thread: what goes into a ContextVar shows in this call only.
        trial.in_thread(
            lambda: close_coroutine(one.handle_runtime_context(model_id, context)), model_id
        ).result()
    received: Received = trial.hook("received_contexts", other) or ()
    if model_id in dict(received):
        raise violated("another backend has the context that was given to one")


def _require_own_state(trial: Trial, one: Backend, other: Backend) -> None:
    for backend, which in ((other, "another"), (trial.new(), "a new")):
        require_state(trial, backend, f"on {which} backend after start()", started=False)
    if trial.holds("BC305"):
        trial.stop(other, "stop(), of another backend,")
        when = "on a started backend after stop() of another one that was not started"
        require_state(trial, one, when, started=True)
    if not trial.subject.exclusive and _starts_beside(trial, one, other):
        must_stop(trial, other, "stop(), of one of two started backends,")
        when = "on a started backend after stop() of another one"
        require_state(trial, one, when, started=True)
    trial.share(one)


def _starts_beside(trial: Trial, one: Backend, other: Backend) -> bool:
    """Start *other* beside *one*, and return whether that is possible."""
    what = "start(), beside a started backend,"
    call = trial.in_thread(lambda: trial.start(other, what, beside=True), what)
    # Half of what the trial waits for: one that waits until the first is stopped does not hang.
    if call.ended_within(trial.run.pace.limit_of("start") / 2):
        with suppress(StopTrial):
            call.result()
            return trial.is_started(other, f"after {what}") is True
        return False
    trial.stop(one)
    with suppress(StopTrial):
        call.result()
    return False
