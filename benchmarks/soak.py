"""Print how reliably the conformance kit decides the clauses about concurrency.

``nox -s soak`` runs it. A sound backend must never be blamed. A backend whose race the kit holds
open, by a member or a hook, must be caught in 999 of 1,000 runs: if it gets away in a shorter test,
it is tried 1,000 times more. Exits with 1 if one of the two does not hold; the last lines name what
did not, and what was found instead.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conformance.behavioural import mutants

from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.behavioural.run import Run, Subject
from backend_contract._conformance.behavioural.trial import Trial
from backend_contract._conformance.request_servers import RequestServers
from backend_contract._conformance.results import Verdict

AT_ONCE = ("BC402", "BC403", "BC404", "BC405", "BC406", "BC506", "BC507")
"""The clauses about several threads."""

CAUGHT = 0.999
"""The share of runs in which a race that is held open must be caught."""

ENOUGH = 1000
"""The number of runs that can show such a share."""

_servers = RequestServers()


Outcomes: TypeAlias = Counter[tuple[Verdict, str]]
"""How often each verdict was given, by what was found."""


def outcome(cls: type, given: dict[str, Any], clause: str) -> tuple[Verdict, str]:
    """Return the verdict of one trial of *clause*, as if all others held, and what was found."""
    _servers.start()
    subject = Subject(make=cls, **given)
    run = Run(subject=subject, servers=_servers, holds=lambda other: True, has_started=True)
    trial = Trial(run)
    ended = trial.carry_out(BEHAVIOURS[clause].function, clause)
    trial.clean_up()
    return (Verdict.OK, "") if ended is None else (ended.verdict, ended.found)


def outcomes(name: str, clause: str, runs: int) -> Outcomes:
    """Return the outcomes of the class *name* of ``mutants``."""
    given = next((m.given for m in mutants.MUTANTS if m.cls.__name__ == name), None)
    cls = getattr(mutants, name)
    try:
        return Counter(outcome(cls, given or mutants.HOOKS, clause) for _ in range(runs))
    finally:
        _servers.close()  # otherwise the process would not end


def held_open() -> Iterator[mutants.Mutant]:
    for mutant in mutants.MUTANTS:
        hangs = mutant.given.get("time_limit") == mutants.HANGS
        if mutant.clause in AT_ONCE and not hangs:
            yield mutant


class Soak:
    """The processes that try backends, and the lines about what was not as it must be."""

    def __init__(self, pool: ProcessPoolExecutor, processes: int) -> None:
        self._pool = pool
        self._processes = processes
        self.wrong: list[str] = []

    def sound(self, name: str, clause: str, runs: int) -> None:
        """Try a backend that must never be blamed."""
        found = self._try(name, clause, runs)
        self._print(name, clause, found, is_wrong=_caught(found) > 0)

    def faulty(self, name: str, clause: str, runs: int) -> None:
        """Try a backend that must nearly always be caught."""
        found = self._try(name, clause, runs)
        if _caught(found) < CAUGHT * found.total() and found.total() < ENOUGH:
            found += self._try(name, clause, ENOUGH)
        self._print(name, clause, found, is_wrong=_caught(found) < CAUGHT * found.total())

    def _try(self, name: str, clause: str, runs: int) -> Outcomes:
        share = -(-runs // self._processes)
        count = self._processes
        parts = self._pool.map(outcomes, repeat(name, count), repeat(clause), repeat(share))
        return sum(parts, Outcomes())

    def _print(self, name: str, clause: str, found: Outcomes, *, is_wrong: bool) -> None:
        line = f"  {clause} {name:40} {_caught(found):6} of {found.total()}"
        print(line, flush=True)
        if is_wrong:
            counts = found.most_common()
            self.wrong += [line, *(f"    {n}: {each.value} {text}" for (each, text), n in counts)]


def _caught(found: Outcomes) -> int:
    return sum(count for (verdict, _), count in found.items() if verdict is Verdict.VIOLATED)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=4 * (os.cpu_count() or 1))
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}\n")
    with ProcessPoolExecutor(options.processes) as pool:
        soak = Soak(pool, options.processes)
        print("sound backends: blamed in")
        for good in mutants.GOOD[:2]:
            for clause in AT_ONCE:
                soak.sound(good.__name__, clause, options.runs)
        print("races held open: caught in")
        for mutant in held_open():
            soak.faulty(mutant.cls.__name__, mutant.clause, options.runs)
    if soak.wrong:
        print("\nnot reliable:", *soak.wrong, sep="\n")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
