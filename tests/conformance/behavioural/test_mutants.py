"""The kit blames whatever violates a clause, by that clause and no other.

In the default run each clause has one faulty backend that inherits, one that does not, and one that
is asked about that clause alone; ``nox -s kit`` tries all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from conformance.behavioural.mutants import GOOD, HANGS, HOOKS, MUTANTS, Inheriting, Mutant

from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.behavioural.trial import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Report, Verdict
from backend_contract.clauses import CLAUSES, Clause
from backend_contract.testing import check_backend

TESTS = Path(__file__).parents[2]

every_clause = pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)


def hangs(mutant: Mutant) -> bool:
    return mutant.given.get("time_limit") == HANGS


def inherits(mutant: Mutant) -> bool:
    return issubclass(mutant.cls, Inheriting)


def first_per(key: Callable[[Mutant], object]) -> list[Mutant]:
    """Return the first mutant for each value of *key*, one that does not hang if there is any."""
    chosen: dict[object, Mutant] = {}
    for mutant in sorted(MUTANTS, key=hangs):
        chosen.setdefault(key(mutant), mutant)
    return [*chosen.values()]


def cases(always: Iterable[Mutant]) -> list[Any]:
    """Return all mutants as parameters, those outside *always* for the exhaustive run."""
    chosen = [mutant.cls for mutant in always]
    return [
        pytest.param(
            mutant,
            id=f"{mutant.clause}-{mutant.cls.__name__}",
            marks=() if mutant.cls in chosen else pytest.mark.exhaustive,
        )
        for mutant in MUTANTS
    ]


def found_by_id(report: Report, verdict: Verdict) -> dict[str, str]:
    assert report.error is None
    return {f.clause.id: f.found for f in report.findings if f.verdict is verdict}


@pytest.mark.parametrize("cls", GOOD)
def test_sound(cls: type) -> None:
    """The backends that the mutants are made from keep every clause."""
    report = check_backend(cls, **HOOKS)
    assert list(found_by_id(report, Verdict.OK)) == list(CLAUSES)
    assert report.notes == ()


@pytest.mark.parametrize("mutant", cases(first_per(lambda m: (m.clause, inherits(m)))))
def test_mutant(mutant: Mutant) -> None:
    """A whole run blames a mutant for the clause that it violates, and for no other."""
    report = check_backend(mutant.cls, **mutant.given)
    assert list(found_by_id(report, Verdict.VIOLATED)) == [mutant.clause], str(report)


def verdict_alone(clause: str, cls: type, given: dict[str, Any]) -> Verdict:
    """Decide *clause* as ``pytest -k BC302`` does: with nothing but what it needs."""
    with Kit(Subject(make=cls, **given)) as kit:
        return kit.finding(CLAUSES[clause]).verdict


@pytest.mark.parametrize("mutant", cases(first_per(lambda m: m.clause)))
def test_mutant_alone(mutant: Mutant) -> None:
    """A clause that is tried alone is violated by its mutants too."""
    assert verdict_alone(mutant.clause, mutant.cls, mutant.given) is Verdict.VIOLATED


@every_clause
@pytest.mark.parametrize(
    "cls", [GOOD[0], *(pytest.param(cls, marks=pytest.mark.exhaustive) for cls in GOOD[1:])]
)
def test_sound_alone(clause: Clause, cls: type) -> None:
    """A clause that is tried alone holds for sound backends."""
    assert verdict_alone(clause.id, cls, HOOKS) is Verdict.OK


def test_mutants_of_every_clause() -> None:
    """Every clause has mutants that inherit and mutants that do not."""
    inheriting = Counter(m.clause for m in MUTANTS if inherits(m))
    structural = Counter(m.clause for m in MUTANTS if not inherits(m))
    assert set(inheriting) == set(structural) == set(CLAUSES)


def example(code: str) -> Any:
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)  # noqa: S102 - a file of the package
    return names["Mine"]


def hooks_of(clause: Clause) -> dict[str, Any]:
    """Return the hooks that fit the examples of *clause*."""
    hooks: dict[str, Any] = {}
    if "def connect" in clause.good:
        hooks["during_start"] = HOOKS["during_start"]
    if "self.contexts" in clause.good:
        hooks["received_contexts"] = lambda backend: backend.contexts
    return hooks


@every_clause
def test_bad_example(clause: Clause) -> None:
    """The bad example of a clause violates that clause alone."""
    report = check_backend(example(clause.bad), time_limit=HANGS, **hooks_of(clause))
    assert list(found_by_id(report, Verdict.VIOLATED)) == [clause.id]


@every_clause
def test_good_example(clause: Clause) -> None:
    """The good example of a clause keeps it, and violates no other."""
    report = check_backend(example(clause.good), **hooks_of(clause))
    assert found_by_id(report, Verdict.VIOLATED) == {}
    assert clause.id in found_by_id(report, Verdict.OK)


# In a separate process, which may never end by itself: 1 if the code raises, 2 if it hangs.
REPRODUCE = """\
import faulthandler, os, sys, threading
from conformance.behavioural.mutants import {name} as make
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
    code = REPRODUCE.format(name=name, code=BEHAVIOURS[clause].reproduce, limit=limit)
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        check=False,
        timeout=120,
    ).returncode


@every_clause
def test_reproduction(clause: Clause) -> None:
    """The code in a failure message fails, or hangs, for a mutant of its clause."""
    mutants = [mutant for mutant in MUTANTS if mutant.clause == clause.id]
    names = [mutant.cls.__name__ for mutant in sorted(mutants, key=hangs)]
    assert any(reproduce(clause.id, name, limit=8) for name in names)


@every_clause
@pytest.mark.parametrize(
    "cls", [GOOD[0], *(pytest.param(cls, marks=pytest.mark.exhaustive) for cls in GOOD[1:2])]
)
def test_reproduction_is_quiet(clause: Clause, cls: type) -> None:
    """The code in a failure message ends without an error for a sound backend."""
    assert reproduce(clause.id, cls.__name__, limit=60) == 0
