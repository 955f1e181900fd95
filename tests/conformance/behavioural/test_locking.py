"""Parts of BC402 to BC406 that no mutant shows: messages, the restart, and pauses between lines."""

from __future__ import annotations

import contextlib
import sys
import threading
from itertools import product
from typing import Any

import pytest
from support import WAIT, mostly_exhaustive

from backend_contract import LocalBackend
from backend_contract._conformance import kit as kits
from backend_contract._conformance.behavioural.interleaving import Pause
from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.behavioural.trials import locking
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.request_servers import RequestServers
from backend_contract._conformance.results import Verdict
from backend_contract.clauses import CLAUSES
from backend_contract.runtime_context import get_metadata

OK, VIOLATED = Verdict.OK, Verdict.VIOLATED
NEEDS_A_SUITE, UNCHECKED = Verdict.NEEDS_A_SUITE, Verdict.UNCHECKED


class Mine(LocalBackend):
    """A sound backend whose start() does some work."""

    backend_type = "MINE"

    def connect(self) -> None:
        pass

    def start(self) -> None:
        self.connect()
        self._started = True


PLUGGED: Any = {"during_start": lambda backend, call: setattr(backend, "connect", call)}


def said(clause: str, make: Any, **given: Any) -> tuple[Verdict, str]:
    """Return the verdict, and what was found or the reasons."""
    with Kit(Subject(make=make, **given)) as kit:
        finding = kit.finding(CLAUSES[clause])
        return finding.verdict, finding.found or "; ".join(finding.because)


@pytest.mark.parametrize("member", ["start", "stop"])
def test_lock_renewed(member: str) -> None:
    """BC402 names the member that replaced the lock."""

    def renew(self: Any) -> None:
        getattr(super(renewing, self), member)()
        self._start_lock = threading.RLock()

    renewing: Any = type("Renewing", (Mine,), {member: renew})
    found = (
        f"two threads were inside: the second used the context manager of a call before {member}()"
    )
    assert said("BC402", renewing) == (VIOLATED, found)


