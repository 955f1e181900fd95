"""What trials of one run share: a backend, records, the pace of its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from support import Mine

from backend_contract._conformance import kit as kits
from backend_contract._conformance.behavioural import BEHAVIOURS, Behaviour
from backend_contract._conformance.behavioural import run as runs
from backend_contract._conformance.behavioural.outcomes import StopTrial, violated
from backend_contract._conformance.behavioural.run import Pace, Run, Subject
from backend_contract._conformance.behavioural.trial import Trial
from backend_contract._conformance.kit import Kit, check_backend
from backend_contract._conformance.results import Verdict
from backend_contract.clauses import CLAUSES


class NoServers:
    kinds = ()

    def start(self) -> None:
        """Start nothing."""

    def close(self) -> None:
        """Close nothing."""


class Counted(Mine):
    """Counts the backends that are started at a time."""

    now: set[int]
    most: int

    def start(self) -> None:
        super().start()
        self.now.add(id(self))
        type(self).most = max(self.most, len(self.now))

    def stop(self) -> None:
        super().stop()
        self.now.discard(id(self))


def a_run(make: Any = Counted, *, holds: str = "BC302 BC303", **given: Any) -> Run:
    Counted.now, Counted.most = set(), 0
    servers: Any = NoServers()
    return Run(
        subject=Subject(make=make, **given), servers=servers, holds=lambda clause: clause in holds
    )


# The shared backend.


def test_shared_backend() -> None:
    """Trials that are not alone use one started backend, which their clean-up does not stop."""
    run = a_run()
    first, second = Trial(run, alone=False), Trial(run, alone=False)
    backend = first.started()
    assert first.clean_up() == []
    assert second.started() is backend
    assert backend.is_started
    assert first.borrows
    assert second.borrows
    assert run.shared is backend


@pytest.mark.parametrize("given", [{"alone": True}, {"shares": False}], ids=["alone", "fixtures"])
def test_own_backends(given: dict[str, bool]) -> None:
    """A trial alone, or of a subject that makes backends per test, uses its own, and stops them."""
    run = a_run(shares=given.get("shares", True))
    trial, other = (Trial(run, alone=given.get("alone", False)) for _ in range(2))
    backend = trial.started()
    assert trial.clean_up() == []
    assert not backend.is_started
    assert not trial.borrows
    assert run.shared is None
    assert other.started() is not backend


def test_stopped_backend() -> None:
    """The shared backend is stopped for a trial, and started again for the next."""
    run = a_run()
    backend = Trial(run, alone=False).stopped()
    assert not backend.is_started
    assert Trial(run, alone=False).started() is backend
    assert backend.is_started


def test_stopped_backend_that_cannot_stop() -> None:
    """Without BC303, a backend is not stopped for a trial."""
    assert Trial(a_run(holds="BC302")).stopped().is_started


def test_share_own_backend() -> None:
    """A trial hands its backend to later ones in place of another, unless it is alone."""
    run = a_run()
    before = Trial(run, alone=False).started()
    trial = Trial(run, alone=False)
    given = trial.new()
    trial.start(given, beside=True)
    trial.share(given)
    assert trial.clean_up() == []
    assert run.shared is given
    assert [each.is_started for each in (before, given)] == [False, True]
    run = a_run()
    alone = Trial(run)
    alone.share(alone.new())
    assert run.shared is None


# One at a time.


def test_make_room() -> None:
    """A start stops the other backends of the run before, also the shared one."""
    run = a_run()
    shared = Trial(run, alone=False).started()
    trial = Trial(run, alone=False)
    first, second = trial.new(), trial.new()
    trial.start(first)
    trial.start(second)
    assert Counted.most == 1
    assert [each.is_started for each in (shared, first, second)] == [False, False, True]


def test_start_beside() -> None:
    """A start beside others stops none of them."""
    trial = Trial(a_run())
    first, second = trial.new(), trial.new()
    trial.start(first)
    trial.start(second, beside=True)
    assert Counted.most == 2


# Records.


@pytest.mark.parametrize(("alone", "times"), [(False, 1), (True, 2)])
def test_record(alone: bool, times: int) -> None:
    """What clauses share is observed once, but anew for a trial alone."""
    run = a_run()
    seen: list[str] = []

    def observe() -> str:
        seen.append("observed")
        return "what was seen"

    for _ in range(2):
        trial = Trial(run, alone=alone)
        assert trial.record("name", observe) == "what was seen"
        assert trial.borrows is not alone
    assert len(seen) == times


def test_records_by_name() -> None:
    """Each name has a record of its own; one that fails is observed again."""
    trial = Trial(a_run(), alone=False)

    def fail() -> int:
        raise violated("seen")

    with pytest.raises(StopTrial):
        trial.record("one", fail)
    assert (trial.record("one", lambda: 1), trial.record("two", lambda: 2)) == (1, 2)


# Limits.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time of the pace, which a test sets."""
    now = [0.0]
    monkeypatch.setattr(runs, "real_time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.parametrize(
    ("time_limit", "took", "limit"),
    [(300, 0, 10), (300, 1.9, 10), (300, 3, 15), (300, 100, 300), (7, 0, 7), (12, 3, 12)],
)
def test_later_limits(time_limit: float, took: float, limit: float, clock: list[float]) -> None:
    """The first start may take the time limit, later calls ten seconds or five times as long."""
    pace = Pace(time_limit)
    assert pace.limit_of("create") == pace.limit_of("start") == time_limit
    assert pace.limit_of("stop") == min(10, time_limit)
    with pace.measured("start"):
        clock[0] += took
    assert pace.limit_of("start") == pace.limit_of("stop") == limit
    assert pace.limit_of("create") == time_limit
    with pace.measured("start"):
        clock[0] += 1000  # only the first counts
    assert pace.limit_of("start") == limit


