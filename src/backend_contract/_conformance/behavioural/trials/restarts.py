"""BC306, BC308, BC310 and BC313: starting again, after a stop or a failure, and what is left."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from backend_contract._conformance import real_time
from backend_contract._conformance.behavioural.calls import describe_exception
from backend_contract._conformance.behavioural.helpers import (
    InjectedError,
    accepts,
    close_coroutine,
    injects_work,
    lock_is_free,
    must_start,
    must_stop,
    new_with_work,
    others_may_be_at_work,
    require_free_lock,
    require_none,
    start_if_possible,
)
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    blocked,
    not_applicable,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.process_state import (
    Resources,
    can_see_files,
    marked_settings,
    resources,
    settings,
    undo,
)
from backend_contract._conformance.behavioural.run import configuration
from backend_contract._conformance.behavioural.trial import WINDOW, Trial, observed_once, tries
from backend_contract._conformance.behavioural.trials.arrivals import Storage
from backend_contract.protocol import Backend, ConfigType

_SETTLING = 2.0
"""Seconds for which the kit waits for what a backend gives back after stop() has returned."""

_LATE = 1.0
"""Seconds for which the kit waits for work that start() has left to another thread."""

_KEPT = {"kept_by_the_backend": {"registered": "by the conformance kit"}}


def configure(trial: Trial, backend: Backend, given: ConfigType | None = None) -> bool:
    """Register a configuration with *backend*, and return whether it shows that then."""
    is_shown = False
    if trial.holds("BC203") and accepts(trial, backend, given or configuration(_KEPT)):
        with suppress(StopTrial):  # of the hook
            is_shown = is_configured(trial, backend)
    if trial.holds("BC401") and not lock_is_free(trial, backend, "after register_config()"):
        raise blocked("BC403")
    return is_shown


def is_configured(trial: Trial, backend: Backend) -> bool:
    """Return whether *backend* shows the sample, and what :func:`configure` has registered."""
    return shows(trial, backend, {**trial.subject.sample, **_KEPT})


def shows(trial: Trial, backend: Backend, told: Mapping[str, Any]) -> bool:
    """Return whether *backend* shows all of *told*, by the hook or in its ``config``."""
    found: object = trial.hook("merged_config", backend)
    if found is None:
        with suppress(Exception):
            found = getattr(backend, "config", None)
    return _contains(found, told)


def _contains(found: object, told: object) -> bool:
    """Return whether all of *told* is in *found*, to which a backend may have added something."""
    if not isinstance(found, Mapping) or not isinstance(told, Mapping):
        return found == told
    shown, wanted = cast("tuple[Mapping[str, object], Mapping[str, object]]", (found, told))
    return all(key in shown and _contains(shown[key], value) for key, value in wanted.items())


@dataclass
class _Restarts:
    """Five starts of one instance, and a stop after each but the last."""

    backend: Backend
    is_configured: bool
    """Whether its configuration could be read before the first start."""
    given: ConfigType
    """The configuration that was registered with it, which must not be changed."""
    held: list[Resources] = field(default_factory=list[Resources])
    """What the process held after each stop."""
    held_at_last: Resources = field(default_factory=dict[str, frozenset[str]])
    """What it held after the last start and, if it was stopped then, still after that stop."""
    returned: dict[str, object] = field(default_factory=dict[str, object])
    """What each call returned."""
    changed: list[str] = field(default_factory=list[str])
    """The settings of the process that differed after the last stop from before it all."""
    is_over: bool = False
    """Whether the backend was stopped after the last start."""

    def note_last_stop(self) -> None:
        """Note what the process still holds of what it held after the last start."""
        self.is_over, now = True, resources()
        self.held_at_last = {
            kind: self.held[-1][kind] | ids & now[kind] for kind, ids in self.held_at_last.items()
        }


@observed_once
def _restarts(trial: Trial, *, undoing: bool = True) -> _Restarts:
    """Return what restarts show, which BC306, BC310 and BC313 judge.

    *undoing* puts back first what earlier starts have changed in the process.
    """
    trial.run.servers.close()  # they have threads and sockets
    trial.make_room()
    if undoing:
        trial.in_thread_of_kit(lambda: undo(*trial.run.settings))
    with marked_settings():
        before = settings()
        found = _start_configured(trial)
        _stop(trial, found, "stop()")
        again = partial(_start_and_stop, trial, found)
        # What only the main thread may do, such as setting a signal handler, shows there.
        trial.in_thread_of_kit(lambda: again("second"))
        again("third")
        after = settings()  # after an odd number: some settings may be switched to and fro
        again("fourth")
        must_start(trial, found.backend, "start(), for the fifth time,")
    found.held_at_last = resources()
    if found.given != _KEPT:
        problem = f"after start(), the configuration given to register_config() is {found.given!r}"
        trial.run.observed.setdefault("BC205", violated(problem, f"it was {_KEPT!r}"))
    names = sorted({*before, *after})
    found.changed = [name for name in names if before.get(name) != after.get(name)]
    trial.run.settings.append(after)  # which another try undoes
    return found


def _start_configured(trial: Trial) -> _Restarts:
    """Start a backend that is configured, if the kit may do that and can see it."""
    backend, given = trial.in_thread_of_kit(trial.new), configuration(_KEPT)
    if configure(trial, backend, given):
        with suppress(StopTrial):
            must_start(trial, backend, "start()")
            return _Restarts(backend, True, given)
    backend = trial.new()
    must_start(trial, backend, "start()")
    return _Restarts(backend, False, configuration(_KEPT))


def _start_and_stop(trial: Trial, found: _Restarts, time: str) -> None:
    what = f"start(), for the {time} time,"
    found.returned[what] = must_start(trial, found.backend, what)
    _stop(trial, found, f"stop(), for the {time} time,")


def _stop(trial: Trial, found: _Restarts, what: str) -> None:
    found.returned[what] = must_stop(trial, found.backend, what)
    found.held.append(resources())


@tries(
    "BC306",
    """\
