"""Trying one clause: on new or shared backends, with a time limit per call.

This module knows no clause; those are in the modules named after what they are about.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from backend_contract._conformance import real_time
from backend_contract._conformance.behavioural.calls import (
    AbandonedError,
    WorkerCall,
    describe_cause,
    describe_exception,
    end_if_forked,
    format_stack,
    is_call_error,
)
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    blocked,
    could_not_start,
    skipped,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import Run, Subject
from backend_contract._conformance.request_servers import Pairs, pairs
from backend_contract._conformance.results import Verdict
from backend_contract.base import BackendBase
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

T = TypeVar("T")
Arguments = ParamSpec("Arguments")

WINDOW = 0.2
"""Seconds for which the kit waits for something that must not happen."""

_POLL = 0.005
"""Seconds after which the kit looks whether a trial has work for its thread."""


class Trial:
    """One clause being tried: what it needs, and what has to be cleaned up afterwards.

    A trial *alone* uses new backends only. Otherwise it may use the backend of the run, and
    :attr:`borrows` says whether it did: if it ends badly, the clause has to be tried alone.
    """

    def __init__(self, run: Run, *, alone: bool = True) -> None:
        self.run = run
        self.subject: Subject = run.subject
        self.borrows = False
        self._shares = run.subject.shares and not alone
        self._created: list[Backend] = []
        self._calls: list[WorkerCall[Any]] = []
        self._events: list[threading.Event] = []
        self._process: int = os.getpid()
        self._description, self._since = "creating a backend", real_time.monotonic()
        self._limit, self._limited_as = run.pace.limit_of("create"), "create"
        self._on_timeout = Verdict.VIOLATED
        self._beside_loop = False
        self._for_kit: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = (
            queue.SimpleQueue()
        )

    # For the functions that try a clause: backends.

    @property
    def is_alone(self) -> bool:
        """Whether this trial uses new backends only."""
        return not self._shares

    def holds(self, clause: str) -> bool:
        """Return whether the clause of an id is ok. Its trial, if any, has its own limits."""
        with self.unlimited():
            return self.run.holds(clause)

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
        pace = self.run.pace
        try:
            with (
                self.doing("creating a backend", "create", on_timeout=on_timeout),
                pace.measured("create"),
            ):
                backend = self.subject.create(*arguments)
        except (Exception, SystemExit) as error:
            if is_skip(error):
                raise
            if of_class:
                raise blocked("BC201") from error
            raise unchecked(f"the factory raised {describe_exception(error)}") from error
        finally:
            end_if_forked(self._process)
        if problem := _problem_with(backend):
            raise unchecked(problem)
        self._require_unseen(backend)
        self.run.seen.append(backend)
        if lacks_base_state(backend):  # nor can it be stopped
            raise blocked("BC201")
        self._created.append(backend)
        return backend

    def _require_unseen(self, backend: Backend) -> None:
        if not any(backend is other for other in self.run.seen):
            return
        if self.subject.cls is None:
            raise unchecked("the factory returned the same backend twice; return a new one")
        problem = "two calls of the class returned the same object"
        self.run.observed.setdefault("BC312", violated(problem))
        raise blocked("BC312")

    def started(self) -> Backend:
        """Return a started backend, which others may have used and will use.

        It is a new one, not started, if ``start`` is not known to work.
        """
        if not self.can_start:
            return self.new()
        backend = self._borrowed()
        if not self._is_started(backend):
            with self.doing("start()", "start"):  # other clauses report a failure
                self.start(backend)
        return backend

    def stopped(self) -> Backend:
        """Return a backend that has been started and stopped, if that is known to work."""
        has_shared = self._shares and self.run.shared is not None  # which may be false
        backend = self._borrowed() if has_shared else self.started()
        if self.can_start and self.holds("BC303") and self._is_started(backend):
            with self.doing("stop()"):
                self.stop(backend)
        return backend

    def adopt(self, backend: Backend) -> None:
        """Stop *backend*, which an earlier trial created, when this one ends."""
        if not any(backend is other for other in self._created):
            self._created.append(backend)

    def take(self) -> Backend:
        """Return a started backend as :meth:`started` does, which later trials will not use."""
        backend = self.started()
        self.adopt(backend)
        if backend is self.run.shared:
            self.run.shared = None
        return backend

    def share(self, backend: Backend) -> None:
        """Let later trials use *backend*, which this one has created, instead of stopping it.

        What they have used before is stopped when this trial ends, unless it has been already.
        """
        if self._shares:
            self.borrows = True
            if self.run.shared is not None:
                self.adopt(self.run.shared)
            self.run.shared = backend
            # Not `remove`: it may equal others.
            self._created = [each for each in self._created if each is not backend]

    def record(self, name: str, observe: Callable[[], T]) -> T:
        """Return what *observe* returns, which several clauses judge, or did for another trial."""
        if not self._shares:
            return observe()
        self.borrows = True
        if name not in self.run.records:
            self.run.records[name] = observe()
        found: T = self.run.records[name]
        return found

    def start(self, backend: Backend, what: str = "start()", *, beside: bool = False) -> object:
        """Call ``backend.start()`` and return its result. Any exception violates the clause.

        Unless it may be started *beside* others, those that the run has started are stopped first.
        If no backend of the run has ever been started, the run could not start here.
        """
        if not beside:
            self.make_room(backend)
        self.set_description(what, "start")
        try:
            with self.run.pace.measured("start"):
                returned: object = self.call(what, backend.start, limited_as="start")
        except StopTrial as outcome:
            self._note_failed_start(backend, outcome)
            cause = outcome.__cause__
            if self.run.has_started or not isinstance(cause, Exception) or is_call_error(cause):
                raise
            raise could_not_start(outcome.found, describe_cause(cause)) from cause
        self.run.note_start(backend)
        return returned

    def stop(self, backend: Backend, what: str = "stop()") -> object:
        """Call ``backend.stop()`` and return its result. Any exception violates the clause."""
        returned: object = self.call(what, backend.stop)
        self.run.note_stop(backend)
        return returned

    def make_room(self, backend: Backend | None = None) -> None:
        """Stop every backend of the run but *backend*: two may exclude each other."""
        for other in (*self._created, self.run.shared):
            if other is None or other is backend:
                continue
            with self.doing("is_started, of another backend,"), suppress(Exception):
                if other.is_started:
                    self.set_description("stop(), of another backend,")
                    other.stop()
                    self.run.note_stop(other)

    def _borrowed(self) -> Backend:
        """Return the backend that trials share, or a new one."""
        if not self._shares:
            return self.new()
        self.borrows = True
        if self.run.shared is None:
            self.share(self.new())
        assert self.run.shared is not None
        return self.run.shared

    def _is_started(self, backend: Backend) -> bool:
        with self.doing("is_started"):
            return self.is_started(backend, "on a backend that is used again")

    def _note_failed_start(self, backend: Backend, outcome: StopTrial) -> None:
        """Note a violation of BC308 that shows without a hook."""
        if id(backend) in self.run.running:
            return  # it was a second start
        with suppress(Exception):  # other clauses report it
            if backend.is_started is True:
                problem = f"is_started is True after {outcome.found}"
                self.run.observed.setdefault("BC308", violated(problem))

    # For the functions that try a clause: calls.

    def call(
        self, what: str, member: Callable[..., T], *arguments: object, limited_as: str = ""
    ) -> T:
        """Call *member* and return its result. Any exception violates the clause."""
        self.set_description(what, limited_as)
        try:
            return member(*arguments)
        except (StopTrial, AbandonedError):
            raise
        except BaseException as error:  # SystemExit is as bad as any other
            is_main = threading.current_thread() is threading.main_thread()
            if isinstance(error, KeyboardInterrupt) and is_main:
                raise
            raise violated(f"{what} raised {describe_exception(error)}") from error
        finally:
            end_if_forked(self._process)

    def is_started(self, backend: Backend, when: str) -> bool:
        """Return ``backend.is_started``; *when* completes the description."""
        return self.call(f"is_started, {when},", lambda: backend.is_started)

    def set_description(self, description: str, limited_as: str = "") -> None:
        """Describe the next call, for a report that it hangs. Restarts the time limit.

        Ends the trial if the call is a start, and the first one of the run has hung or has kept
        the lock.
        """
        if limited_as == "start" and (self.run.start_hangs or self.run.lock_kept_by):
            raise blocked(self.run.lock_kept_by or "BC302")
        self.run.before_call(description)
        self._limited_as = limited_as
        self._limit = self.run.pace.limit_of(limited_as)
        self._description, self._since = description, real_time.monotonic()

    @contextmanager
    def unlimited(self) -> Generator[None]:
        """Let the block take any time. Restarts the time limit."""
        limit, self._limit = self._limit, math.inf
        try:
            yield
        finally:
            self._limit, self._since = limit, real_time.monotonic()

    @contextmanager
    def doing(
        self, description: str, limited_as: str = "", *, on_timeout: Verdict = Verdict.UNCHECKED
    ) -> Generator[None]:
        """Do what another clause is about: if it hangs, this clause is *on_timeout*."""
        self.set_description(description, limited_as)
        before, self._on_timeout = self._on_timeout, on_timeout
        try:
            yield
        finally:
            self._on_timeout = before

    def hook(self, name: str, *arguments: object) -> Any:  # Any: hooks return different types
        """Call a hook of the author's, or return ``None`` without one.

        An exception of the hook leaves the clause unchecked. One that skips the test does so,
        unless other evidence decides the clause.
        """
        hook = getattr(self.subject, name)
        if hook is None:
            return None
        try:
            with self.doing(f"the hook `{name}` was called"):
                return hook(*arguments)
        except BaseException as error:  # pytest's skip is not an `Exception`
            if is_skip(error):
                self.run.skipped_hooks.add(name)
                raise skipped(error) from error
            if not isinstance(error, (Exception, SystemExit)):
                raise
            raise unchecked(f"the hook `{name}` raised {describe_exception(error)}") from error

    def in_thread(self, function: Callable[[], T], name: str) -> WorkerCall[T]:
        """Call *function* in another thread, whose stack is shown if the trial hangs."""
        call = WorkerCall(function, f"backend-contract: {name}")
        self._calls.append(call)
        return call

    def in_thread_of_kit(self, function: Callable[[], T]) -> T:
        """Call *function* in the thread that uses the kit: the main one, as a rule.

        If an event loop is running there, *function* is called in this one instead.
        """
        return function() if self._beside_loop else self._let_kit_call(function).result()

    def _let_kit_call(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        self._for_kit.put((function, future))
        return future

    @contextmanager
    def starting_servers(self) -> Generator[None]:
        """Start the servers, in the thread that uses the kit, while the block runs."""
        servers = self._let_kit_call(self.run.servers.start)
        yield
        servers.result()

    def start_a_server(self) -> str | None:
        """Start one server; return the kind of its contexts, or ``None`` if there can be none."""
        with self.doing("starting a server"):
            return self.run.servers.start_one()

    def event(self) -> threading.Event:
        """Return an event that is set when the trial ends at the latest."""
        event = threading.Event()
        self._events.append(event)
        return event

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of context that can be had."""
        servers = self.run.servers
        return tuple(kind for kind in servers.kinds if kind not in servers.problems)

    @contextmanager
    def context(self, kind: str, metadata: Pairs) -> Generator[RuntimeServerContextType]:
        """Yield the context of a real request of *kind* that carries *metadata*.

        If the request fails, the clause is unchecked: the backend is not to blame.
        """
        with ExitStack() as stack:
            try:
                with self.doing(f"making a request ({kind})"):
                    if kind == "grpc":  # whose keys are lower case, unlike those of HTTP
                        metadata = [(key.lower(), value) for key, value in pairs(metadata)]
                    context = stack.enter_context(self.run.servers.request(kind, metadata))
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
        with suppress(RuntimeError):  # none is running
            self._beside_loop = bool(asyncio.get_running_loop())
        driver = self.in_thread(lambda: clause(self), name)
        try:
            if not self._ends_in_time(driver):  # Ctrl-C arrives in this thread, and propagates
                return self._timed_out(threads_before)
            return self._outcome_of(driver)
        finally:
            self._release()

    def _outcome_of(self, driver: WorkerCall[object]) -> StopTrial | None:
        try:
            driver.result()
        except StopTrial as outcome:
            if outcome.skip is not None:
                raise outcome.skip from None
            return outcome
        except BaseException as error:  # raised outside of `call`, most likely by a lock
            if is_skip(error):
                raise
            found = violated(f"{self._description.rstrip(',')}: {describe_exception(error)}")
            found.__cause__ = error
            return found
        return None

    def _ends_in_time(self, driver: WorkerCall[object]) -> bool:
        while not driver.ended_within(_POLL):
            self._work_in_this_thread()
            if real_time.monotonic() >= self._since + self._limit:
                return False
        return True

    def _work_in_this_thread(self) -> None:
        """Call what the trial wants to have called in this thread, if anything."""
        with suppress(queue.Empty):
            function, future = self._for_kit.get_nowait()
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)
            except BaseException:  # Ctrl-C, in this thread only
                future.set_exception(AbandonedError())
                raise
            self._since = real_time.monotonic()

    def _timed_out(self, threads_before: set[threading.Thread]) -> StopTrial:
        found = (
            f"{self._description.rstrip(',')}: it did not return within {self._limit:g} seconds "
            f"({self.run.pace.explain(self._limit)})"
        )
        threads = [thread for thread in threading.enumerate() if thread not in threads_before]
        outcome = violated(found, *filter(None, map(format_stack, threads)))
        if self._limited_as == "start" and not self.run.has_started:
            self.run.start_hangs = True
            self.run.observed["BC302"] = outcome
        if self._on_timeout is Verdict.BLOCKED:
            return blocked("BC201")
        return unchecked(found) if self._on_timeout is Verdict.UNCHECKED else outcome

    def _release(self) -> None:
        for call in self._calls:
            call.abandon()
        for event in self._events:
            event.set()

    def clean_up(self) -> list[str]:
        """Stop every backend of this trial; return one line per problem."""
        return stop_all(self.run, self._created)