def test_failed_start_is_not_measured(clock: list[float]) -> None:
    """A start that raises says nothing about how long one takes."""
    pace = Pace(300)

    def start() -> None:
        with pace.measured("start"):
            clock[0] += 1
            raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        start()
    assert pace.limit_of("start") == 300


def test_first_start_sets_limit(clock: list[float]) -> None:
    """A trial measures the first start of its run."""

    class Slow(Counted):
        def start(self) -> None:
            clock[0] += 4
            super().start()

    run = a_run(Slow)
    Trial(run).started()
    assert run.pace.limit_of("stop") == 20
    assert "time_limit is 300" in run.pace.explain(20)
    assert run.pace.explain(300) == "time_limit"


# What the kit makes of it.


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Return a function that replaces the trial of a clause; all others hold."""

    def replace(clause: str, function: Any) -> None:
        behaviour = Behaviour(function=function, reproduce="")
        monkeypatch.setitem(BEHAVIOURS, clause, behaviour)

    for clause in CLAUSES:
        replace(clause, lambda trial: None)
    monkeypatch.setattr(kits, "RequestServers", NoServers)
    return replace


@pytest.mark.parametrize("fails_alone", [False, True])
def test_retry_alone(instead: Callable[[str, Any], None], fails_alone: bool) -> None:
    """A clause that fails with the shared backend is tried again alone, which counts."""
    borrowed: list[bool] = []
    backends: list[Any] = []

    def clause(trial: Trial) -> None:
        backends.append(trial.started())
        borrowed.append(trial.borrows)
        if trial.borrows or fails_alone:
            raise violated("with the shared one" if trial.borrows else "alone")

    instead("BC304", clause)
    with Kit(Subject(make=Mine)) as kit:
        finding = kit.finding(CLAUSES["BC304"])
    assert borrowed == [True, False]
    assert backends[0] is not backends[1]
    assert not any(backend.is_started for backend in backends)
    assert finding.verdict is (Verdict.VIOLATED if fails_alone else Verdict.OK)
    assert finding.found == ("alone" if fails_alone else "")


def test_no_retry(instead: Callable[[str, Any], None]) -> None:
    """A clause that fails without anything shared is not tried again."""
    trials: list[Trial] = []

    def clause(trial: Trial) -> None:
        trials.append(trial)
        trial.new()
        raise violated("seen")

    instead("BC304", clause)
    with Kit(Subject(make=Mine)) as kit:
        assert kit.finding(CLAUSES["BC304"]).found == "seen"
    assert len(trials) == 1


def test_observed(instead: Callable[[str, Any], None]) -> None:
    """What was seen on the way decides its clause, even if that is blocked."""

    def clause(trial: Trial) -> None:
        trial.run.observed["BC308"] = violated("seen on the way")
        raise violated("its own")

    instead("BC302", clause)
    with Kit(Subject(make=Mine)) as kit:
        finding = kit.finding(CLAUSES["BC308"])
    assert (finding.verdict, finding.found) == (Verdict.VIOLATED, "seen on the way")


def test_flag_after_failed_start() -> None:
    """A start that fails and leaves the flag set violates BC308, without a hook."""

    class Early(Mine):
        fails = iter((False, True))

        def start(self) -> None:
            super().start()
            if next(self.fails, True):
                raise OSError("refused")

    report = check_backend(Early)
    found = {f.clause.id: f for f in report.findings if f.verdict is Verdict.VIOLATED}
    assert found["BC308"].found.startswith("is_started is True after start(")


# A run in which nothing starts.


class Refused(Mine):
    backend_type = "REFUSED"

    def start(self) -> None:
        try:
            raise ConnectionRefusedError("connection refused")
        except OSError as error:
            raise RuntimeError("the engine cannot be reached") from error


def test_could_not_start() -> None:
    """If no start succeeds, the report is an error, and keeps what was decided."""
    report = check_backend(Refused)
    assert report.error is not None
    assert "could not start here: start() raised RuntimeError: the engine cannot be" in report.error
    assert "(test_sharing.py:" in report.error
    assert "because of ConnectionRefusedError: connection refused" in report.error
    assert report.error.endswith("or give config or make_backend")
    found = {finding.clause.id: finding.verdict for finding in report.findings}
    assert Verdict.VIOLATED not in found.values()
    assert found["BC302"] is Verdict.UNCHECKED
    assert (found["BC303"], found["BC401"]) == (Verdict.BLOCKED, Verdict.OK)


def test_could_not_start_with_config() -> None:
    """A run that has a configuration is told to give another one."""
    error = check_backend(Refused, config={"a": 1}).error
    assert error is not None
    assert "give another config or make_backend" in error


def test_some_starts_fail() -> None:
    """If one start succeeds, a later one that raises violates the clause that asked for it."""

    class Once(Mine):
        starts = 0

        def start(self) -> None:
            type(self).starts += 1
            if type(self).starts > 1:
                raise OSError("refused")
            super().start()

    report = check_backend(Once)
    assert report.error is None
    assert any(finding.verdict is Verdict.VIOLATED for finding in report.findings)


def test_starts_in_main_thread_only() -> None:
    """A start that succeeds in the main thread alone violates BC302."""

    class Main(Mine):
        def start(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                raise ValueError("signal only works in main thread")
            super().start()

    report = check_backend(Main)
    found = {f.clause.id: f.found for f in report.findings if f.verdict is Verdict.VIOLATED}
    assert found["BC302"].startswith("in a thread other than the main one, start() raised Value")
    assert report.error is None
