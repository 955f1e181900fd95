"""A suite without a run of pytest: which tests there are, and how each ends."""

from __future__ import annotations

import abc
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import pytest
from support import Mine

from backend_contract._conformance import pytest_suite
from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.pytest_summary import failure_message
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES, Clause, Level
from backend_contract.errors import CouldNotCheckError
from backend_contract.testing import BackendConformance

CLAUSE = CLAUSES["BC303"]

T = TypeVar("T")


def suite(**members: Any) -> type[BackendConformance]:
    """Return a suite that pytest does not collect."""
    return type("TestMine", (BackendConformance,), {"backend": Mine, **members})


# Collection.


def test_collected() -> None:
    """Every subclass is collected unless it says otherwise."""
    assert BackendConformance.__test__ is False
    assert suite().__test__ is True
    shared = suite(__test__=False)
    assert shared.__test__ is False
    assert type("TestOther", (shared,), {}).__test__ is True  # type: ignore[attr-defined]


class Generic(BackendConformance, typing.Generic[T]):
    """A suite that is not complete yet."""


class Abstract(BackendConformance, abc.ABC):
    """Another one."""

    @abc.abstractmethod
    def make_backend(self) -> Mine: ...


@pytest.mark.parametrize("unfinished", [Generic, Abstract])
def test_unfinished(unfinished: type[BackendConformance]) -> None:
    """The name of a generic or an abstract suite decides; what completes it is collected."""
    assert not hasattr(unfinished, "__test__")
    bases = (unfinished[int] if unfinished is Generic else unfinished,)
    done = types.new_class("Mine", bases, {}, lambda names: names.update(make_backend=Mine))
    assert done.__test__ is True  # type: ignore[attr-defined]


class Silent:
    """A base that breaks the chain of `__init_subclass__`."""

    def __init_subclass__(cls) -> None:
        pass


def test_silent_base() -> None:
    """A suite is collected although one of its bases hides its definition from the kit."""
    assert type("Mine", (Silent, BackendConformance), {}).__test__ is True  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["test_clause", "pytest_generate_tests"])
def test_overridden(name: str) -> None:
    """A suite must override neither its test nor the parametrization."""
    with pytest.raises(TypeError, match=f"must not override {name}"):
        suite(**{name: lambda *arguments: None})
    hidden: Any = type("TestMine", (Silent, BackendConformance), {name: lambda *arguments: None})
    if name == "test_clause":
        with pytest.raises(TypeError, match="must not override test_clause"):
            parametrize(hidden, "clause")
    else:
        with pytest.raises(pytest.fail.Exception, match="must not override pytest_generate_tests"):
            run(hidden)


class Definition:
    """Replaces the definition of a test, for which no fixture is visible."""

    def __init__(self, *marks: str) -> None:
        self.marks = marks
        self.obj, self.cls = None, None
        self._fixtureinfo = SimpleNamespace(name2fixturedefs={}, names_closure=[], initialnames=())
        manager = SimpleNamespace(getfixtureinfo=lambda *arguments: self._fixtureinfo)
        self.session = SimpleNamespace(_fixturemanager=manager)

    def add_marker(self, mark: object) -> None:
        pass

    def get_closest_marker(self, name: str) -> object:
        return name if name in self.marks else None

    def iter_markers(self, name: str) -> list[object]:
        return []


def parametrize(given: type[BackendConformance], *fixtures: str, marks: Any = ()) -> list[Any]:
    calls: list[Any] = []
    metafunc = SimpleNamespace(
        fixturenames=[*fixtures],
        config=SimpleNamespace(workerinput={}),
        definition=Definition(*marks),
        cls=given,
        parametrize=lambda name, values, ids: calls.append((name, [*values], ids)),
    )
    given().pytest_generate_tests(metafunc)
    return calls


def test_one_test_per_clause() -> None:
    """There is one test per clause, identified by its id."""
    assert parametrize(suite(), "clause", "request") == [
        ("clause", [*CLAUSES.values()], [*CLAUSES])
    ]


def test_own_test() -> None:
    """A test that the suite adds is not parametrized, and may be expected to fail."""
    assert parametrize(suite(), "tmp_path", marks=["xfail"]) == []


def test_expected_failure() -> None:
    """A mark that would hide violations is a usage error."""
    with pytest.raises(pytest.UsageError, match=r"TestMine: .* use expected_violations"):
        parametrize(suite(), "clause", marks=["xfail"])


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"BC999": "why"}, "there is no clause 'BC999'"),
        ({"BC303": " "}, "BC303 requires a reason"),
        ({"BC302": "why", "BC303": ""}, "BC303 requires a reason"),
    ],
    ids=["no clause", "blank", "empty"],
)
def test_invalid_expected_violations(expected: dict[str, str], problem: str) -> None:
    """An unknown clause or a missing reason fails every test."""
    result = Result(finding(Verdict.OK), expected_violations=expected)
    assert type(result.outcome) is pytest.fail.Exception
    assert str(result.outcome) == f"expected_violations: {problem}"