backend = make()
try:
    backend.register_config({"kept": 1})
except NotImplementedError:
    pass
config = dict(getattr(backend, "config", None) or {})
for _ in range(5):
    assert backend.start() is None
    assert backend.is_started is True
    assert backend.stop() is None
    assert backend.is_started is False
backend.start()
assert dict(getattr(backend, "config", None) or {}) == config
from backend_contract.testing import http_request
kept = []
for each in (make(), backend):
    with http_request({"x-route-info": "somewhere"}) as request:
        each.handle_runtime_context("a model", request)
    kept.append("'a model'" in repr(vars(each)))  # or where it keeps them
assert kept[0] == kept[1], "it keeps no contexts any more\"""",
    after=("BC203",),
)
def _try_restart(trial: Trial) -> None:
    found = _restarts(trial, undoing=not trial.is_alone)
    for what, returned in found.returned.items():
        require_none(returned, what)
    if found.is_configured and not is_configured(trial, found.backend):
        raise violated("after restarts, the configuration is not what it was before")
    _require_contexts(trial, found.backend)
    trial.share(found.backend)


def _require_contexts(trial: Trial, restarted: Backend) -> None:
    """Require that *restarted* accepts a context, if a backend that was started once does."""
    kind = trial.start_a_server()
    problem = kind and _context_problem(trial, restarted, kind)
    if not (kind and problem):
        return
    if problem == "stored nothing" and _context_problem(trial, trial.new(), kind):
        return  # no start is needed to see that it stores nothing
    started_once = trial.new()
    start_if_possible(trial, started_once)
    if _context_problem(trial, started_once, kind) is None:
        raise violated(f"after restarts, handle_runtime_context() {problem}")


def _context_problem(trial: Trial, backend: Backend, kind: str) -> str | None:
    """Return how telling *backend* of a context fails, as far as the hook shows that."""
    model_id = (trial.subject.model_ids or ["model"])[0]
    with trial.context(kind, trial.subject.metadata) as context:
        try:
            with trial.doing("handle_runtime_context()"):
                close_coroutine(backend.handle_runtime_context(model_id, context))
        except (Exception, SystemExit) as error:
            return f"raised {describe_exception(error)}"
        with suppress(StopTrial, TypeError):  # of the hook, or as keys cannot be hashed
            entries = Storage(trial, backend).wait_for(lambda entries: model_id in dict(entries))
            if entries is not None and model_id not in dict(entries):
                return "stored nothing"
    return None


