"""How a clause of layer B is tried: on backends of its own, in threads of its own, in limited time.

Nothing here knows a clause; those are in :mod:`~backend_contract.conformance.behaviour`.
"""

from __future__ import annotations

import concurrent.futures
import inspect
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from backend_contract.base import BackendBase
from backend_contract.conformance.contexts import ContextServers, Pairs
from backend_contract.conformance.verdicts import Verdict
from backend_contract.protocol import Backend, ConfigType
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = [
    "ROUTE",
    "TIME_LIMIT",
    "USUAL_METADATA",
    "WINDOW",
    "Ended",
    "Subject",
    "Task",
    "Trial",
    "blocked",
    "configuration",
    "described",
    "lacks_its_base",
    "problem_with",
    "unchecked",
    "violated",
]

T = TypeVar("T")

TIME_LIMIT = 10.0
"""Seconds after which a call of a member is taken to hang."""

WINDOW = 0.2
"""Seconds for which something that must not happen is given the chance to happen."""

ROUTE = "x-route-info"
"""The key by which Caikit's clients choose a route, and the one that the kit's requests carry."""

USUAL_METADATA = ((ROUTE, "somewhere"),)
"""What a request carries unless the author says what their clients send."""

Received = Mapping[str, object] | Iterable[tuple[str, object]]


class Subject(NamedTuple):
    """What is tried, and what its author gave to try it with; see ``check_backend``."""

    make: Callable[[], Backend]
    config: Mapping[str, Any] | None = None
    metadata: Pairs = USUAL_METADATA
    time_limit: float = TIME_LIMIT
    # Any, here: each hook takes the class that its author wrote
    merged_config: Callable[[Any], Mapping[str, Any] | None] | None = None
    during_start: Callable[[Any, Callable[[], None]], object] | None = None
    received_contexts: Callable[[Any], Received | None] | None = None

    @property
    def cls(self) -> type[Backend] | None:
        """The class, where it is what makes the backends."""
        return self.make if isinstance(self.make, type) else None

    def made(self, *arguments: object) -> Backend:
        """What the class, by default with the sample configuration, or else the factory makes."""
        if self.cls is not None and self.config is not None and not arguments:
            arguments = (configuration(self.config),)
        make: Callable[..., Backend] = self.make
        return make(*arguments)


class Ended(Exception):  # noqa: N818 - no error, but what came out
    """Ends a trial with another verdict than that all is well."""

    def __init__(self, verdict: Verdict, found: str = "", *because: str) -> None:
        super().__init__(verdict, found, *because)
        self.verdict = verdict
        self.found = found
        self.because = because


def violated(found: str, *because: str) -> Ended:
    """The clause is broken: ``found`` is what was seen."""
    return Ended(Verdict.VIOLATED, found, *because)


def unchecked(because: str) -> Ended:
    """It cannot be told, because."""
    return Ended(Verdict.UNCHECKED, "", because)


def blocked(clause: str) -> Ended:
    """It cannot be told before ``clause`` holds."""
    return Ended(Verdict.BLOCKED, "", clause)


def configuration(of: Mapping[str, Any]) -> ConfigType:
    """An ``aconfig.Config`` that shares nothing with ``of``."""
    import copy

    import aconfig

    return aconfig.Config(copy.deepcopy(dict(of)), override_env_vars=False)


def described(error: BaseException) -> str:
    """An exception on one line, with the place it comes from."""
    text = " ".join(str(error).split())
    name = type(error).__qualname__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (f"{name}: {text}" if text else name)[:300] + where


def end_if_forked(process: int) -> None:
    """End this process if it is not ``process``: a backend forked, and the trial goes on there."""
    if os.getpid() != process:  # pragma: no cover - of which nothing is left to be counted
        os._exit(0)


class _AbandonedError(Exception):
    """Ends what a trial whose time is over still waits for."""


