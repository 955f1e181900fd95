"""The kit is proven: whatever breaks a clause is caught, by that clause and no other."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.behavioural.trial import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Report, Verdict
from backend_contract.clauses import CLAUSES, Clause
from backend_contract.testing import check_backend

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from mutants import GOOD, HOOKS, MUTANTS, Inheriting, Mutant  # noqa: E402 - it has no package

every_mutant = pytest.mark.parametrize(
    "mutant", MUTANTS, ids=lambda mutant: f"{mutant.clause}-{mutant.cls.__name__}"
)
every_clause = pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)


def with_verdict(report: Report, verdict: Verdict) -> dict[str, str]:
    assert report.error is None
    return {f.clause.id: f.found for f in report.findings if f.verdict is verdict}


@pytest.mark.parametrize("cls", GOOD)
def test_what_the_mutants_are_made_from_keeps_every_clause(cls: type) -> None:
    report = check_backend(cls, **HOOKS)
    assert list(with_verdict(report, Verdict.OK)) == list(CLAUSES)
    assert report.notes == ()


@every_mutant
def test_a_mutant_is_caught_by_the_clause_it_breaks_and_by_no_other(mutant: Mutant) -> None:
    report = check_backend(mutant.cls, **mutant.given)
    assert list(with_verdict(report, Verdict.VIOLATED)) == [mutant.clause], report.findings


def asked_alone(clause: str, cls: type, given: dict[str, Any]) -> Verdict:
    """As `pytest -k BC302` asks: of the others, nothing is decided but what this one needs."""
    with Kit(Subject(cls, **given)) as kit:
        return kit.finding(CLAUSES[clause]).verdict


@every_mutant
def test_a_clause_that_is_asked_alone_catches_its_mutants_too(mutant: Mutant) -> None:
    assert asked_alone(mutant.clause, mutant.cls, mutant.given) is Verdict.VIOLATED


@every_clause
@pytest.mark.parametrize("cls", GOOD)
def test_a_clause_that_is_asked_alone_holds_too(clause: Clause, cls: type) -> None:
    assert asked_alone(clause.id, cls, HOOKS) is Verdict.OK


def test_every_clause_has_mutants_that_inherit_and_mutants_that_do_not() -> None:
    inherit = Counter(m.clause for m in MUTANTS if issubclass(m.cls, Inheriting))
    do_not = Counter(m.clause for m in MUTANTS if not issubclass(m.cls, Inheriting))
    assert set(inherit) == set(do_not) == set(CLAUSES)


def example(code: str) -> Any:
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)  # noqa: S102 - it is our own text
    return names["Mine"]


def hooks_of_an_example(clause: Clause) -> dict[str, Any]:
    hooks: dict[str, Any] = {}
    if "def connect" in clause.good:
        hooks["during_start"] = HOOKS["during_start"]
    if "self.contexts" in clause.good:
        hooks["received_contexts"] = lambda backend: backend.contexts
    return hooks


@every_clause
def test_the_bad_example_of_a_clause_breaks_that_clause_alone(clause: Clause) -> None:
    report = check_backend(example(clause.bad), time_limit=3, **hooks_of_an_example(clause))
    assert list(with_verdict(report, Verdict.VIOLATED)) == [clause.id]


@every_clause
def test_the_good_example_of_a_clause_keeps_it_and_every_other(clause: Clause) -> None:
    report = check_backend(example(clause.good), **hooks_of_an_example(clause))
    assert with_verdict(report, Verdict.VIOLATED) == {}
    assert clause.id in with_verdict(report, Verdict.OK)


# In a process of its own, since it may well not end: 1 if it raises, 2 if it hangs.
REPRODUCE = """\
import faulthandler, os, sys, threading
sys.path.insert(0, {here!r})
from mutants import {name} as make
def run():
    try:
        exec({code!r}, {{"make": make}})
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
        os._exit(1)
    os._exit(0)
thread = threading.Thread(target=run, daemon=True)
thread.start()
thread.join({limit})
os._exit(2)
"""


def reproduce(clause: str, name: str, limit: float) -> int:
    code = REPRODUCE.format(
        here=str(HERE), name=name, code=BEHAVIOURS[clause].reproduce, limit=limit
    )
    return subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode


@every_clause
def test_the_reproduction_of_a_clause_shows_one_of_its_mutants(clause: Clause) -> None:
    names = [mutant.cls.__name__ for mutant in MUTANTS if mutant.clause == clause.id]
    assert any(reproduce(clause.id, name, limit=8) for name in names)


@every_clause
@pytest.mark.parametrize("cls", GOOD[:2])
def test_the_reproduction_of_a_clause_is_quiet_on_a_good_backend(clause: Clause, cls: type) -> None:
    assert reproduce(clause.id, cls.__name__, limit=60) == 0
