"""From what a checker reported of a probe, and what the source says, to a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backend_contract.clauses import Clause, in_layer
from backend_contract.conformance import members
from backend_contract.conformance.checkers.checker import Diagnostic
from backend_contract.conformance.probe import (
    Errors,
    Mark,
    cannot_import,
    decide,
    has_unseen_base,
    typed_marks,
)
from backend_contract.conformance.targets import Target
from backend_contract.conformance.verdicts import Finding, Report, Verdict

__all__ = ["Evidence", "report_on"]


class Evidence(NamedTuple):
    """All that is known of a target once a checker has run."""

    target: Target
    by: str
    """Who reported: a checker's name, a blank, its version."""
    errors: Errors
    """What was reported in its probe."""
    diagnostics: Sequence[Diagnostic]
    """What was reported anywhere in the run."""

    @property
    def checker(self) -> str:
        """The name of the checker."""
        return self.by.partition(" ")[0]


def report_on(evidence: Evidence) -> Report:
    """What is to be said of a target, on every clause of layer S."""
    target = evidence.target
    problem = cannot_import(evidence.errors)
    if problem is not None:
        return Report(target.text, error=f"{target.text}: {evidence.checker}: {problem}")
    findings: dict[str, Finding] = {}
    for clause in in_layer("S"):
        finding = _finding(clause, evidence)
        for requirement in clause.requires:
            if findings[requirement].verdict in (Verdict.VIOLATED, Verdict.BLOCKED):
                finding = finding._replace(
                    verdict=Verdict.BLOCKED, found="", because=(requirement,)
                )
        findings[clause.id] = finding
    return Report(target.text, tuple(findings.values()))


def _finding(clause: Clause, evidence: Evidence) -> Finding:
    source = evidence.target.source
    verdict, marks = decide(clause, evidence.errors)
    if verdict is Verdict.UNCHECKED:
        # Who takes every object takes an Opaque as well, and means it.
        marks = [mark for mark in marks if not _takes_every_object(mark, evidence)]
        verdict = Verdict.UNCHECKED if marks else Verdict.OK
    why = _why_broken if verdict is Verdict.VIOLATED else _why_untyped
    because = [reason for mark in marks for reason in why(mark, evidence)]
    looked_at = [mark.member for mark in marks]
    if verdict is Verdict.OK:
        for member in clause.members:
            verdict, because = _what_no_use_shows(member, clause, evidence)
            if verdict is not Verdict.OK:
                looked_at = [member]
                break
        else:
            # A checker may compare the other part of a union alone.
            marks = [m for m in typed_marks(clause) if members.is_any_in_part(source, *m[-2:])]
            if marks:
                verdict, looked_at = Verdict.UNCHECKED, [mark.member for mark in marks]
                because = [reason for mark in marks for reason in _why_untyped(mark, evidence)]
    path, line = members.place(source, (looked_at or clause.members)[0])
    found = "; ".join(members.describe(source, member) for member in dict.fromkeys(looked_at))
    reasons = tuple(dict.fromkeys(because))
    return Finding(clause, verdict, path, line, found, reasons, by=evidence.by)


def _what_no_use_shows(
    member: str, clause: Clause, evidence: Evidence
) -> tuple[Verdict, list[str]]:
    """What is wrong with a member that can be used as it shall: checkers believe a declaration."""
    source = evidence.target.source
    if has_unseen_base(evidence.errors) and members.is_hidden(source, member):
        return Verdict.UNCHECKED, [
            f"a base class is `Any` to {evidence.checker}, and may give another `{member}`"
        ]
    holder = "the class" if clause.id == "BC102" else "an instance"
    if holder in members.without_value(source, member):
        return Verdict.VIOLATED, [f"`{member}` is declared, and nothing gives it to {holder}"]
    if member == "__init__" and members.is_protocol(source):
        return Verdict.VIOLATED, ["the class is a Protocol, of which there are no instances"]
    literal = members.constant(source, member)
    kind = {"backend_type": str, "is_started": bool}.get(member, ())  # no literal is a method
    if literal is not None and not isinstance(literal.value, kind):
        return Verdict.VIOLATED, [f"its value is {literal.value!r}, whatever is declared"]
    return Verdict.OK, []


def _takes_every_object(mark: Mark, evidence: Evidence) -> bool:
    source = evidence.target.source
    return mark.part.startswith("parameter") and members.is_object(source, mark.member, mark.part)


def _why_broken(mark: Mark, evidence: Evidence) -> list[str]:
    """What is said against a member where it is used."""
    if mark.kind == "defined" and mark.member != "__init__":
        return [f"`{mark.member}` is abstract, and the class does not define it"]
    # The probe makes instances of a subclass, whose name is nothing to the reader.
    name = evidence.target.source.node.name
    messages = evidence.errors[mark.line]
    return [f"{evidence.checker}: {text.replace('CompleteTarget', name)}" for text in messages]


def _why_untyped(mark: Mark, evidence: Evidence) -> list[str]:
    """Why a part of a member is ``Any``, as far as it can be told."""
    source = evidence.target.source
    missing = members.missing_annotation(source, mark.member, mark.part)
    if missing is not None:
        return [missing]
    subject = f"`{mark.member}`"
    if mark.part == "result":
        subject = f"what {subject} returns"
    elif mark.part:
        subject = f"{mark.part} of {subject}"
    reason = f"{subject} is `Any` to {evidence.checker}, in part at least"
    imports = members.imports_of_annotation(source, mark.member, mark.part)
    for diagnostic in evidence.diagnostics:
        if diagnostic.is_import and (diagnostic.path, diagnostic.line) in imports:
            return [f"{reason}: {diagnostic.message}"]
    return [reason]