@dataclass
class _SecondStarts:
    """What starting a started backend does."""

    held: list[Resources] = field(default_factory=list[Resources])
    """What the process held after each."""
    lost: str = ""
    """A description of the loss, or an empty text."""
    work_again: bool = False
    """Whether the work of start() was done again, if the hook shows that."""
    made_again: set[str] = field(default_factory=set[str])
    """Without the hook: the kinds of what was made anew each time."""

    def note(self, before: Resources, now: Resources) -> None:
        """Note what the process held before a second start, and what it holds now."""
        self.held.append(now)
        self.made_again = {
            kind for kind in self.made_again if _is_made_again(kind, before[kind], now[kind])
        }


@observed_once
def second_starts(trial: Trial) -> _SecondStarts:
    """Return what second starts do, which BC304 and BC310 judge."""
    found, calls = _SecondStarts(), list[None]()
    backend, was_configured = _started_and_configured(trial)
    trial.run.servers.close()
    start_again = partial(must_start, trial, backend, "start(), on a started backend,")
    start_again()
    require_free_lock(trial, backend, "after start() was called twice")
    if not injects_work(trial, backend, lambda: calls.append(None)):
        found.made_again = _steady_kinds()

    def start_in_thread() -> None:  # as a server does
        trial.in_thread(start_again, "a second start").result()

    for start in (start_again, start_in_thread, start_again, start_again):
        before = resources()
        start()
        found.note(before, resources())
    found.work_again = bool(calls)
    if was_configured and not is_configured(trial, backend):
        found.lost = "its configuration is"
    elif _loses_contexts(trial, backend):
        found.lost = "contexts that it has received are"
    if trial.holds("BC303"):
        must_stop(trial, backend, "stop(), after start() was called twice,")
    restarts: _Restarts | None = trial.run.records.get(_restarts.__name__)
    if restarts and restarts.backend is backend:
        restarts.note_last_stop()
    return found


def _loses_contexts(trial: Trial, backend: Backend) -> bool:
    """Return whether a second start loses what the hook shows of a request."""
    if trial.subject.received_contexts is None:
        return False
    with suppress(StopTrial):  # other clauses report it
        if kind := trial.start_a_server():
            _context_problem(trial, backend, kind)
    trial.run.servers.close()
    gc.collect()  # a backend may keep contexts as long as others do
    before = _received(trial, backend)
    if before and trial.holds("BC401") and lock_is_free(trial, backend, "after a request"):
        must_start(trial, backend, "start(), on a started backend,")
        after = _received(trial, backend)
        return after is not None and not before <= after
    return False


def _received(trial: Trial, backend: Backend) -> set[object] | None:
    """Return the models whose contexts the hook shows, if that does not change by itself."""
    for _ in range(10):
        if not others_may_be_at_work(trial.run):
            with suppress(StopTrial, TypeError):  # other clauses report it
                return {model_id for model_id, _ in Storage(trial, backend).entries() or ()}
            break
        threading.Event().wait(WINDOW / 10)  # until the threads of a server have ended
    return None


def _started_and_configured(trial: Trial) -> tuple[Backend, bool]:
    """Return a started backend, and whether it shows its configuration."""
    if trial.is_alone:
        backend = trial.new()
        is_shown = configure(trial, backend)
        start_if_possible(trial, backend)
        return backend, is_shown
    backend = trial.take()
    with suppress(StopTrial):  # of the hook
        return backend, is_configured(trial, backend)
    return backend, False


def _steady_kinds() -> set[str]:
    """Return the kinds of resources that do not change by themselves."""
    before = resources()
    threading.Event().wait(WINDOW / 4)
    now = resources()
    return {kind for kind in ("threads", "child processes", "sockets") if now[kind] == before[kind]}


def _is_made_again(kind: str, before: frozenset[str], now: frozenset[str]) -> bool:
    # A thread that is only added is what BC310 is about.
    return bool(now - before) and (kind != "threads" or bool(before - now))


