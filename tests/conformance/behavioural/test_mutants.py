"""The kit blames whatever violates a clause, by that clause and no other.

In the default run one faulty backend per clause is tried by its clause alone, and one per group of
clauses in a whole run. ``nox -s kit`` and ``nox -s mutants`` try all of them in both ways.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from conformance.behavioural.mutants import GOOD, HANGS, HOOKS, MUTANTS, Inheriting, Mutant
from support import mostly_exhaustive

from backend_contract._conformance.behavioural.process_state import settings, undo
from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.pytest_summary import reproduction
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract.clauses import CLAUSES, Clause
from backend_contract.testing import check_backend

TESTS = Path(__file__).parents[2]

# Some leave files open, which are collected during any later test.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

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


@pytest.fixture(autouse=True)
def process_stays_as_it_was() -> Iterator[None]:
    """Put back what the mutants of BC313 change."""
    before, filters = settings(), [*warnings.filters]
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    root = logging.getLogger()
    level, handlers, log_filters = root.level, [*root.handlers], [*root.filters]
    handler = signal.getsignal(signal.SIGUSR2)
    yield
    undo(before, settings())
    cast("list[object]", warnings.filters)[:] = filters
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    root.setLevel(level)
    root.handlers[:] = handlers
    root.filters[:] = log_filters
    signal.signal(signal.SIGUSR2, handler)


@pytest.mark.parametrize("cls", mostly_exhaustive(zip(GOOD, strict=True), 2))
def test_sound(cls: type) -> None:
    """The backends that the mutants are made from keep every clause."""
    report = check_backend(cls, **HOOKS)
    assert list(found_by_id(report, Verdict.OK)) == list(CLAUSES)
    assert report.notes == ()


@pytest.mark.parametrize("mutant", cases(first_per(lambda m: m.clause[:3])))
def test_mutant(mutant: Mutant) -> None:
    """A whole run blames a mutant for the clause that it violates, and for no other."""
    report = check_backend(mutant.cls, **mutant.given)
    assert list(found_by_id(report, Verdict.VIOLATED)) == [mutant.clause], str(report)


def alone(clause: str, cls: type, given: dict[str, Any]) -> Finding:
    """Decide *clause* as ``pytest -k BC302`` does: with nothing but what it needs."""
    with Kit(Subject(make=cls, **given)) as kit:
        return kit.finding(CLAUSES[clause])


@pytest.mark.parametrize("mutant", cases(first_per(lambda m: m.clause)))
def test_mutant_alone(mutant: Mutant) -> None:
    """A clause that is tried alone is violated by its mutants too."""
    finding = alone(mutant.clause, mutant.cls, mutant.given)
    assert finding.verdict is Verdict.VIOLATED, (finding, finding.because)


@pytest.mark.exhaustive
@every_clause
@pytest.mark.parametrize("cls", GOOD)
def test_sound_alone(clause: Clause, cls: type) -> None:
    """A clause that is tried alone holds for sound backends."""
    finding = alone(clause.id, cls, HOOKS)
    assert finding.verdict is Verdict.OK, (finding, finding.because)


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


@pytest.mark.exhaustive
@every_clause
def test_bad_example(clause: Clause) -> None:
    """The bad example of a clause violates that clause alone."""
    report = check_backend(example(clause.bad), time_limit=HANGS, **hooks_of(clause))
    assert list(found_by_id(report, Verdict.VIOLATED)) == [clause.id]


@pytest.mark.exhaustive
@every_clause
def test_good_example(clause: Clause) -> None:
    """The good example of a clause keeps it, and violates no other."""
    report = check_backend(example(clause.good), **hooks_of(clause))
    assert found_by_id(report, Verdict.VIOLATED) == {}
    assert clause.id in found_by_id(report, Verdict.OK)


# In a separate process, which may never end by itself. All code runs at once, in threads, except
# that which looks at the whole process; a thread that hangs is left behind.
REPRODUCE = """\
import json, os, sys, threading
codes, limit = json.loads(sys.argv[1]), float(sys.argv[2])
outcomes = ["hung"] * len(codes)
def run(number, code):
    try:
        exec(code, {"__name__": "reproduction"})
        outcomes[number] = "ended"
    except BaseException as error:
        outcomes[number] = f"raised {error!r}"
for alone in (True, False):  # those first: the others leave threads that end later
    threads = []
    for number, (code, is_alone) in enumerate(codes):
        if bool(is_alone) is alone:
            if is_alone == "in the main thread":
                run(number, code)
                continue
            threads.append(threading.Thread(target=run, args=(number, code), daemon=True))
            threads[-1].start()
            if alone:
                threads[-1].join(limit)
    for thread in threads:
        thread.join(limit)
print("outcomes", json.dumps(outcomes), flush=True)
os._exit(0)
"""

OF_THE_PROCESS = ("BC304", "BC310", "BC313", "BC506")
"""Clauses about what a backend takes from its process, or about calls at the same moment."""

with_and_without_config = pytest.mark.parametrize(
    "config", [None, {"address": "here"}], ids=["no config", "config"]
)


def reproduce(
    cases: Iterable[tuple[str, type]], config: Any, *, limit: float, alone: bool = False
) -> dict[tuple[str, str], str]:
    """Run the code in the failure messages of clauses for classes; return how each ended."""
    codes: dict[tuple[str, str], tuple[str, bool | str]] = {}
    for clause, cls in cases:
        code = reproduction(clause, f"{cls.__module__}:{cls.__qualname__}", config)
        is_alone: bool | str = alone or clause in OF_THE_PROCESS
        if clause == "BC313":
            is_alone = "in the main thread"  # only there may a backend handle signals
        codes[clause, cls.__name__] = code, is_alone
    done = subprocess.run(
        [sys.executable, "-c", REPRODUCE, json.dumps([*codes.values()]), str(limit)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    line = done.stdout.splitlines()[-1]
    assert line.startswith("outcomes ["), done.stdout
    outcomes: list[str] = json.loads(line.removeprefix("outcomes "))
    return dict(zip(codes, outcomes, strict=True))


def ended(outcomes: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    return [case for case, outcome in outcomes.items() if outcome == "ended"]


@pytest.mark.exhaustive
@with_and_without_config
def test_reproductions(config: Any) -> None:
    """The code in a failure message fails, or hangs, for a mutant of its clause."""
    mutants = first_per(lambda m: m.clause)
    assert ended(reproduce([(m.clause, m.cls) for m in mutants], config, limit=20)) == []


@pytest.mark.exhaustive
@with_and_without_config
@every_clause
def test_reproductions_of_clause(clause: Clause, config: Any) -> None:
    """The code in a failure message fails, or hangs, for every mutant of its clause."""
    cases = [(clause.id, mutant.cls) for mutant in MUTANTS if mutant.clause == clause.id]
    assert ended(reproduce(cases, config, limit=8, alone=True)) == []


@pytest.mark.exhaustive
@with_and_without_config
@pytest.mark.parametrize("cls", GOOD[:2])
def test_reproductions_sound(cls: type, config: Any) -> None:
    """The code in a failure message ends without an error for a sound backend."""
    outcomes = reproduce([(clause, cls) for clause in CLAUSES], config, limit=60)
    assert {case: outcome for case, outcome in outcomes.items() if outcome != "ended"} == {}
