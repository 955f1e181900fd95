"""Print how reliably the conformance kit decides the clauses about concurrency.

``nox -s soak`` runs it. A sound backend must never be blamed. A backend whose race the kit holds
open, by a member or a hook, must nearly always be caught. Exits with 1 if one of the two does not
hold. How often other races are caught is printed, but not required.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

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

_servers = RequestServers()


def verdict(cls: type, given: dict[str, Any], clause: str) -> Verdict:
    """Return the verdict of one trial of *clause*, as if all others held."""
    _servers.start()
    subject = Subject(make=cls, **given)
    run = Run(subject=subject, servers=_servers, holds=lambda other: True, has_started=True)
    trial = Trial(run)
    ended = trial.carry_out(BEHAVIOURS[clause].function, clause)
    trial.clean_up()
    return Verdict.OK if ended is None else ended.verdict


def violations(name: str, clause: str, runs: int) -> int:
    """Return the number of runs that blame the class *name* of ``mutants``."""
    given = next((m.given for m in mutants.MUTANTS + mutants.RACES if m.cls.__name__ == name), None)
    cls = getattr(mutants, name)
    try:
        found = [verdict(cls, given or mutants.HOOKS, clause) for _ in range(runs)]
    finally:
        _servers.close()  # otherwise the process would not end
    return found.count(Verdict.VIOLATED)


def held_open() -> Iterator[mutants.Mutant]:
    for mutant in mutants.MUTANTS:
        hangs = mutant.given.get("time_limit") == mutants.HANGS
        if mutant.clause in AT_ONCE and not hangs:
            yield mutant


def soak(runs: int, processes: int) -> bool:
    share = max(runs // processes, 1)
    runs = share * processes
    fine = True
    with ProcessPoolExecutor(processes) as pool:

        def blamed(name: str, clause: str) -> int:
            return sum(pool.map(violations, repeat(name, processes), repeat(clause), repeat(share)))

        print(f"sound backends: blamed in {runs} runs")
        for good in mutants.GOOD[:2]:
            for clause in AT_ONCE:
                count = blamed(good.__name__, clause)
                fine &= count == 0
                print(f"  {clause} {good.__name__:40} {count:6}", flush=True)
        for what, races, least in (
            ("held open", list(held_open()), CAUGHT),
            ("not held open", mutants.RACES, 0.0),
        ):
            print(f"races {what}: caught in {runs} runs")
            for mutant in races:
                count = blamed(mutant.cls.__name__, mutant.clause)
                fine &= count >= least * runs
                print(f"  {mutant.clause} {mutant.cls.__name__:40} {count:6}", flush=True)
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=4 * (os.cpu_count() or 1))
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}\n")
    return 0 if soak(options.runs, options.processes) else 1


if __name__ == "__main__":
    sys.exit(main())
