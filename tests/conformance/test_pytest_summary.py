"""The summary at the end of a pytest run, without running pytest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backend_contract._conformance.pytest_summary import PROPERTY, register_summary
from backend_contract.clauses import CLAUSES

UNDECIDED = (
    *("could not start", "unchecked", "needs a suite", "needs an extra", "not applicable"),
    *("not tried", "skipped"),
)


class Manager:
    """Replaces pytest's plugin manager."""

    def __init__(self) -> None:
        self.plugins: dict[str, Any] = {}

    def register(self, plugin: object, name: str) -> None:
        assert name not in self.plugins
        self.plugins[name] = plugin

    def has_plugin(self, name: str) -> bool:
        return name in self.plugins


@pytest.fixture
def summary() -> Any:
    manager = Manager()
    register_summary(SimpleNamespace(pluginmanager=manager))
    (plugin,) = manager.plugins.values()
    return plugin


def report(
    *properties: tuple[str, str],
    module: str = "test_a.py",
    when: str = "call",
    outcome: str = "passed",
    test: str = "test_clause[BC101]",
) -> Any:
    node = f"{module}::TestMine::{test}"
    return SimpleNamespace(
        when=when, nodeid=node, user_properties=list(properties), outcome=outcome
    )


def log(summary: Any, *results: str) -> None:
    """Log the results of as many clauses."""
    for clause, result in zip(CLAUSES, results, strict=False):
        logged = report((PROPERTY, f"TestMine {clause} {result}"), test=f"test_clause[{clause}]")
        summary.pytest_runtest_logreport(logged)


def lines_of(summary: Any) -> list[str]:
    lines: list[str] = []
    summary.pytest_terminal_summary(
        SimpleNamespace(section=lines.append, line=lambda text, **markup: lines.append(text))
    )
    return lines


@pytest.mark.parametrize(
    ("results", "text"),
    [
        (("ok",), "1 of 1 clauses exercised"),
        (("ok", "violated"), "2 of 2 clauses exercised, 1 violated"),
        (("ok", "ok in half"), "2 of 2 clauses exercised, 1 of them only half"),
        (
            ("ok", *UNDECIDED),
            (
                "1 of 8 clauses exercised, 1 could not start, 1 unchecked, 1 needs a suite, "
                "1 needs an extra, 1 not applicable, 1 not tried, 1 skipped"
            ),
        ),
        (
            ("violated", "blocked by BC101", "blocked by BC101", "blocked by BC302"),
            (
                "1 of 4 clauses exercised, 1 violated, 2 clauses blocked by BC101, "
                "1 clause blocked by BC302"
            ),
        ),
        (("ok", "expected violation"), "2 of 2 clauses exercised, 1 expected violation"),
        (("expected violation",) * 2, "2 of 2 clauses exercised, 2 expected violations"),
    ],
    ids=["ok", "violated", "in half", "undecided", "blocked", "one expected", "two expected"],
)
def test_counts(summary: Any, results: tuple[str, ...], text: str) -> None:
    """The results of a suite are counted."""
    log(summary, *results)
    assert lines_of(summary) == ["backend-contract", f"test_a.py::TestMine: {text}"]


def test_warning(summary: Any) -> None:
    """A violated clause of level SHOULD counts as exercised, and has its own line."""
    log(summary, "warning", "ok")
    _, counts, line = lines_of(summary)
    assert counts.endswith("2 of 2 clauses exercised, 1 warning")
    assert line.startswith("WARNING test_a.py::TestMine: BC101")


@pytest.mark.parametrize(("outcome", "lines"), [("failed", 2), ("skipped", 3)])
def test_hidden_violation(summary: Any, outcome: str, lines: int) -> None:
    """A violation that a mark hides is named."""
    summary.pytest_runtest_logreport(report((PROPERTY, "TestMine BC101 violated"), outcome=outcome))
    shown = lines_of(summary)
    assert len(shown) == lines
    assert ("BC101 is violated, which a mark xfail hides" in shown[-1]) is (outcome == "skipped")


def test_rerun(summary: Any) -> None:
    """A test that is run again counts once."""
    for outcome in ("rerun", "failed"):
        again = report((PROPERTY, "TestMine BC101 violated"), outcome=outcome)
        summary.pytest_runtest_logreport(again)
    assert lines_of(summary)[1:] == ["test_a.py::TestMine: 1 of 1 clauses exercised, 1 violated"]


@pytest.mark.parametrize("test", ["test_clause[BC101-gpu]", "test_clause[gpu-BC101]"])
def test_parameters(summary: Any, test: str) -> None:
    """Each set of parameters of a suite is counted separately."""
    log(summary, "ok")
    summary.pytest_runtest_logreport(report((PROPERTY, "TestMine BC101 ok"), test=test))
    assert lines_of(summary)[1:] == [
        "test_a.py::TestMine: 1 of 1 clauses exercised",
        "test_a.py::TestMine[gpu]: 1 of 1 clauses exercised",
    ]


def test_suites(summary: Any) -> None:
    """Each suite is counted separately."""
    log(summary, "ok", "ok")
    of_another = report(("another", "x"), (PROPERTY, "TestMine BC101 ok"), module="b.py")
    summary.pytest_runtest_logreport(of_another)
    assert lines_of(summary) == [
        "backend-contract",
        "test_a.py::TestMine: 2 of 2 clauses exercised",
        "b.py::TestMine: 1 of 1 clauses exercised",
    ]


def test_other_reports(summary: Any) -> None:
    """Other tests, and the phases before and after a test, are not counted."""
    summary.pytest_runtest_logreport(report())
    for name in ("another", "yet another"):
        summary.pytest_runtest_logreport(report((name, "TestMine BC101 ok")))
    for when in ("setup", "teardown"):
        summary.pytest_runtest_logreport(report((PROPERTY, "TestMine BC101 ok"), when=when))
    assert lines_of(summary) == []


def test_skipped_suite(summary: Any) -> None:
    """A suite whose tests are skipped by a mark or a fixture is named."""
    for clause in ("BC101", "BC302"):
        skipped = report(when="setup", outcome="skipped", test=f"test_clause[{clause}]")
        summary.pytest_runtest_logreport(skipped)
    assert lines_of(summary) == [
        "backend-contract",
        "test_a.py::TestMine: 0 of 2 clauses exercised, 2 skipped",
    ]


@pytest.mark.parametrize(
    "skipped",
    [
        report(when="setup", outcome="skipped", test="test_mine"),
        report(when="setup", outcome="skipped", test="test_clause[1]"),
        report(when="setup", outcome="failed"),
        report(when="call", outcome="skipped"),
    ],
    ids=["another test", "another parameter", "failed", "in the call"],
)
def test_other_skips(summary: Any, skipped: Any) -> None:
    """Only a test of a suite that was skipped before its call is counted by its id."""
    summary.pytest_runtest_logreport(skipped)
    assert lines_of(summary) == []


def test_register_once() -> None:
    """Registering the summary again does nothing."""
    manager = Manager()
    config = SimpleNamespace(pluginmanager=manager)
    register_summary(config)
    register_summary(config)
    assert len(manager.plugins) == 1


def test_register_in_worker() -> None:
    """The summary is not registered in a worker of xdist."""
    manager = Manager()
    register_summary(SimpleNamespace(pluginmanager=manager, workerinput={}))
    assert manager.plugins == {}