def observed_once(
    observe: Callable[Concatenate[Trial, Arguments], T],
) -> Callable[Concatenate[Trial, Arguments], T]:
    """Let several clauses judge one observation, which the first of them makes.

    A trial alone makes its own.
    """

    @wraps(observe)
    def recorded(trial: Trial, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> T:
        return trial.record(observe.__name__, partial(observe, trial, *arguments, **named))

    return recorded


def stop_all(run: Run, backends: Iterable[Backend]) -> list[str]:
    """Stop each of *backends* that is started; return one line per problem."""
    problems: list[str] = []
    until = real_time.monotonic() + run.pace.limit_of("stop")
    for backend in backends:
        call = WorkerCall(partial(_stop, run, backend), "backend-contract: clean-up")
        if not call.ended_within(max(until - real_time.monotonic(), 0.1)):
            problems.append("stop() did not return in clean-up")
            continue
        try:
            call.result()
        except StopTrial:  # it would end this process
            pass
        except BaseException as error:  # is reported, and must not end the run
            problems.append(f"stop() raised {describe_exception(error)} in clean-up")
    return problems


def _stop(run: Run, backend: Backend) -> None:
    run.before_call("is_started, in clean-up,")
    if backend.is_started:
        run.before_call("stop(), in clean-up,")
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

    function: Callable[[Trial], None]
    """Returns if the clause holds, and otherwise raises a ``StopTrial``."""
    reproduce: str
    """Python code that raises, or hangs, if the result of ``make()`` violates the clause."""
    after: tuple[str, ...] = ()
    """Clauses to decide first, whatever their verdict."""
    with_requests: bool = False
    """Whether the function makes requests, though the clause is not about them."""
    half_by: str = ""
    """The hook that half of the clause needs, if the other half needs none."""


BEHAVIOURS: dict[str, Behaviour] = {}
"""The behaviours by clause id."""


def tries(
    clause: str,
    reproduce: str,
    after: tuple[str, ...] = (),
    *,
    with_requests: bool = False,
    half_by: str = "",
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Add a function to the table, with the other fields of its :class:`Behaviour`."""

    def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
        BEHAVIOURS[clause] = Behaviour(
            function=function,
            reproduce=reproduce,
            after=after,
            with_requests=with_requests,
            half_by=half_by,
        )
        return function

    return add
