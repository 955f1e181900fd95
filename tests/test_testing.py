"""The kit's face for pytest: which test a clause is, and how it ends. No backend is tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend_contract import LocalBackend, testing
from backend_contract._conformance.behavioural.trial import DEFAULT_TIME_LIMIT, USUAL_METADATA, Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES, Clause
from backend_contract.errors import CouldNotCheckError
from backend_contract.testing import BackendConformance

NAME = f"{__name__}:Mine"
CLAUSE = CLAUSES["BC303"]


class Mine(LocalBackend):
    backend_type = "MINE"


def suite(**members: Any) -> type[BackendConformance]:
    """A suite, which pytest does not see."""
    return type("TestMine", (BackendConformance,), {"backend": Mine, **members})


# Which tests there are.


def test_collected() -> None:
    """Every subclass is collected unless it says otherwise."""
    assert BackendConformance.__test__ is False
    assert suite().__test__ is True
    shared = suite(__test__=False)
    assert shared.__test__ is False
    assert type("TestOther", (shared,), {}).__test__ is True  # type: ignore[attr-defined]


def parametrized(given: type[BackendConformance], *fixtures: str) -> list[Any]:
    calls: list[Any] = []
    metafunc = SimpleNamespace(
        fixturenames=[*fixtures],
        parametrize=lambda name, values, ids: calls.append((name, [*values], ids)),
    )
    given().pytest_generate_tests(metafunc)
    return calls


def test_one_test_per_clause() -> None:
    """There is one test per clause, identified by its id."""
    due = [("clause", [*CLAUSES.values()], [*CLAUSES])]
    assert parametrized(suite(), "clause", "record_property") == due
    assert parametrized(suite(expected_violations={"BC303": "why"}), "clause") == due


def test_own_test() -> None:
    """A test that the suite adds is not parametrized."""
    assert parametrized(suite(), "tmp_path") == []


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"BC999": "why"}, "there is no clause 'BC999'"),
        ({"BC303": " "}, "BC303 needs a reason"),
        ({"BC302": "why", "BC303": ""}, "BC303 needs a reason"),
    ],
    ids=["no clause", "blank", "empty"],
)
def test_invalid_expected_violations(expected: dict[str, str], problem: str) -> None:
    """An unknown clause or a missing reason is a usage error."""
    with pytest.raises(pytest.UsageError) as raised:
        parametrized(suite(expected_violations=expected), "clause")
    assert str(raised.value) == f"TestMine: expected_violations: {problem}"


# What is tried.


def subject_of(given: type[BackendConformance]) -> Subject:
    return given()._subject()


def test_subject_without_hooks() -> None:
    """A suite without hooks gives none to the kit."""
    assert subject_of(suite()) == Subject(make=Mine, None, USUAL_METADATA, DEFAULT_TIME_LIMIT)


def test_subject_options() -> None:
    """The options of a suite are given to the kit."""
    sample, pairs = {"a": 1}, [("a", "b")]
    given = suite(config=sample, metadata=pairs, time_limit=7.0)
    assert subject_of(given) == Subject(make=Mine, sample, pairs, 7.0)


@pytest.mark.parametrize("name", ["merged_config", "during_start", "received_contexts"])
def test_subject_hook(name: str) -> None:
    """A hook is given to the kit if the suite defines it."""
    def hook(self: object, *arguments: object) -> tuple[str, tuple[object, ...]]:
        return "mine", arguments

    subject = subject_of(suite(**{name: hook}))
    assert getattr(subject, name)(1) == ("mine", (1,))
    without: dict[str, Any] = {name: None}
    assert subject._replace(**without) == Subject(make=Mine)


def test_default_hooks() -> None:
    """The default hooks show nothing."""
    made = suite()()
    assert made.merged_config(Mine()) is None
    assert made.received_contexts(Mine()) is None
    made.during_start(Mine(), lambda: pytest.fail("it is not called"))
    with pytest.raises(NotImplementedError):
        made.make_backend()


@pytest.mark.parametrize("backend", [None, Mine], ids=["alone", "before the class"])
def test_make_backend(backend: type[Mine] | None) -> None:
    """`make_backend` takes precedence over `backend`."""
    made = Mine()
    given = suite(backend=backend, make_backend=lambda self: made)
    subject = subject_of(given)
    assert subject.cls is None
    assert subject.make() is made
    assert Kit(subject).name.startswith(f"{__name__}:")


def test_no_backend() -> None:
    """A suite without a backend is a usage error."""
    with pytest.raises(pytest.UsageError) as raised:
        subject_of(suite(backend=None))
    assert str(raised.value) == (
        "TestMine: give it a backend class as `backend`, or define `make_backend`"
    )


# One kit a suite.


class Made:
    """Stands for the kit."""

    name = NAME

    def __init__(self, subject: object = None) -> None:
        self.subject = subject
        self.closed = 0
        self.answer: Callable[[Clause], Finding] = lambda clause: finding(Verdict.OK, clause)

    def finding(self, clause: Clause) -> Finding:
        return self.answer(clause)

    def close(self) -> None:
        self.closed += 1


def test_one_kit_per_suite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All tests of a suite share a kit, which is closed after them."""
    monkeypatch.setattr(testing, "Kit", Made)
    given = suite()
    given.teardown_class()  # nothing was tried
    kit: Any = given()._the_kit()
    assert isinstance(kit, Made)
    assert kit.subject == Subject(make=Mine)
    assert given()._the_kit() is kit
    inherited: Any = type("TestOther", (given,), {})
    assert inherited()._the_kit() is not kit
    given.teardown_class()
    given.teardown_class()
    assert kit.closed == 1
    assert given()._the_kit() is not kit