# The subject of the kit.


class FakeKit:
    """Replaces the kit: records the subjects, and gives one answer."""

    made: ClassVar[list[FakeKit]] = []
    could_not_start: ClassVar[str | None] = None
    answer: ClassVar[Finding | Exception | None] = None
    name = "support:Mine"

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.closed = 0
        self.made.append(self)

    def finding(self, clause: Clause) -> Finding:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or finding(Verdict.OK, clause)

    def hook_for_half(self, finding: Finding) -> str:
        return ""

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def kits(monkeypatch: pytest.MonkeyPatch) -> list[FakeKit]:
    """Replace the kit, and return those that are created."""
    monkeypatch.setattr(pytest_suite, "Kit", FakeKit)
    monkeypatch.setattr(FakeKit, "made", [])
    return FakeKit.made


def finding(verdict: Verdict, clause: Clause = CLAUSE, because: tuple[str, ...] = ()) -> Finding:
    return Finding(
        clause=clause,
        verdict=verdict,
        path=Path("/a.py"),
        line=7,
        found="found",
        because=because,
        layer="B",
        checked_by="the kit",
    )


class Node:
    """Replaces the node of a suite."""

    def __init__(self) -> None:
        self.finalizers: list[Callable[[], None]] = []

    def addfinalizer(self, finalizer: Callable[[], None]) -> None:
        self.finalizers.append(finalizer)

    def finish(self) -> None:
        while self.finalizers:
            self.finalizers.pop()()


class Item(Node):
    """Replaces the test item of *clause*, alone in its session, without fixtures."""

    def __init__(self, clause: Clause, parent: Node | None = None) -> None:
        super().__init__()
        self.name = f"test_clause[{clause.id}]"
        self.parent = parent or Node()
        self.user_properties: list[tuple[str, object]] = []
        self.callspec = SimpleNamespace(params={"clause": clause})
        self._fixtureinfo = SimpleNamespace(name2fixturedefs={})

    def iter_markers(self, name: str) -> list[object]:
        return []

    @property
    def request(self) -> Any:
        return SimpleNamespace(node=self, session=SimpleNamespace(items=[self]))


def run(
    given: type[BackendConformance], clause: Clause = CLAUSE, node: Node | None = None
) -> list[tuple[str, object]]:
    """Run the test of *clause*; return the properties that it records."""
    item = Item(clause, node)
    given().test_clause(clause, item.request)
    return item.user_properties


def subject_of(given: type[BackendConformance]) -> Subject:
    run(given)
    return FakeKit.made[-1].subject


def test_subject_without_hooks() -> None:
    """A suite without hooks gives none to the kit."""
    assert subject_of(suite()) == Subject(make=Mine)


def test_subject_options() -> None:
    """The options of a suite are given to the kit."""
    sample, pairs = {"a": 1}, [("a", "b")]
    options: dict[str, Any] = {"config": sample, "metadata": pairs, "time_limit": 7.0}
    options["exclusive"] = True
    given = suite(**options)
    expected = Subject(make=Mine, **options)
    assert subject_of(given) == expected


@pytest.mark.parametrize("name", ["merged_config", "during_start", "received_contexts"])
def test_subject_hook(name: str) -> None:
    """A hook is given to the kit if the suite defines it."""

    def hook(self: object, *arguments: object) -> tuple[str, tuple[object, ...]]:
        return "mine", arguments

    subject = subject_of(suite(**{name: hook}))
    assert getattr(subject, name)(1) == ("mine", (1,))
    without: dict[str, Any] = {name: None}
    assert replace(subject, **without) == Subject(make=Mine)


def test_default_hooks() -> None:
    """The default hooks show nothing."""
    given = suite()()
    assert given.merged_config(Mine()) is None
    assert given.received_contexts(Mine()) is None
    given.during_start(Mine(), lambda: pytest.fail("not expected to be called"))
    with pytest.raises(NotImplementedError):
        given.make_backend()


@pytest.mark.parametrize("backend", [None, Mine], ids=["alone", "beside the class"])
def test_make_backend(backend: type[Mine] | None) -> None:
    """`make_backend` takes precedence over `backend`."""
    only = Mine()
    subject = subject_of(suite(backend=backend, make_backend=lambda self: only))
    assert subject.cls is None
    assert subject.make() is only


