"""Trying one clause: on new backends, in separate threads, with a time limit per call.

This module knows no clause; those are in the modules named after what they are about.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from backend_contract._conformance.behavioural.calls import (
    AbandonedError,
    WorkerCall,
    describe_exception,
    end_if_forked,
    format_stack,
)
from backend_contract._conformance.behavioural.request_servers import Pairs, RequestServers
from backend_contract._conformance.results import Verdict
from backend_contract.base import BackendBase
from backend_contract.protocol import Backend, ConfigType
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = [
    "BEHAVIOURS",
    "DEFAULT_TIME_LIMIT",
    "ROUTE",
    "USUAL_METADATA",
    "WINDOW",
    "Behaviour",
    "Received",
    "StopTrial",
    "Subject",
    "Trial",
    "blocked",
    "configuration",
    "is_skip",
    "lacks_base_state",
    "needs_a_suite",
    "needs_an_extra",
    "tries",
    "unchecked",
    "violated",
]

T = TypeVar("T")

DEFAULT_TIME_LIMIT = 10.0
"""Seconds after which a call of a member is considered to hang."""

WINDOW = 0.2
"""Seconds for which the kit waits for something that must not happen."""

ROUTE = "x-route-info"
"""The key by which Caikit's clients choose a route. The kit's requests carry it."""

USUAL_METADATA = ((ROUTE, "somewhere"),)
"""The metadata of a request, unless the author gives another."""

Received = Mapping[str, object] | Iterable[tuple[str, object]]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A backend class or factory, with the options for trying it; see ``check_backend``."""

    make: Callable[[], Backend]
    config: Mapping[str, Any] | None = None
    metadata: Pairs = USUAL_METADATA
    time_limit: float = DEFAULT_TIME_LIMIT
    # Any: each hook takes the class that its author wrote
    merged_config: Callable[[Any], Mapping[str, Any] | None] | None = None
    during_start: Callable[[Any, Callable[[], None]], object] | None = None
    received_contexts: Callable[[Any], Received | None] | None = None

    @property
    def cls(self) -> type[Backend] | None:
        """The class, unless a factory creates the backends."""
        return self.make if isinstance(self.make, type) else None

    def create(self, *arguments: object) -> Backend:
        """Call the class, by default with the sample configuration, or the factory."""
        if self.cls is not None and self.config is not None and not arguments:
            arguments = (configuration(self.config),)
        make: Callable[..., Backend] = self.make
        return make(*arguments)


class StopTrial(Exception):  # noqa: N818 - an outcome, not an error
    """Raised to end a trial with a verdict other than ok."""

    def __init__(self, verdict: Verdict, found: str = "", *because: str) -> None:
        super().__init__(verdict, found, *because)
        self.verdict = verdict
        self.found = found
        self.because = because
        self.advice = ""


def violated(found: str, *because: str, advice: str = "") -> StopTrial:
    """Return the outcome that the clause is violated; *found* is what was observed.

    *advice* says how to fix it, if the fix of the clause does not.
    """
    outcome = StopTrial(Verdict.VIOLATED, found, *because)
    outcome.advice = advice
    return outcome


def unchecked(because: str) -> StopTrial:
    """Return the outcome that the clause could not be decided."""
    return StopTrial(Verdict.UNCHECKED, "", because)


def needs_a_suite(because: str) -> StopTrial:
    """Return the outcome that only a hook can show whether the clause holds."""
    return StopTrial(Verdict.NEEDS_A_SUITE, "", because)


def needs_an_extra(because: str) -> StopTrial:
    """Return the outcome that a framework is missing that the clause is about."""
    return StopTrial(Verdict.NEEDS_AN_EXTRA, "", because)


def blocked(clause: str) -> StopTrial:
    """Return the outcome that *clause* has to hold first."""
    return StopTrial(Verdict.BLOCKED, "", clause)


def configuration(of: Mapping[str, Any]) -> ConfigType:
    """Return an ``aconfig.Config`` that shares no part with *of*."""
    import copy

    import aconfig

    return aconfig.Config(copy.deepcopy(dict(of)), override_env_vars=False)