class Task(Generic[T]):
    """A call in a thread of its own, which does not keep the interpreter alive."""

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._process: int = os.getpid()
        self.thread: threading.Thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        tell: Callable[[], None]
        try:
            tell = partial(self._future.set_result, self._function())
        except BaseException as error:  # a backend may well raise SystemExit; `result` raises it
            tell = partial(self._future.set_exception, error)
        end_if_forked(self._process)
        with suppress(concurrent.futures.InvalidStateError):  # abandoned in the meantime
            tell()

    def ended_within(self, seconds: float) -> bool:
        """Whether the call returns or raises in that time."""
        return bool(concurrent.futures.wait([self._future], seconds).done)

    def result(self) -> T:
        """What the call returns; waits for it, and raises what it raises."""
        return self._future.result()

    def abandon(self) -> None:
        """Let nobody wait for it any longer."""
        with suppress(concurrent.futures.InvalidStateError):  # it has ended by itself
            self._future.set_exception(_AbandonedError())


class Trial:
    """One clause, being tried: what it needs, and what has to be taken away afterwards."""

    def __init__(
        self,
        subject: Subject,
        servers: ContextServers,
        seen: list[Backend],
        holds: Callable[[str], bool],
    ) -> None:
        self.subject = subject
        self.holds = holds
        self._servers = servers
        self._seen = seen
        self._made: list[Backend] = []
        self._tasks: list[Task[Any]] = []
        self._events: list[threading.Event] = []
        self._process: int = os.getpid()
        self._doing, self._since = "making a backend", time.monotonic()
        self._hanging: Callable[[str], Ended] = violated

    # What a clause is tried with.

    @property
    def can_start(self) -> bool:
        """Whether ``start`` was seen to start one."""
        return self.holds("BC302")

    def new(self, *arguments: object) -> Backend:
        """A new backend. If there is none, the trial ends: unchecked, or blocked by BC201.

        Only a class can be given ``arguments``.
        """
        of_class = self.subject.cls is not None

        def hanging(found: str) -> Ended:
            return blocked("BC201") if of_class else unchecked(found)

        try:
            with self.unless_it_hangs("making a backend", hanging):
                backend = self.subject.made(*arguments)
        except (Exception, SystemExit) as error:
            end_if_forked(self._process)
            if of_class:
                raise blocked("BC201") from error
            raise unchecked(f"the factory raised {described(error)}") from error
        end_if_forked(self._process)
        problem = problem_with(backend)
        if problem is not None:
            raise unchecked(problem)
        if any(backend is other for other in self._seen):
            raise unchecked("the factory returned a backend it had returned before, not a new one")
        self._seen.append(backend)
        if lacks_its_base(backend):  # it has nothing that could be stopped, either
            raise blocked("BC201")
        self._made.append(backend)
        return backend

    def started(self) -> Backend:
        """A new backend, started if it can be."""
        backend = self.new()
        if self.can_start:
            with self.unless_it_hangs("start()"):  # of that, BC302 speaks
                self.call("start()", backend.start)
        return backend

    def call(self, what: str, member: Callable[..., T], *arguments: object, **named: object) -> T:
        """What ``member`` returns. That it raises anything at all violates the clause."""
        self.says(what)
        try:
            return member(*arguments, **named)
        except (Ended, _AbandonedError):
            raise
        except BaseException as error:  # SystemExit is as bad as any other
            raise violated(f"{what} raised {described(error)}") from error
        finally:
            end_if_forked(self._process)

    def is_started(self, backend: Backend, when: str) -> bool:
        """``backend.is_started``, as it is read ``when``."""
        return self.call(f"is_started, {when},", lambda: backend.is_started)

    def says(self, doing: str) -> None:
        """What is to be reported if the time is over before the next call."""
        self._doing, self._since = doing, time.monotonic()

    @contextmanager
    def unless_it_hangs(
        self, doing: str, hanging: Callable[[str], Ended] = unchecked
    ) -> Generator[None]:
        """Do what another clause speaks of: if it does not return, this one is unchecked."""
        self.says(doing)
        self._hanging = hanging
        try:
            yield
        finally:
            self._hanging = violated

    def hook(self, name: str, *arguments: object) -> Any:  # Any: each hook returns something else
        """What a hook returns; ``None`` where there is none. Its failures are not the backend's."""
        hook = getattr(self.subject, name)
        if hook is None:
            return None
        try:
            with self.unless_it_hangs(f"the hook `{name}` was called"):
                return hook(*arguments)
        except (Exception, SystemExit) as error:
            raise unchecked(f"the hook `{name}` raised {described(error)}") from error

    def in_thread(self, function: Callable[[], T], name: str) -> Task[T]:
        """Call ``function`` in another thread, whose stack is shown if the trial hangs."""
        task = Task(function, f"backend-contract: {name}")
        self._tasks.append(task)
        return task

    def event(self) -> threading.Event:
        """An event that is set, at the latest, when the trial is over: nobody waits for ever."""
        event = threading.Event()
        self._events.append(event)
        return event

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of context that can be had here."""
        return self._servers.kinds

    @contextmanager
    def context(self, kind: str, metadata: Pairs) -> Generator[RuntimeServerContextType]:
        """The context of a real request of ``kind`` that carries ``metadata``.

        If there is none, the trial ends: unchecked. That is never the backend's doing.
        """
        with ExitStack() as stack:
            try:
                with self.unless_it_hangs(f"making a request ({kind})"):
                    context = stack.enter_context(self._servers.request(kind, metadata))
            except Exception as error:
                raise unchecked(f"no request could be made ({kind}): {described(error)}") from error
            yield context

    # How it is carried out.

    def carry_out(self, clause: Callable[[Trial], object], name: str) -> Ended | None:
        """Try ``clause``; ``None`` where it holds. Each call may take as long as the limit says."""
        before = set(threading.enumerate())
        limit = self.subject.time_limit
        driver = self.in_thread(lambda: clause(self), name)
        while not driver.ended_within(max(self._since + limit - time.monotonic(), 0)):
            if time.monotonic() < self._since + limit:  # that was another call
                continue
            found = f"{self._doing.rstrip(',')}: it did not return within {limit:g} seconds"
            if self._hanging is not violated:
                self._let_go()
                return self._hanging(found)
            threads = [thread for thread in threading.enumerate() if thread not in before]
            stacks = [_stack(thread) for thread in threads]
            self._let_go()
            return violated(found, *(stack for stack in stacks if stack))
        try:
            driver.result()
        except Ended as ended:
            return ended
        except BaseException as error:  # where it was not called by `call`: a lock, mostly
            return violated(f"{self._doing.rstrip(',')}: {described(error)}")
        finally:
            self._let_go()
        return None

    def _let_go(self) -> None:
        for task in self._tasks:
            task.abandon()
        for event in self._events:
            event.set()

    def clean_up(self) -> list[str]:
        """Stop every backend that was made; what went wrong with that, in a line each."""
        problems: list[str] = []
        until = time.monotonic() + self.subject.time_limit
        for backend in self._made:
            task = Task(partial(_stop, backend), "backend-contract: clean-up")
            if not task.ended_within(max(until - time.monotonic(), 0.1)):
                problems.append("stop() did not return in clean-up")
                continue
            try:
                task.result()
            except BaseException as error:  # to be told, and not to end the run
                problems.append(f"stop() raised {described(error)} in clean-up")
        return problems


def _stop(backend: Backend) -> None:
    if backend.is_started:
        backend.stop()


def lacks_its_base(backend: object) -> bool:
    """Whether a constructor has forgotten that of :class:`BackendBase`, whose members it needs."""
    cls = type(backend)
    return BackendBase in cls.__mro__ and any(
        getattr(cls, member) is getattr(BackendBase, member) and not hasattr(backend, state)
        for member, state in (("is_started", "_started"), ("start_lock", "_start_lock"))
    )


def problem_with(backend: object) -> str | None:
    """Why what a factory returned is nothing that could be tried."""
    if inspect.iscoroutine(backend):
        backend.close()
        return "the factory is async, expected a function that returns a backend"
    if backend is None:
        return "the factory returned None, expected a backend: it may lack a `return`"
    if isinstance(backend, type):
        return (
            f"the factory returned the class {backend.__qualname__}, expected an instance: give "
            "the class itself, or call it in the factory"
        )
    return None


_HERE = str(Path(__file__).parent)


def _stack(thread: threading.Thread) -> str:
    """Where a thread is, from the first frame on that is not of this package."""
    # Private by name, documented, and what faulthandler does for a file.
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
    if frame is None:
        return ""
    frames = traceback.extract_stack(frame)
    first = next((n for n, f in enumerate(frames) if _is_anothers(f.filename)), None)
    if first is None:
        return ""  # a thread of the kit's, which waits for another
    return f"thread {thread.name!r}:\n" + "".join(traceback.format_list(frames[first:])).rstrip()


def _is_anothers(file: str) -> bool:
    return not file.startswith(_HERE) and Path(file).name not in (
        "threading.py",
        "thread.py",
        "_base.py",
    )
