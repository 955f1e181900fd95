"""How often a whole run starts a sound backend, and how many it creates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from conformance.behavioural.mutants import HOOKS, Structural
from support import mostly_exhaustive

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


class LockInSteps(Watched):
    """One whose lock is reached by more lines than the kit stops a thread at."""

    def start_lock(self) -> Any:
        lock = None
        lock = lock or None
        lock = lock or None
        lock = lock or None
        lock = lock or None
        lock = lock or None
        return lock or super().start_lock()  # type: ignore[no-untyped-call]


def watched(base: type[Watched], hooks: Mapping[str, Any], exclusive: bool) -> type[Watched]:
    """Return a class that has seen a whole run."""

    class Fresh(base):  # type: ignore[valid-type, misc]  # a base that is given
        backend_type = "WATCHED"
        clause, instances = "", 0

    Fresh.starts, Fresh.beside, Fresh.running = Counter(), Counter(), set()

    def note(clause: str) -> None:
        Fresh.clause = clause

    with Kit(Subject(make=Fresh, exclusive=exclusive, **hooks), before_trial=note) as kit:
        verdicts = {kit.finding(clause).verdict for clause in in_layer("B")}
    assert verdicts == ({Verdict.OK} if hooks else {Verdict.OK, Verdict.NEEDS_A_SUITE})
    return Fresh


@pytest.mark.parametrize(
    ("base", "hooks", "exclusive"),
    mostly_exhaustive(
        [(Watched, HOOKS, True), (LockInSteps, HOOKS, False), (LockInSteps, {}, False)], 2
    ),
    ids=["exclusive", "steps", "no hooks"],
)
def test_starts(base: type[Watched], hooks: Mapping[str, Any], exclusive: bool) -> None:
    """A sound backend is started and created a limited number of times in a whole run.

    Two are never started at a time, but for BC312, and not then if starts are exclusive.
    """
    seen = watched(base, hooks, exclusive)
    by_clause = ", ".join(f"{clause} {count}" for clause, count in seen.starts.most_common())
    assert seen.starts.total() <= MOST_STARTS, f"started by {by_clause}"
    assert seen.instances <= MOST_INSTANCES, f"{seen.instances} instances"
    assert set(seen.beside) == (set() if exclusive else {"BC312"}), f"beside: {seen.beside}"