class Trial:
    """One clause being tried: what it needs, and what has to be cleaned up afterwards."""

    def __init__(
        self,
        subject: Subject,
        servers: RequestServers,
        seen: list[Backend],
        holds: Callable[[str], bool],
    ) -> None:
        self.subject = subject
        self.holds = holds
        self._servers = servers
        self._seen = seen
        self._created: list[Backend] = []
        self._calls: list[WorkerCall[Any]] = []
        self._events: list[threading.Event] = []
        self._process: int = os.getpid()
        self._description, self._since = "creating a backend", time.monotonic()
        self._on_timeout = Verdict.VIOLATED

    # For the functions that try a clause.

    @property
    def can_start(self) -> bool:
        """Whether ``start`` is known to start a backend."""
        return self.holds("BC302")

    def new(self, *arguments: object) -> Backend:
        """Return a new backend; *arguments* require a class, not a factory.

        Ends the trial if there is none: blocked by BC201 for a class, unchecked for a factory.
        """
        of_class = self.subject.cls is not None
        on_timeout = Verdict.BLOCKED if of_class else Verdict.UNCHECKED
        try:
            with self.doing("creating a backend", on_timeout=on_timeout):
                backend = self.subject.create(*arguments)
        except (Exception, SystemExit) as error:
            end_if_forked(self._process)
            if is_skip(error):
                raise
            if of_class:
                raise blocked("BC201") from error
            raise unchecked(f"the factory raised {describe_exception(error)}") from error
        end_if_forked(self._process)
        problem = _problem_with(backend)
        if problem is not None:
            raise unchecked(problem)
        if any(backend is other for other in self._seen):
            raise unchecked("the factory returned the same backend twice; return a new one")
        self._seen.append(backend)
        if lacks_base_state(backend):  # nor can it be stopped
            raise blocked("BC201")
        self._created.append(backend)
        return backend

    def started(self) -> Backend:
        """Return a new backend, started if ``start`` is known to work."""
        backend = self.new()
        if self.can_start:
            with self.doing("start()"):  # BC302 reports a hang
                self.call("start()", backend.start)
        return backend

    def call(self, what: str, member: Callable[..., T], *arguments: object, **named: object) -> T:
        """Call *member* and return its result. Any exception violates the clause."""
        self.set_description(what)
        try:
            return member(*arguments, **named)
        except (StopTrial, AbandonedError):
            raise
        except BaseException as error:  # SystemExit is as bad as any other
            raise violated(f"{what} raised {describe_exception(error)}") from error
        finally:
            end_if_forked(self._process)

    def is_started(self, backend: Backend, when: str) -> bool:
        """Return ``backend.is_started``; *when* completes the description."""
        return self.call(f"is_started, {when},", lambda: backend.is_started)

    def set_description(self, description: str) -> None:
        """Describe the next call, for a report that it hangs. Restarts the time limit."""
        self._description, self._since = description, time.monotonic()

    @contextmanager
    def doing(
        self, description: str, *, on_timeout: Verdict = Verdict.UNCHECKED
    ) -> Generator[None]:
        """Do what another clause is about: if it hangs, this clause is *on_timeout*."""
        self.set_description(description)
        self._on_timeout = on_timeout
        try:
            yield
        finally:
            self._on_timeout = Verdict.VIOLATED

    def hook(self, name: str, *arguments: object) -> Any:  # Any: hooks return different types
        """Call a hook of the author's, or return ``None`` without one.

        An exception of the hook leaves the clause unchecked, but a skip propagates.
        """
        hook = getattr(self.subject, name)
        if hook is None:
            return None
        try:
            with self.doing(f"the hook `{name}` was called"):
                return hook(*arguments)
        except (Exception, SystemExit) as error:
            if is_skip(error):
                raise
            raise unchecked(f"the hook `{name}` raised {describe_exception(error)}") from error

    def in_thread(self, function: Callable[[], T], name: str) -> WorkerCall[T]:
        """Call *function* in another thread, whose stack is shown if the trial hangs."""
        call = WorkerCall(function, f"backend-contract: {name}")
        self._calls.append(call)
        return call

    def event(self) -> threading.Event:
        """Return an event that is set when the trial ends at the latest."""
        event = threading.Event()
        self._events.append(event)
        return event

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of context that are available."""
        return self._servers.kinds

    @contextmanager
    def context(self, kind: str, metadata: Pairs) -> Generator[RuntimeServerContextType]:
        """Yield the context of a real request of *kind* that carries *metadata*.

        If the request fails, the clause is unchecked: the backend is not to blame.
        """
        with ExitStack() as stack:
            try:
                with self.doing(f"making a request ({kind})"):
                    context = stack.enter_context(self._servers.request(kind, metadata))
            except Exception as error:
                problem = describe_exception(error)
                raise unchecked(f"no request could be made ({kind}): {problem}") from error
            yield context

    # For the kit.

    def carry_out(self, clause: Callable[[Trial], object], name: str) -> StopTrial | None:
        """Try *clause*; return ``None`` if it holds. The time limit applies to each call.

        If the author skips it, in a factory or a hook, that exception propagates.
        """
        threads_before = set(threading.enumerate())
        driver = self.in_thread(lambda: clause(self), name)
        try:
            if not self._ends_in_time(driver):
                return self._timed_out(threads_before)
            driver.result()
        except StopTrial as outcome:
            return outcome
        except BaseException as error:  # raised outside of `call`, most likely by a lock
            if is_skip(error):
                raise
            return violated(f"{self._description.rstrip(',')}: {describe_exception(error)}")
        finally:
            self._release()
        return None

    def _ends_in_time(self, driver: WorkerCall[object]) -> bool:
        limit = self.subject.time_limit
        while not driver.ended_within(max(self._since + limit - time.monotonic(), 0)):
            if time.monotonic() >= self._since + limit:  # otherwise another call has begun
                return False
        return True

    def _timed_out(self, threads_before: set[threading.Thread]) -> StopTrial:
        limit = self.subject.time_limit
        found = f"{self._description.rstrip(',')}: it did not return within {limit:g} seconds"
        if self._on_timeout is Verdict.BLOCKED:
            return blocked("BC201")
        if self._on_timeout is Verdict.UNCHECKED:
            return unchecked(found)
        threads = [thread for thread in threading.enumerate() if thread not in threads_before]
        return violated(found, *filter(None, map(format_stack, threads)))

    def _release(self) -> None:
        for call in self._calls:
            call.abandon()
        for event in self._events:
            event.set()

    def clean_up(self) -> list[str]:
        """Stop every backend of this trial; return one line per problem."""
        problems: list[str] = []
        until = time.monotonic() + self.subject.time_limit
        for backend in self._created:
            call = WorkerCall(partial(_stop, backend), "backend-contract: clean-up")
            if not call.ended_within(max(until - time.monotonic(), 0.1)):
                problems.append("stop() did not return in clean-up")
                continue
            try:
                call.result()
            except BaseException as error:  # is reported, and must not end the run
                problems.append(f"stop() raised {describe_exception(error)} in clean-up")
        return problems


def _stop(backend: Backend) -> None:
    if backend.is_started:
        backend.stop()


def is_skip(error: BaseException) -> bool:
    """Return whether an exception skips a test: that of unittest, or that of pytest."""
    for module, name in (("unittest.case", "SkipTest"), ("_pytest.outcomes", "Skipped")):
        # Neither is loaded for this: what raises one has loaded it.
        if isinstance(error, getattr(sys.modules.get(module), name, ())):
            return True
    return False


def lacks_base_state(backend: object) -> bool:
    """Return whether a constructor did not call that of :class:`BackendBase`, and has to."""
    cls = type(backend)
    return BackendBase in cls.__mro__ and any(
        getattr(cls, member) is getattr(BackendBase, member) and not hasattr(backend, state)
        for member, state in (("is_started", "_started"), ("start_lock", "_start_lock"))
    )


def _problem_with(backend: object) -> str | None:
    """Return why the result of a factory cannot be tried, or ``None``."""
    if inspect.iscoroutine(backend):
        backend.close()
        return "the factory is async; expected a function that returns a backend"
    if backend is None:
        return "the factory returned None, expected a backend; is a `return` missing?"
    if isinstance(backend, type):
        return (
            f"the factory returned the class {backend.__qualname__}, expected an instance; give "
            "the class itself, or call it in the factory"
        )
    return None


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a clause is tried, and how to see a violation without the kit."""

    clause: str
    function: Callable[[Trial], None]
    """Returns if the clause holds, and otherwise raises a ``StopTrial``."""
    reproduce: str
    """Python code that raises, or hangs, if the result of ``make()`` violates the clause."""
    after: tuple[str, ...] = ()
    """Clauses to decide first, whatever their verdict."""


BEHAVIOURS: dict[str, Behaviour] = {}
"""The behaviours by clause id."""


def tries(
    clause: str, reproduce: str, after: tuple[str, ...] = ()
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Add a function to the table. The arguments are the fields of :class:`Behaviour`."""

    def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
        BEHAVIOURS[clause] = Behaviour(
            clause=clause, function=function, reproduce=reproduce, after=after
        )
        return function

    return add
