"""How often a whole run starts a sound backend, and how many it creates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from conformance.behavioural.mutants import HOOKS, Structural

from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Verdict
from backend_contract.clauses import in_layer

MOST_STARTS, MOST_INSTANCES = 20, 40


class Watched(Structural):
    """A sound backend; a class of its own per run counts."""

    clause: str
    starts: Counter[str]
    beside: Counter[str]
    instances: int
    running: set[int]

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]  # the mutants are unannotated
        type(self).instances += 1

    def start(self) -> None:
        if not self.is_started:
            self.starts[self.clause] += 1
            if self.running:
                self.beside[self.clause] += 1
        super().start()  # type: ignore[no-untyped-call]
        self.running.add(id(self))

    def stop(self) -> None:
        super().stop()  # type: ignore[no-untyped-call]
        self.running.discard(id(self))


def watched(exclusive: bool) -> type[Watched]:
    """Return a class that has seen a whole run."""

    class Fresh(Watched):
        backend_type = "WATCHED"
        clause, instances = "", 0
        starts, beside, running = Counter(), Counter(), set()

    def note(clause: str) -> None:
        Fresh.clause = clause

    with Kit(Subject(make=Fresh, exclusive=exclusive, **HOOKS), before_trial=note) as kit:
        verdicts = {clause.id: kit.finding(clause).verdict for clause in in_layer("B")}
    assert set(verdicts.values()) == {Verdict.OK}, verdicts
    return Fresh


@pytest.mark.parametrize("exclusive", [False, True])
def test_starts(exclusive: bool) -> None:
    """A sound backend is started and created a limited number of times in a whole run.

    Two are never started at a time, but for BC312, and not then if starts are exclusive.
    """
    seen = watched(exclusive)
    by_clause = ", ".join(f"{clause} {count}" for clause, count in seen.starts.most_common())
    assert seen.starts.total() <= MOST_STARTS, f"started by {by_clause}"
    assert seen.instances <= MOST_INSTANCES, f"{seen.instances} instances"
    assert set(seen.beside) == (set() if exclusive else {"BC312"}), f"beside: {seen.beside}"
