"""The kit: every clause decided once, in an order that its clauses ask for."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend_contract import LocalBackend
from backend_contract._conformance import kit as kits
from backend_contract._conformance.behavioural import BEHAVIOURS, Behaviour
from backend_contract._conformance.behavioural.trial import (
    Subject,
    Trial,
    blocked,
    unchecked,
    violated,
)
from backend_contract._conformance.kit import CHECKED_BY, Kit, check_backend
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

Instead = Callable[..., None]


class Mine(LocalBackend):
    backend_type = "MINE"


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Instead:
    """Try a clause by another function than its own; without one, it holds."""

    def replace(
        clause: str,
        function: Callable[[Trial], object] = lambda trial: None,
        after: tuple[str, ...] = (),
    ) -> None:
        def tried(trial: Trial) -> None:
            function(trial)

        monkeypatch.setitem(BEHAVIOURS, clause, Behaviour(clause, tried, "", after))

    for clause in CLAUSES:
        replace(clause)
    return replace


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is done with the servers, in place of doing it."""
    done: list[str] = []

    class Servers:
        kinds = ()

        def start(self) -> None:
            done.append("start")

        def close(self) -> None:
            done.append("close")

    monkeypatch.setattr(kits, "RequestServers", Servers)
    yield done
    assert done.count("start") == 0 or done[-1] == "close"


def ends_with(ended: Exception) -> Callable[[Trial], None]:
    def end(trial: Trial) -> None:
        raise ended

    return end


def tried(make: Any, clause: str, **given: Any) -> Finding:
    with Kit(Subject(make=make, **given)) as kit:
        return kit.finding(CLAUSES[clause])


def line_of(function: Any) -> int:
    return inspect.getsourcelines(function)[1]


# Who is tried.


def test_the_name_is_that_of_what_makes_the_backends() -> None:
    def make() -> Mine:
        return Mine()

    class Inner(Mine):
        pass

    here = f"{__name__}:"
    where = "test_the_name_is_that_of_what_makes_the_backends.<locals>."
    assert Kit(Subject(make=Mine)).name == f"{here}Mine"
    assert Kit(Subject(make=Inner)).name == f"{here}{where}Inner"
    assert Kit(Subject(make=make)).name == f"{here}{where}make"
    partial = functools.partial(Mine, None)
    assert Kit(Subject(make=partial)).name == f"functools:{partial!r}"


def test_the_class_is_that_of_the_first_backend_and_one_is_enough() -> None:
    made: list[Mine] = []

    def make() -> Mine:
        made.append(Mine())
        return made[-1]

    with Kit(Subject(make=make)) as kit:
        assert kit.backend_class() is Mine
        assert kit.backend_class() is Mine
        assert len(made) == 1
    with Kit(Subject(make=Mine)) as kit:
        assert kit.backend_class() is Mine


def test_the_backend_that_tells_the_class_is_stopped_and_what_fails_then_is_noted() -> None:
    class CannotStop(Mine):
        def stop(self) -> None:
            raise OSError("busy")

    def make() -> Mine:
        backend = CannotStop()
        backend.start()
        return backend

    with Kit(Subject(make=make)) as kit:
        kit.backend_class()
        (note,) = kit.notes
    assert note.startswith("stop() raised OSError: busy (")


def test_a_backend_that_lacks_its_base_tells_the_class_all_the_same() -> None:
    class ForgetsItsBase(Mine):
        def __init__(self) -> None:
            pass

    with Kit(Subject(make=lambda: ForgetsItsBase())) as kit:
        assert kit.backend_class() is ForgetsItsBase
        assert kit.notes == []


