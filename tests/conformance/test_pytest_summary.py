"""What pytest says at the end of a run with suites of the kit in it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backend_contract._conformance.pytest_summary import _Summary, pytest_configure

UNDECIDED = ("unchecked", "blocked", "not applicable", "not tried")


def report(*properties: tuple[str, str], module: str = "test_a.py", when: str = "call") -> Any:
    node = f"{module}::TestMine::test_clause[BC101]"
    return SimpleNamespace(when=when, nodeid=node, user_properties=list(properties))


def summary_of(*verdicts: str, suite: str = "TestMine") -> _Summary:
    summary = _Summary()
    for verdict in verdicts:
        summary.pytest_runtest_logreport(report(("backend-contract", f"{suite} BC101 {verdict}")))
    return summary


def shown(summary: _Summary) -> list[tuple[str, dict[str, Any]]]:
    """What is written, with how."""
    lines: list[tuple[str, dict[str, Any]]] = []
    reporter = SimpleNamespace(
        section=lambda title: lines.append((title, {})),
        line=lambda text, **how: lines.append((text, how)),
    )
    summary.pytest_terminal_summary(reporter)
    return lines


def status_of(summary: _Summary, status: int) -> int:
    session = SimpleNamespace(exitstatus=status)
    summary.pytest_sessionfinish(session, status)
    return int(session.exitstatus)


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        (("ok",), "1 of 1 clauses exercised"),
        (("ok", "violated"), "2 of 2 clauses exercised, 1 violated"),
        (("ok", *UNDECIDED), "1 of 5 clauses exercised, 1 unchecked, 1 blocked, 1 not applicable"),
        (("ok", "expected violation"), "2 of 2 clauses exercised, 1 expected failure"),
        (("expected violation",) * 2, "2 of 2 clauses exercised, 2 expected failures"),
    ],
    ids=["ok", "violated", "undecided", "one expected", "two expected"],
)
def test_what_became_of_the_clauses_is_counted(verdicts: tuple[str, ...], text: str) -> None:
    text += ", 1 not tried" if "not tried" in verdicts else ""
    summary = summary_of(*verdicts)
    assert shown(summary) == [("backend-contract", {}), (f"test_a.py::TestMine: {text}", {})]
    assert [status_of(summary, status) for status in (0, 1, 2)] == [0, 1, 2]


def test_suites_are_counted_each_for_itself() -> None:
    summary = summary_of("ok", "ok")
    of_another = report(("another", "x"), ("backend-contract", "TestMine BC101 ok"), module="b.py")
    summary.pytest_runtest_logreport(of_another)
    assert [text for text, _ in shown(summary)] == [
        "backend-contract",
        "test_a.py::TestMine: 2 of 2 clauses exercised",
        "b.py::TestMine: 1 of 1 clauses exercised",
    ]


@pytest.mark.parametrize("verdict", UNDECIDED)
def test_a_suite_in_which_nothing_was_decided_fails_the_run(verdict: str) -> None:
    summary = summary_of(verdict)
    error = "ERROR test_a.py::TestMine: no clause was decided"
    assert shown(summary)[2:] == [(error, {"red": True})]
    assert [status_of(summary, status) for status in (0, 1, 2, 5)] == [1, 1, 2, 5]


def test_nothing_is_said_of_other_tests_and_of_what_comes_before_and_after() -> None:
    summary = _Summary()
    summary.pytest_runtest_logreport(report())
    for name in ("another", "somebody's"):
        summary.pytest_runtest_logreport(report((name, "TestMine BC101 ok")))
    for when in ("setup", "teardown"):
        verdict = ("backend-contract", "TestMine BC101 ok")
        summary.pytest_runtest_logreport(report(verdict, when=when))
    assert shown(summary) == []
    assert status_of(summary, 0) == 0


@pytest.mark.parametrize("in_a_worker", [True, False])
def test_the_counts_are_made_where_all_reports_arrive(in_a_worker: bool) -> None:
    registered: list[tuple[type, str]] = []
    manager = SimpleNamespace(register=lambda plugin, name: registered.append((type(plugin), name)))
    config = SimpleNamespace(pluginmanager=manager)
    if in_a_worker:
        config.workerinput = {}
    pytest_configure(config)
    assert registered == ([] if in_a_worker else [(_Summary, "backend-contract-summary")])
