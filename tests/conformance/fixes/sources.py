"""Helpers of these tests: what fixes make of a source, without a type checker."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

from support import make_finding

from backend_contract._conformance.fixes.model import Edit
from backend_contract._conformance.fixes.plan import plan_annotations
from backend_contract._conformance.fixes.rewriting import rewrite
from backend_contract._conformance.fixes.unsafe import plan_behaviour
from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.targets import Target
from backend_contract.clauses import in_layer

__all__ = ["Edited", "annotate", "change", "find"]


class Edited(NamedTuple):
    """The new text of ``mine.py``, and the reasons why something was left."""

    text: str
    reasons: list[str]

    @property
    def reason(self) -> str:
        """The only reason."""
        (reason,) = self.reasons
        return reason


def find(folder: Path, source: str, name: str = "Mine") -> Target:
    """Write *source* to ``mine.py`` and return its class *name*."""
    (folder / "mine.py").write_text(textwrap.dedent(source), encoding="utf-8")
    (target,) = find_targets([f"mine.py:{name}"], here=folder)
    assert isinstance(target, Target), target
    return target


def annotate(folder: Path, source: str, *clauses: str, name: str = "Mine") -> Edited:
    """Write the annotations that *clauses* (default: all) ask for if they are unchecked."""
    target = find(folder, source, name)
    edits: list[Edit] = []
    reasons: list[str] = []
    for clause in clauses or [clause.id for clause in in_layer("S")]:
        finding = make_finding(clause, Verdict.UNCHECKED, because=())
        planned, why = plan_annotations(finding, target.source, lambda _: None)
        edits += planned
        reasons += why
    return _edited(target, edits, reasons)


def change(folder: Path, source: str, *clauses: str) -> Edited:
    """Make the unsafe edits for *clauses*, which are violated."""
    target = find(folder, source)
    edits: list[Edit] = []
    reasons: list[str] = []
    for clause in clauses:
        planned, why = plan_behaviour(make_finding(clause), target.source, lambda _: None)
        edits += planned
        reasons += why
    return _edited(target, edits, reasons)


def _edited(target: Target, edits: list[Edit], reasons: list[str]) -> Edited:
    distinct = list({edit.key: edit for edit in edits}.values())
    content, applied = rewrite(target.source.module.path.read_bytes(), distinct)
    reasons += [f"not rewritten: {edit}" for edit in distinct if edit not in applied]
    return Edited(content.decode(), reasons)