@dataclass
class _Work:
    """A function to run in ``start()``; raises ``error`` unless it is ``None``."""

    error: type[Exception] | None = InjectedError
    calls: int = 0
    goes_on: bool = False
    """Whether ``start()`` has returned before the first call has."""
    called: threading.Event = field(default_factory=threading.Event)
    returned: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            self.goes_on = self.returned.wait(WINDOW)
        self.called.set()
        if self.error and not self.goes_on:  # in the background, it would be lost
            raise self.error("raised by the conformance kit to make start() fail")


@dataclass(frozen=True)
class _FailedStart:
    """A start that was made to fail."""

    backend: Backend
    work: _Work
    problem: StopTrial | None
    """What it raised, if anything."""
    is_started: object
    kept: bool
    """Whether the process holds more than before."""


def _fail(trial: Trial, backend: Backend, what: str = "start()") -> StopTrial | None:
    """Return how ``start()`` fails, if it does."""
    try:
        trial.start(backend, what)
    except StopTrial as outcome:
        return outcome
    return None


@observed_once
def failed_start(trial: Trial) -> _FailedStart:
    """Return what a failing start does, which BC302, BC308 and BC310 judge."""
    work = _Work()
    backend = new_with_work(trial, work)
    before = resources()
    with trial.doing("start(), made to fail,", "start"):
        problem = _fail(trial, backend)
    work.returned.set()
    if problem is None:
        work.called.wait(_LATE)
    after = resources()
    return _FailedStart(
        backend=backend,
        work=work,
        problem=problem,
        is_started=trial.is_started(backend, "after a failed start()"),
        kept=any(after[kind] - before[kind] for kind in after),
    )


@tries(
    "BC308",
    """\
import threading
# replace `connect` by the part of `start` that can fail
backend, entered = make(), []
def fail():
    raise errors.pop()
errors = [Exception, ConnectionError]
backend.connect = fail
while errors:
    try:
        backend.start()
        raise SystemExit("start() suppressed the failure")
    except Exception:
        pass
    assert backend.is_started is False
def enter():
    with backend.start_lock():
        entered.append(True)
other = threading.Thread(target=enter, daemon=True)
other.start()
other.join(5)
assert entered, "the lock is still held"
backend.connect = lambda: None
backend.start()
assert backend.is_started is True""",
    after=("BC401",),
)
def _try_failing_start(trial: Trial) -> None:
    failed = failed_start(trial)
    backend, work = failed.backend, failed.work
    trial.adopt(backend)
    if not work.calls:
        raised = failed.problem and failed.problem.found
        reason = f"{raised} before" if raised else "start() returned without"
        raise unchecked(f"{reason} calling the function given to `during_start`")
    _require_failure(trial, backend, failed.problem, failed.is_started)
    # Once more, with an error that the backend does not expect.
    work.error, calls = Exception, work.calls
    problem = _fail(trial, backend, "start(), after a failed start(),")
    if work.calls > calls:
        is_started = trial.is_started(backend, "after a failed start()")
        _require_failure(trial, backend, problem, is_started)
    work.error = None
    must_start(trial, backend, "start(), after failed starts,")
    calls, what = work.calls, "start(), on a started backend,"
    with trial.doing(what):
        _fail(trial, backend, what)
    if work.calls > calls:
        trial.run.observed.setdefault("BC304", violated(f"{what} did its work again"))
    if calls == 1 and trial.holds("BC303"):
        must_stop(trial, backend, "stop()")
        must_start(trial, backend, "start()")
        if work.calls > calls:  # so it is not for one start only
            raise violated("start(), after failed starts, did not do its work")


def _require_failure(
    trial: Trial, backend: Backend, problem: StopTrial | None, is_started: object
) -> None:
    """Require that a start that was made to fail has raised, and left nothing started."""
    if not problem or is_started is not False:
        what = problem.found if problem else "start() suppressed a failure and returned"
        raise violated(f"is_started is {is_started!r} after {what}")
    require_free_lock(trial, backend, "after start() raised")