def test_no_backend() -> None:
    """A suite without a backend fails with a hint."""
    with pytest.raises(pytest.fail.Exception, match="set `backend` to a backend class, or define"):
        run(suite(backend=None))


def test_one_kit_per_suite(kits: list[FakeKit]) -> None:
    """All tests of a suite share a kit, which is closed after them."""
    given, node = suite(), Node()
    run(given, node=node)
    run(given, CLAUSES["BC302"], node)
    (kit,) = kits
    run(type("TestOther", (given,), {}))
    assert len(kits) == 2
    node.finish()
    assert [kit.closed for kit in kits] == [1, 0]
    run(given, node=node)
    assert len(kits) == 3
    assert kit.closed == 1


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("config", property(lambda self: {"a": 1}), {"a": 1}),
        ("config", lambda self: {"a": 1}, {"a": 1}),
        ("config", classmethod(lambda cls: {"a": 1}), {"a": 1}),
        ("config", staticmethod(lambda: {"a": 1}), {"a": 1}),
        ("exclusive", lambda self: True, True),
        ("model_ids", lambda self: ["a"], ["a"]),
        ("time_limit", property(lambda self: 7.0), 7.0),
        ("metadata", lambda self: [("a", "b")], [("a", "b")]),
    ],
)
def test_option_forms(name: str, given: object, value: object) -> None:
    """An option may be an attribute, a property or a method."""
    assert getattr(subject_of(suite(**{name: given})), name) == value


@pytest.mark.parametrize(
    "given", [lambda self: Mine, property(lambda self: Mine), classmethod(lambda cls: Mine)]
)
def test_backend_forms(given: object) -> None:
    """The class may come from a method or a property."""
    assert subject_of(suite(backend=given)).make is Mine


def test_backend_instances() -> None:
    """A method `backend` that returns instances is a factory."""
    subject = subject_of(suite(backend=lambda self: Mine()))
    assert isinstance(subject.make(), Mine)
    assert subject.cls is None


# How a test ends.


class Result:
    """The outcome of the test of a clause, and what it has recorded."""

    def __init__(self, answer: Finding | Exception, **members: Any) -> None:
        FakeKit.answer = answer
        clause = CLAUSE if isinstance(answer, Exception) else answer.clause
        item = Item(clause)
        self.outcome: Any = None
        try:
            suite(**members)().test_clause(clause, item.request)
        except (pytest.fail.Exception, pytest.skip.Exception, pytest.xfail.Exception) as outcome:
            self.outcome = outcome
        finally:
            FakeKit.answer = None
        self.recorded = item.user_properties