# How a test ends.


def finding(verdict: Verdict, clause: Clause = CLAUSE, because: tuple[str, ...] = ()) -> Finding:
    return Finding(clause, verdict, Path("/a.py"), 7, "found", because, "B", "us")


class StopTrial:
    """How the test of a clause ended."""

    def __init__(self, answer: Finding | Exception, **members: Any) -> None:
        def answered(clause: Clause) -> Finding:
            if isinstance(answer, Exception):
                raise answer
            assert clause is answer.clause
            return answer

        kit: Any = Made()
        kit.answer = answered
        given = suite(**members)
        given._kit = kit
        self.recorded: list[tuple[str, object]] = []
        self.outcome: Any = None
        clause = CLAUSE if isinstance(answer, Exception) else answer.clause
        try:
            given().test_clause(clause, lambda *pair: self.recorded.append(pair))
        except (pytest.fail.Exception, pytest.skip.Exception, pytest.xfail.Exception) as outcome:
            self.outcome = outcome

    def parts(self) -> tuple[type, str, list[tuple[str, object]]]:
        return type(self.outcome), str(self.outcome), self.recorded


def recorded(verdict: str) -> list[tuple[str, object]]:
    return [("backend-contract", f"TestMine BC303 {verdict}")]


def test_ok() -> None:
    """A clause that holds passes."""
    ended = StopTrial(finding(Verdict.OK))
    assert (ended.outcome, ended.recorded) == (None, recorded("ok"))


@pytest.mark.parametrize("config", [None, {"a": 1}])
def test_violated(config: dict[str, int] | None) -> None:
    """A violated clause fails with the whole message."""
    violated = finding(Verdict.VIOLATED)
    ended = StopTrial(violated, config=config)
    assert ended.parts() == (
        pytest.fail.Exception,
        failure_message(violated, NAME, config),
        recorded("violated"),
    )
    assert ended.outcome.pytrace is False


def test_a_clause_that_is_new_warns() -> None:
    violated = finding(Verdict.VIOLATED, CLAUSE._replace(fails_from="999.0"))
    with pytest.warns(FutureWarning) as warned:
        ended = StopTrial(violated)
    assert [str(warning.message) for warning in warned] == [failure_message(violated, NAME)]
    assert warned[0].filename == inspect.getfile(testing)
    assert (ended.outcome, ended.recorded) == (None, recorded("violated"))


@pytest.mark.parametrize(
    "verdict", [Verdict.UNCHECKED, Verdict.BLOCKED, Verdict.NOT_APPLICABLE], ids=lambda v: v.value
)
def test_undecided(verdict: Verdict) -> None:
    """An undecided clause is skipped with the reasons."""
    ended = StopTrial(finding(verdict, because=("one", "two")))
    assert ended.parts() == (
        pytest.skip.Exception,
        f"{verdict.value}: one; two",
        recorded(verdict.value),
    )


EXPECTED = {"BC302": "another", "BC303": "issue 7"}


@pytest.mark.parametrize("clause", [CLAUSE, CLAUSE._replace(fails_from="999.0")])
def test_expected_violation(clause: Clause) -> None:
    """An expected violation is an expected failure."""
    ended = StopTrial(finding(Verdict.VIOLATED, clause), expected_violations=EXPECTED)
    due = (pytest.xfail.Exception, "issue 7", recorded("expected violation"))
    assert ended.parts() == due


@pytest.mark.parametrize(
    "verdict", [verdict for verdict in Verdict if verdict is not Verdict.VIOLATED]
)
def test_stale_expected_violation(verdict: Verdict) -> None:
    """An expected violation that does not occur fails."""
    ended = StopTrial(finding(verdict), expected_violations=EXPECTED)
    text = (
        f"BC303 is expected to be violated (issue 7), and is {verdict.value}: take it out of "
        "expected_violations"
    )
    assert ended.parts() == (pytest.fail.Exception, text, recorded(verdict.value))
    assert ended.outcome.pytrace is False


def test_other_expected_violation() -> None:
    """An expected violation of another clause excuses nothing."""
    ended = StopTrial(finding(Verdict.VIOLATED), expected_violations={"BC302": "another"})
    assert ended.parts()[0] is pytest.fail.Exception


@pytest.mark.parametrize(
    "error",
    [CouldNotCheckError, TypeError, ValueError, pytest.UsageError],
    ids=lambda e: e.__name__,
)
def test_could_not_check(error: type[Exception]) -> None:
    """A clause that could not be checked fails with one line."""
    ended = StopTrial(error("no sockets"), expected_violations=EXPECTED)
    assert ended.parts() == (
        pytest.fail.Exception,
        "BC303 could not be checked: no sockets",
        recorded("not tried"),
    )
    assert ended.outcome.pytrace is False
    assert ended.outcome.__context__ is None  # nor is where it comes from shown


def test_error_in_kit() -> None:
    """An error in the kit itself propagates."""
    with pytest.raises(ZeroDivisionError):
        StopTrial(ZeroDivisionError())