def test_waiting_threads() -> None:
    """BC402 sees that two threads that waited for a third one are both inside then."""

    class WakesBoth(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.changed, self.inside = threading.Condition(), 0

        @contextlib.contextmanager
        def start_lock(self) -> Any:
            with self.changed:
                if self.inside:
                    self.changed.wait(30)
                self.inside += 1
            try:
                yield
            finally:
                with self.changed:
                    self.inside -= 1
                    self.changed.notify_all()

    found = "two threads were inside: both had waited for a third one to leave"
    assert said("BC402", WakesBoth) == (VIOLATED, found)


def test_long_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for which BC402 holds the lock does not count against the time limit."""
    monkeypatch.setattr(locking, "_LONG", 4.0)
    assert said("BC402", Mine, time_limit=3.0) == (OK, "")


def test_waiting_forever() -> None:
    """BC402 says what did not return, if the second of two threads that wait is never let in."""

    class ForgetsTheSecond(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.waiting: list[threading.Event] = []

        @contextlib.contextmanager
        def start_lock(self) -> Any:
            if self._start_lock.acquire(blocking=False):
                turn = threading.Event()
            else:
                turn = threading.Event()
                self.waiting.append(turn)
                turn.wait()
                self._start_lock.acquire()
            try:
                yield
            finally:
                self._start_lock.release()
                if self.waiting:
                    self.waiting[0].set()

    verdict, found = said("BC402", ForgetsTheSecond, time_limit=1.5)
    assert verdict is VIOLATED
    assert found.startswith("the lock, entered by two threads in turn: it did not return within")


def test_servers_started_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """While BC402 holds the lock, the servers are started, and that does not prolong it."""
    entered, left, seen = threading.Event(), threading.Event(), list[bool]()

    class Servers(RequestServers):
        def start(self) -> None:
            if not seen:
                entered.clear()
                seen.append(entered.wait(WAIT))
                left.clear()
                seen.append(left.wait(WAIT))

    class Watched(Mine):
        @contextlib.contextmanager
        def start_lock(self) -> Any:
            with self._start_lock:
                entered.set()
                yield
            left.set()

    monkeypatch.setattr(kits, "RequestServers", Servers)
    assert said("BC402", Watched) == (OK, "")
    assert seen == [True, True]


def test_first_callers() -> None:
    """BC402 sees that two first callers get a lock each, if there is a line between."""

    class Lazily(Mine):
        lock: Any = None

        def start_lock(self) -> Any:
            if self.lock is None:
                self.lock = threading.RLock()
            return self.lock

    class LazilyUnderALock(Lazily):
        def start_lock(self) -> Any:
            with self._start_lock:
                return super().start_lock()

    found = "two threads were inside: both called start_lock() at the same time"
    assert said("BC402", Lazily) == (VIOLATED, found)
    assert said("BC402", LazilyUnderALock) == (OK, "")


class Shared:
    value = 0


def test_pause_at_lines() -> None:
    """A pause stops the thread before a line of the backend, and counts no others."""
    go_on, passed = threading.Event(), threading.Event()
    go_on.set()

    def work() -> None:
        for _ in range(3):
            with contextlib.suppress(ValueError):
                int("no")
        passed.set()

    tracing = sys.gettrace()
    pause = Pause(4, go_on)
    pause.run(work)
    assert sys.gettrace() is tracing
    assert pause.reached.is_set()
    assert passed.is_set()
    assert len(pause.points) == 4
    last = Pause(5, go_on)
    last.run(work)
    assert not last.reached.is_set()


def test_pause_at_stores() -> None:
    """A pause may stop the thread between a check and a change in the same line."""
    shared = Shared()
    seen: list[int] = []

    class Now(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            seen.append(shared.value)
            return True

    def work() -> None:
        shared.value = shared.value or 1
        items["key"] = shared.value + 1

    items: dict[str, int] = {}
    for number in (1, 2, 3):
        pause = Pause(number, Now(), "opcode")
        shared.value = 0
        pause.run(work)
        assert pause.reached.is_set() is (number < 3)
        assert len(pause.points) == 2
    assert seen == [0, 1]


@pytest.mark.parametrize(
    "error",
    mostly_exhaustive(
        zip([KeyboardInterrupt, ValueError, RuntimeError, TimeoutError, SystemExit, GeneratorExit]),
        2,
    ),
)
def test_error_in_body(error: type[BaseException]) -> None:
    """BC403 names the error that the lock suppressed, replaced, or was kept for."""

    class Suppresses(Mine):
        @contextlib.contextmanager
        def start_lock(self) -> Any:
            with self._start_lock, contextlib.suppress(error):
                yield

    class Replaces(Mine):
        @contextlib.contextmanager
        def start_lock(self) -> Any:
            with self._start_lock:
                try:
                    yield
                except error:
                    raise LookupError("instead") from None

    class Keeps(Mine):
        @contextlib.contextmanager
        def start_lock(self) -> Any:
            self._start_lock.acquire()
            try:
                yield
            except error:
                raise
            except BaseException:
                self._start_lock.release()
                raise
            self._start_lock.release()

    name = error.__name__
    found = f"the lock suppressed the {name} of the body, so a failed start would go unnoticed"
    assert said("BC403", Suppresses) == (VIOLATED, found)
    verdict, found = said("BC403", Replaces)
    assert verdict is VIOLATED
    start = f"the body raised {name}, and the lock raised LookupError: instead"
    assert found.startswith(start)
    found = f"the lock is still held after the body raised {name}: another thread cannot enter"
    assert said("BC403", Keeps, time_limit=1.0) == (VIOLATED, found)


@pytest.mark.parametrize(
    ("member", "raises"),
    mostly_exhaustive(
        [
            ("start", False),  # one that raises is about BC308
            *product(("stop", "register_config"), (True, False)),
        ],
        2,
    ),
)
def test_lock_kept(member: str, raises: bool) -> None:
    """BC403 names the member that keeps the lock."""

    def keep(self: Any, *arguments: Any) -> None:
        getattr(super(keeping, self), member)(*arguments)
        self._start_lock.acquire()
        if raises:
            raise OSError("no")

    keeping: Any = type("Keeping", (Mine,), {member: keep})
    found = f"the lock is still held after {member}(): another thread cannot enter"
    assert said("BC403", keeping, time_limit=1.0) == (VIOLATED, found)


def test_lock_kept_without_metadata() -> None:
    """BC403 is violated by a request without metadata too."""

    class Keeps(Mine):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            self._start_lock.acquire()
            if get_metadata(runtime_context, "x-route-info"):
                self._start_lock.release()

    found = "the lock is still held after handle_runtime_context(): another thread cannot enter"
    assert said("BC403", Keeps, time_limit=1.0) == (VIOLATED, found)
    assert said("BC403", Mine) == (OK, "")


def test_registering_under_lock() -> None:
    """BC404 calls register_config under the lock, unless it fails without it too."""

    class RefusesUnderLock(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.lock = threading.Lock()

        def start_lock(self) -> Any:
            return self.lock

        def register_config(self, config: Any) -> None:
            if self.lock.locked():
                raise RuntimeError("busy")
            super().register_config(config)

    class Refuses(Mine):
        def register_config(self, config: Any) -> None:
            raise NotImplementedError

    verdict, found = said("BC404", RefusesUnderLock)
    assert verdict is VIOLATED
    assert found.startswith("register_config(), under the lock, raised RuntimeError: busy")
    assert said("BC404", Refuses) == said("BC404", Mine) == (OK, "")


def test_started_early_again() -> None:
    """BC405 is violated by a second start too."""

    class TooEarlyAgain(Mine):
        before = False

        def start(self) -> None:
            self._started, self.before = self.before, True
            self.connect()
            self._started = True

    found = "is_started was True in another thread while start(), after stop() was still working"
    assert said("BC405", TooEarlyAgain, **PLUGGED) == (VIOLATED, found)
    assert said("BC405", TooEarlyAgain)[0] is NEEDS_A_SUITE


def test_answers_while_locked() -> None:
    """BC406 is decided without a hook by the lock, and with one by a held start."""

    class LooksAtState(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.state = threading.RLock()

        @property
        def is_started(self) -> bool:
            with self.state:
                return self._started

        def start(self) -> None:
            with self.state:
                super().start()

    class LooksUnderLock(LooksAtState):
        def start_lock(self) -> Any:
            return self.state

    limited: Any = {"time_limit": 1.0}
    found = "is_started did not answer while another thread held the lock"
    assert said("BC406", LooksUnderLock, **limited) == (VIOLATED, found)
    found = "is_started did not answer while another thread was in start()"
    assert said("BC406", LooksAtState, **PLUGGED, **limited) == (VIOLATED, found)
    assert said("BC406", LooksAtState, **limited) == (OK, "")
    assert said("BC406", Mine, **PLUGGED) == (OK, "")