def test_where_no_backend_can_be_made_there_is_an_error_and_no_finding() -> None:
    def refuses() -> Mine:
        raise OSError("no licence")

    with Kit(Subject(refuses)) as kit, pytest.raises(CouldNotCheckError) as error:
        kit.finding(CLAUSES["BC101"])
    assert str(error.value).startswith("the factory raised OSError: no licence (test_kit.py:")
    report = check_backend(refuses)
    assert report.error == f"{report.target}: {error.value}"
    assert report.target.endswith("<locals>.refuses")
    assert report.findings == ()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"make": 3}, TypeError, "expected a backend class, or a function .*, got 3: give its"),
        ({"config": [1]}, TypeError, r"config: expected a mapping, got \[1\]"),
        ({"config": ""}, TypeError, "config: expected a mapping, got ''"),
        ({"metadata": 3}, TypeError, "metadata: expected a mapping, or pairs .*, got 3"),
        ({"time_limit": 0}, ValueError, "time_limit: expected seconds above 0, got 0"),
        ({"time_limit": -0.5}, ValueError, "time_limit: expected seconds above 0, got -0.5"),
        ({"time_limit": float("nan")}, ValueError, "time_limit: expected seconds above 0, got nan"),
    ],
    ids=["no factory", "a list", "text", "no pairs", "no time", "less than no time", "nan"],
)
def test_what_cannot_be_used_is_refused_at_once(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Kit(Subject(**{"make": Mine, **given}))


def test_what_is_given_beside_the_backend_is_given_by_name() -> None:
    check: Any = check_backend
    with pytest.raises(TypeError, match="positional"):
        check(Mine, {})


@pytest.mark.parametrize("given", [{"config": {}}, {"config": {"a": 1}}, {"time_limit": 1}])
def test_what_can_be_used_is_not_refused(given: dict[str, Any]) -> None:
    assert Kit(Subject(make=Mine, **given)).subject.make is Mine


def test_metadata_of_an_iterator_is_there_for_every_request() -> None:
    for given in (iter([("a", "1"), ("a", "2")]), [("a", "1"), ("a", "2")]):
        with Kit(Subject(make=Mine, metadata=given)) as kit:
            assert (
                list(kit.subject.metadata) == list(kit.subject.metadata) == [("a", "1"), ("a", "2")]
            )
    with Kit(Subject(make=Mine, metadata={"a": "1"})) as kit:
        assert kit.subject.metadata == [("a", "1")]


# What is said of a clause.


def test_a_finding_says_what_was_seen_where_and_by_whom(instead: Instead) -> None:
    class Stops(LocalBackend):
        backend_type = "STOPS"

        def stop(self) -> None:
            super().stop()

    held = tried(Stops, "BC303")
    assert (held.verdict, held.found, held.because) == (Verdict.OK, "", ())
    assert (held.path, held.line) == (Path(__file__), line_of(Stops.stop))
    assert (held.layer, held.by) == ("B", CHECKED_BY)
    instead("BC303", ends_with(violated("seen", "for one", "for another")))
    broken = tried(Stops, "BC303")
    assert broken.verdict is Verdict.VIOLATED
    assert (broken.found, broken.because) == ("seen", ("for one", "for another"))
    assert (broken.path, broken.line) == (Path(__file__), line_of(Stops.stop))
    assert (broken.layer, broken.by) == ("B", CHECKED_BY)


def test_a_clause_is_tried_once(instead: Instead) -> None:
    trials: list[Trial] = []
    instead("BC303", trials.append)
    with Kit(Subject(make=Mine)) as kit:
        assert kit.finding(CLAUSES["BC303"]) is kit.finding(CLAUSES["BC303"])
    assert len(trials) == 1


def test_what_is_known_already_is_not_tried(instead: Instead) -> None:
    known = tried(Mine, "BC303")
    trials: list[Trial] = []
    instead("BC303", trials.append)
    with Kit(Subject(make=Mine), {"BC303": known}) as kit:
        assert kit.finding(CLAUSES["BC303"]) is known
    assert trials == []


def test_who_wants_to_know_is_told_what_is_tried_next(instead: Instead) -> None:
    order: list[str] = []
    instead("BC303", lambda trial: order.append("now"))
    with Kit(Subject(make=Mine), before_trial=order.append) as kit:
        kit.finding(CLAUSES["BC303"])
    assert order[-2:] == ["BC303", "now"]


def test_a_clause_is_blocked_by_a_broken_one_that_it_requires(instead: Instead) -> None:
    trials: list[Trial] = []
    for clause in ("BC301", "BC302", "BC303", "BC306"):
        instead(clause, trials.append)
    instead("BC309", ends_with(violated("seen")))
    for clause in ("BC302", "BC303", "BC306"):  # the last two by way of others
        finding = tried(Mine, clause)
        assert (finding.verdict, finding.found) == (Verdict.BLOCKED, "")
        assert finding.because == ("BC309",)
    assert {trial.subject.make for trial in trials} == {Mine}
    assert len(trials) == 3  # of BC301, which does not require it


@pytest.mark.parametrize("ended", [unchecked("why"), blocked("BC501")], ids=["unchecked", "other"])
def test_a_clause_is_not_blocked_by_one_of_which_nothing_is_known(
    instead: Instead, ended: Exception
) -> None:
    instead("BC309", ends_with(unchecked("why")))
    assert tried(Mine, "BC302").verdict is Verdict.OK


def test_a_clause_that_the_class_shows_to_be_broken_is_not_tried(instead: Instead) -> None:
    class Later(Mine):
        async def start(self) -> None:  # type: ignore[override]  # which is what it is about
            pass

    trials: list[Trial] = []
    instead("BC309", trials.append)
    finding = tried(Later, "BC309")
    assert (finding.verdict, finding.layer) == (Verdict.VIOLATED, "R")
    assert trials == []


def test_what_the_class_shows_and_what_its_instances_show_make_one_finding(
    instead: Instead,
) -> None:
    instead("BC309", ends_with(violated("seen")))
    finding = tried(Mine, "BC309")
    assert (finding.verdict, finding.layer, finding.found) == (Verdict.VIOLATED, "B", "seen")
    assert [(part.layer, part.verdict) for part in finding.parts] == [
        ("R", Verdict.OK),
        ("B", Verdict.VIOLATED),
    ]


def test_what_comes_before_a_clause_is_decided_before_it_and_may_be_asked_for(
    instead: Instead,
) -> None:
    order: list[str] = []
    instead("BC401", lambda trial: order.append("BC401"))
    instead("BC402", ends_with(violated("seen")))

    def ask(trial: Trial) -> None:
        order.append("BC303")
        order.extend(clause for clause in ("BC401", "BC402") if trial.holds(clause))

    instead("BC303", ask, ("BC401",))
    assert tried(Mine, "BC303").verdict is Verdict.OK
    assert order == ["BC401", "BC303", "BC401"]


def test_servers_are_started_for_what_needs_requests_alone(
    instead: Instead, servers: list[str]
) -> None:
    with Kit(Subject(make=Mine)) as kit:
        kit.finding(CLAUSES["BC401"])
        assert servers == []
        kit.finding(CLAUSES["BC501"])
        assert servers == ["start"]
    assert servers == ["start", "close"]


# What is left in the end.


def test_the_backends_of_a_clause_are_stopped_and_what_fails_then_is_noted_once(
    instead: Instead,
) -> None:
    class CannotStop(Mine):
        def stop(self) -> None:
            raise OSError("busy")

    def start(trial: Trial) -> None:
        trial.new().start()

    def start_and_break_it(trial: Trial) -> None:
        start(trial)
        raise violated("seen")

    instead("BC401", start)
    instead("BC402", start_and_break_it)
    report = check_backend(CannotStop)
    (note,) = report.notes
    assert note.startswith("stop() raised OSError: busy (")


def test_a_report_has_a_finding_a_clause_and_leaves_nothing_open(
    instead: Instead, servers: list[str]
) -> None:
    with Kit(Subject(make=Mine)) as kit:
        report = kit.report()
        assert servers[-1] == "close"
    assert report.target == f"{__name__}:Mine"
    assert [finding.clause for finding in report.findings] == list(CLAUSES.values())
    assert {finding.verdict for finding in report.findings} == {Verdict.OK}
    assert (report.error, report.notes) == (None, ())


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kits, "_GRACE", 0)


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.usefixtures("no_grace")
def test_a_thread_that_goes_on_is_noted_once(daemon: bool) -> None:
    go_on = threading.Event()
    before = threading.Thread(target=go_on.wait, name="was there before")
    before.start()
    kit = Kit(Subject(make=Mine))
    left = threading.Thread(target=go_on.wait, name="left", daemon=daemon)
    left.start()
    kit.close()
    kit.close()
    go_on.set()
    for thread in (before, left):
        thread.join()
    kind = "a daemon" if daemon else "no daemon"
    assert kit.notes == [f"still running: thread 'left', which is {kind}"]


def test_threads_are_given_time_to_end_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    given: list[float | None] = []

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        given.append(timeout)
        now[0] += 0.75
        go_on.set()
        wait(thread)

    wait = threading.Thread.join
    go_on = threading.Event()
    monkeypatch.setattr(kits, "time", Clock)
    monkeypatch.setattr(kits, "_GRACE", 1.0)
    kit = Kit(Subject(make=Mine))
    threads = [threading.Thread(target=go_on.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    monkeypatch.setattr(threading.Thread, "join", join)
    kit.close()
    assert given == [1.0, 0.25, 0]
    assert kit.notes == []


@pytest.mark.usefixtures("no_grace")
def test_the_thread_that_closes_a_kit_is_none_that_was_left() -> None:
    kit = Kit(Subject(make=Mine))
    thread = threading.Thread(target=kit.close)
    thread.start()
    thread.join()
    assert kit.notes == []