def test_could_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no backend could be started, BC302 fails."""
    monkeypatch.setattr(FakeKit, "could_not_start", "could not start here: no engine")
    result = Result(finding(Verdict.UNCHECKED, CLAUSES["BC302"]))
    assert type(result.outcome) is pytest.fail.Exception
    assert str(result.outcome) == "support:Mine: could not start here: no engine"
    assert result.recorded == [("backend-contract", "TestMine BC302 could not start")]
    other = Result(finding(Verdict.OK))
    assert other.outcome is None


def test_rerun() -> None:
    """A test that is run again records its result once."""
    item = Item(CLAUSE)
    for _ in range(2):
        suite()().test_clause(CLAUSE, item.request)
    assert item.user_properties == recorded("ok")


def recorded(result: str) -> list[tuple[str, object]]:
    return [("backend-contract", f"TestMine BC303 {result}")]


def test_ok() -> None:
    """A clause that holds passes."""
    result = Result(finding(Verdict.OK))
    assert (result.outcome, result.recorded) == (None, recorded("ok"))


@pytest.mark.parametrize("config", [None, {"a": 1}])
def test_violated(config: dict[str, int] | None) -> None:
    """A violated clause fails with the whole message."""
    violated = finding(Verdict.VIOLATED)
    result = Result(violated, config=config)
    assert type(result.outcome) is pytest.fail.Exception
    assert str(result.outcome) == failure_message(violated, "support:Mine", config)
    assert result.outcome.pytrace is False
    assert result.recorded == recorded("violated")


def test_should_violated(recwarn: pytest.WarningsRecorder) -> None:
    """A violated clause of level SHOULD passes, without a Python warning."""
    result = Result(finding(Verdict.VIOLATED, replace(CLAUSE, level=Level.SHOULD)))
    assert (result.outcome, result.recorded) == (None, recorded("warning"))
    assert list(recwarn) == []


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict.UNCHECKED,
        Verdict.NOT_APPLICABLE,
        Verdict.NEEDS_A_SUITE,
        Verdict.NEEDS_AN_EXTRA,
    ],
    ids=lambda v: v.value,
)
def test_undecided(verdict: Verdict) -> None:
    """An undecided clause is skipped with the reasons."""
    result = Result(finding(verdict, because=("one", "two")))
    assert type(result.outcome) is pytest.skip.Exception
    assert str(result.outcome) == f"{verdict.value}: one; two"
    assert result.recorded == recorded(verdict.value)


def test_blocked() -> None:
    """A blocked clause is skipped, and names the clause that has to hold first."""
    result = Result(finding(Verdict.BLOCKED, because=("BC302",)))
    assert type(result.outcome) is pytest.skip.Exception
    assert str(result.outcome) == "blocked by BC302"
    assert result.recorded == recorded("blocked by BC302")


EXPECTED = {"BC302": "another", "BC303": "known"}


@pytest.mark.parametrize(
    ("verdict", "fails"),
    [
        (Verdict.UNCHECKED, True),
        (Verdict.NEEDS_A_SUITE, True),
        (Verdict.NEEDS_AN_EXTRA, True),
        (Verdict.BLOCKED, False),
        (Verdict.NOT_APPLICABLE, False),
    ],
)
def test_strict(verdict: Verdict, fails: bool) -> None:
    """A strict suite fails if a clause is unchecked or needs something."""
    result = Result(finding(verdict, because=("why",)), strict=True)
    assert type(result.outcome) is (pytest.fail.Exception if fails else pytest.skip.Exception)
    assert "why" in str(result.outcome)


def test_strict_should() -> None:
    """A strict suite fails if a clause of level SHOULD is violated."""
    violated = finding(Verdict.VIOLATED, replace(CLAUSE, level=Level.SHOULD))
    assert type(Result(violated, strict=True).outcome) is pytest.fail.Exception
    assert Result(finding(Verdict.OK), strict=True).outcome is None


@pytest.mark.parametrize("verdict", [Verdict.VIOLATED, Verdict.UNCHECKED])
@pytest.mark.parametrize("level", Level)
def test_expected_violation(level: Level, verdict: Verdict) -> None:
    """A violated or unchecked clause that is expected is an expected failure."""
    violated = finding(verdict, replace(CLAUSE, level=level))
    result = Result(violated, expected_violations=EXPECTED)
    assert type(result.outcome) is pytest.xfail.Exception
    assert str(result.outcome) == "known"
    assert result.recorded == recorded("expected violation")


@pytest.mark.parametrize(
    "verdict", [Verdict.BLOCKED, Verdict.NOT_APPLICABLE, Verdict.NEEDS_A_SUITE]
)
def test_expected_undecided(verdict: Verdict) -> None:
    """An expected violation of a clause that was not tried is not stale."""
    result = Result(finding(verdict, because=("BC302",)), expected_violations=EXPECTED)
    assert type(result.outcome) is pytest.skip.Exception


def test_stale_expected_violation() -> None:
    """An expected violation that does not occur fails."""
    result = Result(finding(Verdict.OK), expected_violations=EXPECTED)
    assert type(result.outcome) is pytest.fail.Exception
    text = "BC303 is expected to be violated (known), but is ok; remove it"
    assert str(result.outcome).startswith(text)
    assert result.outcome.pytrace is False
    assert result.recorded == recorded("ok")


def test_other_expected_violation() -> None:
    """An expected violation of another clause excuses nothing."""
    result = Result(finding(Verdict.VIOLATED), expected_violations={"BC302": "another"})
    assert type(result.outcome) is pytest.fail.Exception


@pytest.mark.parametrize("error", [CouldNotCheckError, ValueError], ids=lambda e: e.__name__)
def test_could_not_check(error: type[Exception]) -> None:
    """A clause that could not be checked fails with one line."""
    result = Result(error("no sockets"), expected_violations=EXPECTED)
    assert type(result.outcome) is pytest.fail.Exception
    assert str(result.outcome) == "BC303 could not be checked: no sockets"
    assert result.recorded == recorded("not tried")
    assert result.outcome.pytrace is False
    # Its origin is not shown either; a test of Ctrl-C may have left an exception behind.
    assert result.outcome.__context__ is sys.exc_info()[1]


def test_invalid_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of the wrong type fails with one line."""
    monkeypatch.setattr(pytest_suite, "Kit", Kit)
    result = Result(ValueError("unused"), config=3)
    assert type(result.outcome) is pytest.fail.Exception
    text = "BC303 could not be checked: config: expected a mapping, got 3"
    assert str(result.outcome) == text


def test_error_in_kit() -> None:
    """An error in the kit itself propagates."""
    with pytest.raises(ZeroDivisionError):
        Result(ZeroDivisionError())