@tries(
    "BC310",
    """\
import gc, os, threading, time
def count():
    return threading.active_count() + len(os.listdir("/proc/self/fd"))
def cycle():
    backend.start()
    backend.start()
    backend.stop()
def failing_cycle():
    def fail():
        raise ConnectionError
    backend.connect = fail  # replace `connect` by a part of the work of `start`
    try:
        backend.start()
    except ConnectionError:
        pass
for repeated in (cycle, failing_cycle):
    backend = make()
    repeated()
    before = count()
    for _ in range(12):
        repeated()
        gc.collect()
    time.sleep(2)  # for what stop() has not waited for
    assert count() < before + 5, repeated.__name__""",
    after=("BC304", "BC308"),
    half_by="during_start",
)
def _try_giving_back(trial: Trial) -> None:
    leak = (
        _leak(_restarts(trial).held, "starts and stops")
        or _leak_of_every_other_start(trial)
        or _leak_of_second_starts(trial)
        or _leak_of_failed_starts(trial)
    )
    if leak:
        raise violated(leak)
    if not can_see_files():
        raise not_applicable("the platform does not tell which files and processes are open")


def _leak_of_every_other_start(trial: Trial) -> str:
    found = _restarts(trial)
    if trial.is_alone:  # otherwise a trial of second starts has stopped it
        with trial.doing("stop()"), suppress(StopTrial):  # other clauses report it
            trial.stop(found.backend)
            threading.Event().wait(WINDOW)  # until its threads have ended
            found.note_last_stop()
    if not found.is_over:
        return ""
    threads = resources()["threads"]  # without those that were about to end
    held = [*found.held, found.held_at_last]
    steady = [{**each, "threads": each["threads"] & threads} for each in held]
    return _leak(steady, "starts and stops")


def _leak_of_second_starts(trial: Trial) -> str:
    if not trial.holds("BC304"):
        return ""
    return _leak(second_starts(trial).held, "second starts, and a stop")


def _leak_of_failed_starts(trial: Trial) -> str:
    """Return what more failing starts leave behind, if the first one has left something."""
    if trial.subject.during_start is None or not trial.holds("BC308"):
        return ""
    failed = failed_start(trial)
    if not failed.kept:
        return ""
    trial.adopt(failed.backend)
    failed.work.error = InjectedError
    trial.make_room()
    held: list[Resources] = []
    for _ in range(4):
        start_if_possible(trial, failed.backend)
        held.append(resources())
    return _leak(held, "failed starts")


def _leak(held: Sequence[Resources], what: str) -> str:
    """Return what has been added each time, or every other time, and stays, if anything."""
    added = {
        kind: held[-1][kind] - held[0][kind]
        for kind in held[0]
        if _grows([len(each[kind]) for each in held])
    }
    left = [f"{len(ids)} {kind}: {', '.join(sorted(ids))}" for kind, ids in _settled(added).items()]
    return f"after {len(held)} {what}, these are left: {'; '.join(left)}" if left else ""


def _settled(added: Resources) -> Resources:
    """Return what the process does not give back of *added*, by itself or by a collection."""
    until = real_time.monotonic() + _SETTLING
    while added and real_time.monotonic() < until:
        gc.collect()  # an object in a cycle is given back then
        now = resources()
        kept = {kind: ids & now[kind] for kind, ids in added.items()}
        # The last of them may be given back, if only its predecessors have been forgotten.
        added = {kind: ids for kind, ids in kept.items() if len(ids) > 1}
        threading.Event().wait(WINDOW / 4)
    return added


def _grows(counts: Sequence[int]) -> bool:
    """Return whether the last counts are higher each time, or by as much every other time."""
    added = [later - earlier for earlier, later in itertools.pairwise(counts)]
    every_other = len(added) > 3 and added == added[:2] * 2 and min(added) == 0 < max(added)
    return min(added) > 0 or every_other


@tries(
    "BC313",
    """\
import logging, os, signal, socket, sys, threading, warnings
def settings():
    root = logging.getLogger()
    return (os.getcwd(), dict(os.environ), [*map(signal.getsignal, signal.Signals)],
            sys.excepthook, threading.excepthook, [*warnings.filters], [*root.handlers],
            root.level, root.manager.disable, socket.getdefaulttimeout(),
            sys.unraisablehook, [*root.filters])
before = settings()
backend = make()
backend.start()
backend.stop()
assert settings() == before""",
)
def _try_settings(trial: Trial) -> None:
    if changed := _restarts(trial).changed:
        raise violated(f"start() and stop() have changed {', '.join(changed)}")
