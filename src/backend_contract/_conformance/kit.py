"""Layer B for one backend: every clause, decided once, on what an author gives.

pytest suites, :func:`check_backend` and the command all use the same :class:`Kit`.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import math
import re
import sys
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from backend_contract._conformance import real_time
from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.behavioural.calls import describe_exception, is_of_author
from backend_contract._conformance.behavioural.outcomes import StopTrial, blocked, violated
from backend_contract._conformance.behavioural.run import (
    DEFAULT_TIME_LIMIT,
    USUAL_METADATA,
    Received,
    Run,
    Subject,
)
from backend_contract._conformance.behavioural.trial import Trial, is_skip, stop_all
from backend_contract._conformance.request_servers import Pairs, RequestServers, pairs
from backend_contract._conformance.results import Finding, Report, Verdict, blocked_by
from backend_contract._structure import find_missing, find_problems
from backend_contract.base import BackendBase
from backend_contract.clauses import CLAUSES, Clause, in_layer
from backend_contract.errors import CouldNotCheckError
from backend_contract.protocol import Backend

CHECKED_BY = "the conformance kit"

_ADVICE_ON_BASE = {
    True: {
        "BC204": "Call `super().register_config(config)`, which merges.",
        "BC206": "Call `super().register_config(config)`, which copies.",
        "BC302": "Set `self._started = True` at the end of `start`.",
        "BC303": "Set `self._started = False` in `stop`.",
        "BC405": "Set `self._started = True` at the end of `start`.",
    },
    False: {
        "BC302": "Let `is_started` be `True` from the end of `start` on.",
        "BC303": "Let `is_started` be `False` from the end of `stop` on.",
        "BC405": "Let `is_started` become `True` at the end of `start`.",
    },
}
"""Advice on violations: for subclasses of ``BackendBase``, and for other classes."""

_SAME_ALONE = (Verdict.NEEDS_A_SUITE, Verdict.NEEDS_AN_EXTRA, Verdict.NOT_APPLICABLE)
"""Verdicts that do not depend on what other clauses did."""

_GRACE = 1.0
"""Seconds that all threads together have to end after everything has been stopped."""


def check_backend(
    backend: Callable[[], Backend],
    *,
    config: Mapping[str, Any] | None = None,
    metadata: Pairs = USUAL_METADATA,
    time_limit: float = DEFAULT_TIME_LIMIT,
    merged_config: Callable[[Any], Mapping[str, Any] | None] | None = None,
    during_start: Callable[[Any, Callable[[], None]], object] | None = None,
    received_contexts: Callable[[Any], Received | None] | None = None,
    model_ids: Sequence[str] | None = None,
    exclusive: bool = False,
) -> Report:
    """Try every clause of layer B on *backend*, and return a report with one finding per clause.

    *backend* is a backend class, or a factory that returns a new, not started backend at each call.
    BC201 and the constructor's half of BC205 need the class. *config* is a configuration that is
    valid for the class, if an empty one is not; *metadata* is what a usual client sends.

    The first start may take *time_limit* seconds, and each later call of a member the larger of 10
    seconds and five times what the first start took, but never more than *time_limit*. Clauses
    share a started backend; two are started at a time for BC312 only, and not even then if starts
    are *exclusive*, as those of a device or a port are.

    Three hooks show what no member of a backend shows. Without them, the verdict on a clause is
    "needs a suite" if the members do not suffice:

    - ``merged_config(backend)`` returns the merged configuration (BC204);
    - ``during_start(backend, call)`` arranges that ``backend.start()`` calls ``call()`` in the
      middle of its work, where it may raise or take long (BC308, BC405);
    - ``received_contexts(backend)`` returns what was received, as pairs of a model id and its
      context, or a value of that context's metadata (BC504, BC506). It is called in the thread and
      the ``contextvars`` context of each call, right after it. *model_ids* are the ids that
      requests are made for, if the backend keeps the contexts of some models only.

    An exception of the backend is part of the report. If no backend can be created or started at
    all, the ``error`` of the report says why; the report keeps what was decided. Every backend
    that was created is stopped, and every server and thread ended if possible; the ``notes`` of the
    report name what could not be ended, and the hooks without which half of a clause was not tried.

    Raises :class:`TypeError` if *backend* is not callable, *config* is not a mapping, *metadata* is
    not pairs or *model_ids* is not a sequence of ids, and :class:`ValueError` if *time_limit* is
    not finite and above 0.

    Not thread-safe: runs must not overlap, because some clauses observe the whole process.
    """
    subject = Subject(
        make=backend,
        config=config,
        metadata=metadata,
        time_limit=time_limit,
        merged_config=merged_config,
        during_start=during_start,
        received_contexts=received_contexts,
        model_ids=model_ids,
        exclusive=exclusive,
    )
    with Kit(subject) as kit:
        return kit.report()


class Kit:
    """The verdicts on one subject. A clause is tried when it is first asked for, and once.

    Not thread-safe.
    """

    def __init__(
        self,
        subject: Subject,
        known: Mapping[str, Finding] | None = None,
        before_trial: Callable[[str], None] = lambda clause: None,
        before_call: Callable[[str], None] = lambda what: None,
    ) -> None:
        """*known* are findings of an earlier run.

        *before_trial* receives the id of each clause before its trial, and *before_call* the
        description of each call before it is made, such as ``start(), under the lock,``.

        Raises :class:`TypeError` and :class:`ValueError` as :func:`check_backend` does.
        """
        self.subject: Subject = _validated(subject)
        self.notes: list[str] = []
        self.could_not_start: str | None = None
        """Why no backend could be started here, if that is so."""
        self._servers = RequestServers()
        self._threads = set(threading.enumerate())
        self._findings = dict(known or {})
        self._before_trial = before_trial
        self._class: type | None = None
        self._run = Run(
            subject=self.subject,
            servers=self._servers,
            holds=self._holds,
            before_call=before_call,
        )

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """``module:qualname`` of the class or factory."""
        make: Any = self.subject.make
        return f"{make.__module__}:{getattr(make, '__qualname__', repr(make))}"

    def backend_class(self) -> type:
        """Return the class of the backends.

        Raises :class:`CouldNotCheckError` if no backend can be created.
        """
        if self._class is None:
            self._class = self.subject.cls or type(self._first_backend())
        return self._class

    def _first_backend(self) -> Backend:
        trial = Trial(self._run)
        outcome = trial.carry_out(Trial.new, "the factory")
        if outcome is not None and not self._run.seen:  # BC201 reports an incomplete backend
            raise CouldNotCheckError("; ".join(filter(None, (outcome.found, *outcome.because))))
        self.notes += trial.clean_up()
        return self._run.seen[0]

    def finding(self, clause: Clause) -> Finding:
        """Return the verdict of layer B on *clause*.

        Raises :class:`CouldNotCheckError` if no backend can be created at all.
        """
        if clause.id not in self._findings:
            self._findings[clause.id] = self._finding(clause, self._decide(clause))
        return self._findings[clause.id]

    def report(self) -> Report:
        """Return a report with a finding for every clause, and close the kit."""
        try:
            findings = tuple(self.finding(clause) for clause in in_layer("B"))
        except CouldNotCheckError as error:
            return Report(target=self.name, error=f"{self.name}: {error}")
        self.close()
        problem = self.could_not_start and f"{self.name}: {self.could_not_start}"
        notes = self.all_notes()
        return Report(target=self.name, findings=findings, error=problem, notes=notes)

    def all_notes(self) -> tuple[str, ...]:
        """Return the notes, and one for each hook without which half of a clause was not tried."""
        halves: dict[str, list[str]] = {}
        for finding in self._findings.values():
            if hook := self.hook_for_half(finding):
                halves.setdefault(hook, []).append(finding.clause.id)
        on_halves = [
            f"only half of {', '.join(sorted(clauses))} was tried, without the hook `{hook}`"
            for hook, clauses in halves.items()
        ]
        return tuple(dict.fromkeys([*self.notes, *on_halves]))

    def hook_for_half(self, finding: Finding) -> str:
        """Return the hook without which half of the clause was not tried, or ``""``."""
        hook = BEHAVIOURS[finding.clause.id].half_by
        if not hook or finding.verdict is not Verdict.OK:
            return ""
        is_there = getattr(self.subject, hook) is not None and hook not in self._run.skipped_hooks
        return "" if is_there else hook

    def close(self) -> None:
        """Stop all backends and servers, and note the threads that still run. Idempotent."""
        self._stop_shared()
        try:
            self._servers.close()
        except OSError as error:  # the backend has closed their sockets
            self.notes.append(f"a server could not be closed: {describe_exception(error)}")
        until = real_time.monotonic() + _GRACE
        for thread in {*threading.enumerate()} - self._threads - {threading.current_thread()}:
            if thread.ident is not None:  # not one that another thread is just starting
                thread.join(max(until - real_time.monotonic(), 0))
            if thread.is_alive():
                kind = "daemon" if thread.daemon else "non-daemon"
                self.notes.append(f"still running: the {kind} thread {thread.name!r}")
        self._threads = set(threading.enumerate())

    def _stop_shared(self) -> None:
        shared, self._run.shared = self._run.shared, None
        if shared is not None:
            self.notes += stop_all(self._run, [shared])

    def _holds(self, clause: str) -> bool:
        try:
            return self.finding(CLAUSES[clause]).verdict is Verdict.OK
        except BaseException as error:
            if is_skip(error):  # of that clause alone
                return False
            raise

    @functools.cached_property
    def _problems(self) -> dict[str, str]:
        problems = find_problems(self.backend_class())
        if self.subject.cls is None:
            problems.pop("BC201", None)  # the factory may call the class in any way
        return problems

    @functools.cached_property
    def _missing(self) -> list[str]:
        return find_missing(self.backend_class())

    def _decide(self, clause: Clause) -> StopTrial | None:
        """Return ``None`` if the clause holds."""
        problem = self._problems.get(clause.id)
        if problem is not None:
            lacking = [member for member in clause.members if member in self._missing]
            return violated(problem, advice=_advice_on(self.backend_class(), problem, lacking))
        if clause.id in self._run.observed:
            return self._run.observed[clause.id]
        blocking = self._blocking(clause)
        outcome = self._try(clause) if blocking is None else blocked(blocking)
        # A trial may have shown on the way that it does not hold.
        return self._run.observed.get(clause.id, outcome)

    def _blocking(self, clause: Clause) -> str | None:
        blocking = blocked_by(clause, lambda required: self.finding(CLAUSES[required]))
        if blocking is not None:
            return blocking
        if self.could_not_start and "BC302" in clause.requires:
            return "BC302"
        # Without all members, there is no complete instance to try.
        is_incomplete = inspect.isabstract(self.backend_class()) or (
            bool(self._missing) and clause.id == "BC201"
        )
        return next(iter(self._problems), None) if is_incomplete else None

    def _try(self, clause: Clause) -> StopTrial | None:
        behaviour = BEHAVIOURS[clause.id]
        for other in behaviour.after:
            self._holds(other)
        if behaviour.with_requests or "handle_runtime_context" in clause.members:
            self._start_servers()
        self._before_trial(clause.id)
        outcome = self._carry_out(clause)
        if outcome is None:
            return None
        if root := self._root_of(clause, outcome):
            return blocked(root)
        if outcome.could_not_start and clause.id == "BC302":
            return self._judge_without_start(outcome)
        return outcome

    def _root_of(self, clause: Clause, outcome: StopTrial) -> str:
        """Return the violated clause that explains an exception in *outcome*, if there is one.

        An instance may lack an attribute, ``start`` and ``stop`` may use a faulty lock, and a
        ``stop`` may raise whether the backend is started or not.
        """
        cause, roots = outcome.__cause__, list[str]()
        if isinstance(cause, AttributeError):
            roots.append("BC201")
        if isinstance(cause, Exception) and {"start", "stop"} & {*clause.members}:
            roots += ["BC401"] + ["BC303"] * (clause.id == "BC305")
        for root in roots:
            if root != clause.id and self.finding(CLAUSES[root]).verdict is Verdict.VIOLATED:
                return root
        return ""

    def _carry_out(self, clause: Clause, *, alone: bool = False) -> StopTrial | None:
        """Try *clause*; again, alone, if it fails on a backend that other clauses have used."""
        trial = Trial(self._run, alone=alone)
        try:
            outcome = trial.carry_out(BEHAVIOURS[clause.id].function, clause.id)
        finally:
            self.notes += trial.clean_up()
        if outcome is None or not trial.borrows or outcome.verdict in _SAME_ALONE:
            return outcome
        self._stop_shared()  # what other clauses did may be to blame
        return self._carry_out(clause, alone=True)

    def _judge_without_start(self, outcome: StopTrial) -> StopTrial:
        """Return the outcome of BC302 after no start succeeded in the threads of the trials."""
        if self._starts_in_main_thread():
            return violated(
                f"in a thread other than the main one, {outcome.because[0]}; in the main thread it "
                "succeeds",
                advice="Let `start` work in every thread: leave to the runtime what only the main "
                "thread may do, such as setting signal handlers, or do it only if "
                "`threading.current_thread() is threading.main_thread()`.",
            )
        given = {
            "config": self.subject.config is not None,
            "make_backend": self.subject.cls is None,
        }
        options = [
            "another " * is_given + self.subject.name_of(option)
            for option, is_given in given.items()
        ]
        self.could_not_start = (
            f"could not start here: {outcome.because[0]}; make what it needs available, or give "
            f"{' or '.join(options)}"
        )
        return outcome

    def _starts_in_main_thread(self) -> bool:
        """Return whether a start succeeds in this thread, if it is the main one."""
        trial, starts = Trial(self._run), False
        if threading.current_thread() is threading.main_thread():
            with suppress(Exception):
                trial.start(trial.new())
                starts = True
            self.notes += trial.clean_up()
        return starts

    def _start_servers(self) -> None:
        self._servers.start()  # which may take longer than a trial may
        for kind, problem in self._servers.problems.items():
            self.notes.append(f"no request could be made ({kind}): {problem}")
        kinds = self._servers.kinds
        if len(kinds) == 1:
            tried, missing = ("gRPC", "fastapi") if "grpc" in kinds else ("HTTP", "grpc")
            self.notes.append(
                f"requests were made over {tried} only; install backend-contract[{missing}]"
            )

    def _finding(self, clause: Clause, ended: StopTrial | None) -> Finding:
        outcome = ended or StopTrial(Verdict.OK)
        cls = self.backend_class()
        path, line = _locate(cls, clause.members[0])
        advice = outcome.advice
        if outcome.verdict is Verdict.VIOLATED and not advice:
            advice = _ADVICE_ON_BASE[BackendBase in cls.__mro__].get(clause.id, "")
        return Finding(
            clause=clause,
            verdict=outcome.verdict,
            path=path,
            line=line,
            found=outcome.found,
            because=outcome.because,
            advice=advice,
            layer="B",
            checked_by=CHECKED_BY,
        )


def _advice_on(cls: type, problem: str, missing: Sequence[str]) -> str:
    """Return how to fix a *problem* of *cls*; *missing* are the members that it lacks."""
    if missing:
        return f"Define `{missing[0]}` in the class."
    name, _, what = problem.partition(" ")
    if what.startswith("is async"):
        return f"Remove `async` from {name}."
    return _advice_on_keywords(cls) if what.startswith("cannot be called with the keywords") else ""


def _advice_on_keywords(cls: type) -> str:
    """Return how to make `handle_runtime_context` take its arguments by keyword, if possible."""
    function = inspect.getattr_static(cls, "handle_runtime_context")
    if not isinstance(function, types.FunctionType):
        return ""
    code, names = function.__code__, ("model_id", "runtime_context")
    own = code.co_varnames[1 : code.co_argcount]
    if len(own) < len(names):
        return ""
    renamed = [f"`{one}` to `{name}`" for one, name in zip(own, names, strict=False) if one != name]
    if renamed:
        return f"Rename {' and '.join(renamed)}."
    return "Remove the `/`, so that both can be given by keyword."


def _validated(subject: Subject) -> Subject:
    if not callable(subject.make):
        raise TypeError(
            f"expected a backend class or a function that returns a backend, got "
            f"{subject.make!r}; give its class, or a lambda that creates it"
        )
    config = cast("object", subject.config)
    if config is not None and not isinstance(config, Mapping):
        raise TypeError(f"config: expected a mapping, got {config!r}")
    if isinstance(subject.model_ids, str) or subject.model_ids == []:
        raise TypeError(f"model_ids: expected a sequence of ids, got {subject.model_ids!r}")
    if not 0 < subject.time_limit < math.inf:
        raise ValueError(f"time_limit: expected seconds above 0, got {subject.time_limit!r}")
    try:
        metadata = pairs(subject.metadata)  # may be an iterator, and is sent many times
    except TypeError:
        raise TypeError(
            f"metadata: expected a mapping or pairs of a key and a value, got {subject.metadata!r}"
        ) from None
    return replace(subject, metadata=metadata)


def _locate(cls: type, member: str) -> tuple[Path, int]:
    """Return file and line of *member* if *cls* defines it by a function, otherwise of *cls*.

    A class without source, defined in an interactive session or by a library, is at line 1.
    """
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None) or f"<{cls.__module__}>"
    own = cls.__dict__.get(member)
    function = getattr(own, "fget", None) or getattr(own, "__func__", None) or own
    if isinstance(function, types.FunctionType):
        code = _unwrapped(function).__code__
        # A library may generate the function, or replace it by one of its own.
        if code.co_filename == file or is_of_author(code.co_filename):
            return Path(code.co_filename), code.co_firstlineno
    line: int | None = cls.__dict__.get("__firstlineno__")  # from Python 3.13 on
    return Path(file), line or _line_of_class(file, cls.__name__)


def _unwrapped(function: types.FunctionType) -> types.FunctionType:
    """Return what a decorator, such as ``contextlib.contextmanager``, says that it wraps."""
    with suppress(ValueError):  # it wraps itself
        wrapped = inspect.unwrap(function)
        if isinstance(wrapped, types.FunctionType):
            return wrapped
    return function


@functools.lru_cache(maxsize=256)
def _line_of_class(file: str, name: str) -> int:
    head = re.compile(rf"\s*class {re.escape(name)}\b")
    lines = enumerate(linecache.getlines(file), start=1)
    return next((number for number, line in lines if head.match(line)), 1)
