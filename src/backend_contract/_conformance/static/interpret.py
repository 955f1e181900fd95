"""From what a checker reported of a probe, and what the source says, to a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backend_contract._conformance.results import Finding, Report, Verdict, blocked_by
from backend_contract._conformance.source import members
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers.base import Diagnostic
from backend_contract._conformance.static.probe import (
    Errors,
    Mark,
    decide,
    has_unseen_base,
    import_error,
    typed_marks,
)
from backend_contract.clauses import Clause, in_layer

__all__ = ["ProbeResult", "interpret"]


class ProbeResult(NamedTuple):
    """All that is known of a target once a checker has run."""

    target: Target
    checked_by: str
    """Name and version of the checker."""
    errors: Errors
    """What was reported in its probe."""
    diagnostics: Sequence[Diagnostic]
    """What was reported anywhere in the run."""

    @property
    def checker(self) -> str:
        """The name of the checker."""
        return self.checked_by.partition(" ")[0]


def interpret(result: ProbeResult) -> Report:
    """Return a report on one target, with a finding for every clause of layer S."""
    target = result.target
    problem = import_error(result.errors)
    if problem is not None:
        return Report(target=target.text, error=f"{target.text}: {result.checker}: {problem}")
    findings: dict[str, Finding] = {}
    for clause in in_layer("S"):
        blocking = blocked_by(clause, findings.__getitem__)
        judgement = _judge(clause, result)
        if blocking is not None:
            judgement = _Judgement(Verdict.BLOCKED, judgement.members, (blocking,))
        findings[clause.id] = _finding(clause, judgement, result)
    return Report(target=target.text, findings=tuple(findings.values()))


class _Judgement(NamedTuple):
    """A verdict, the members it is about and the reasons for it."""

    verdict: Verdict
    members: Sequence[str] = ()
    because: Sequence[str] = ()


def _finding(clause: Clause, judgement: _Judgement, result: ProbeResult) -> Finding:
    source, verdict = result.target.source, judgement.verdict
    path, line = members.location_of(source, (judgement.members or clause.members)[0])
    described = judgement.members if verdict is not Verdict.BLOCKED else ()
    found = (members.describe(source, member) for member in dict.fromkeys(described))
    return Finding(
        clause=clause,
        verdict=verdict,
        path=path,
        line=line,
        found="; ".join(found),
        because=tuple(dict.fromkeys(judgement.because)),
        layer="S",
        checked_by=result.checked_by,
    )


def _judge(clause: Clause, result: ProbeResult) -> _Judgement:
    """Return what the probe shows, or else the source, or else that the clause holds."""
    return (
        _judge_probe(clause, result)
        or _judge_source(clause, result)
        or _judge_unions(clause, result)
        or _Judgement(Verdict.OK)
    )


def _judge_probe(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Return what the lines of the probe show, or ``None`` if nothing is wrong."""
    verdict, marks = decide(clause, result.errors)
    if verdict is Verdict.VIOLATED:
        because = [reason for mark in marks for reason in _why_violated(mark, result)]
        return _Judgement(verdict, [mark.member for mark in marks], because)
    # A parameter that accepts every object accepts an Opaque too, and means it.
    return _unchecked([mark for mark in marks if not _accepts_everything(mark, result)], result)


def _judge_source(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Return what the source shows although the probe is fine: checkers believe declarations."""
    for member in clause.members:
        judgement = _judge_member(member, clause, result)
        if judgement is not None:
            return judgement
    return None


def _judge_unions(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Return that a union contains ``Any``: a checker may compare its other part alone."""
    source = result.target.source
    return _unchecked(
        [m for m in typed_marks(clause) if members.is_any_in_part(source, m.member, m.part)], result
    )


def _unchecked(marks: Sequence[Mark], result: ProbeResult) -> _Judgement | None:
    if not marks:
        return None
    because = [_why_untyped(mark, result) for mark in marks]
    return _Judgement(Verdict.UNCHECKED, [mark.member for mark in marks], because)


def _judge_member(member: str, clause: Clause, result: ProbeResult) -> _Judgement | None:
    source = result.target.source
    if has_unseen_base(result.errors) and members.is_hidden(source, member):
        reason = f"a base class is `Any` to {result.checker}, and may define another `{member}`"
        return _Judgement(Verdict.UNCHECKED, [member], [reason])
    problem = _source_problem(member, clause, result)
    return None if problem is None else _Judgement(Verdict.VIOLATED, [member], [problem])


def _source_problem(member: str, clause: Clause, result: ProbeResult) -> str | None:
    source = result.target.source
    holder = "the class" if clause.id == "BC102" else "an instance"
    if holder in members.without_value(source, member):
        return f"`{member}` is declared, but {holder} has no value for it"
    if member == "__init__" and members.is_protocol(source):
        return "the class is a Protocol, which cannot be instantiated"
    literal = members.constant(source, member)
    kind = {"backend_type": str, "is_started": bool}.get(member, ())  # no literal is a method
    if literal is not None and not isinstance(literal.value, kind):
        return f"its value is {literal.value!r}, whatever is declared"
    return None


def _accepts_everything(mark: Mark, result: ProbeResult) -> bool:
    source = result.target.source
    return mark.part.startswith("parameter") and members.is_object(source, mark.member, mark.part)


def _why_violated(mark: Mark, result: ProbeResult) -> list[str]:
    """Return the errors that the checker reports where the member is used."""
    if mark.kind == "defined" and mark.member != "__init__":
        return [f"`{mark.member}` is abstract, and the class does not define it"]
    # The probe instantiates a subclass, whose name means nothing to the reader.
    name = result.target.source.node.name
    messages = result.errors[mark.line]
    return [f"{result.checker}: {text.replace('CompleteTarget', name)}" for text in messages]


def _why_untyped(mark: Mark, result: ProbeResult) -> str:
    """Return why a part of a member is ``Any``, as far as this can be told."""
    source = result.target.source
    missing = members.missing_annotation(source, mark.member, mark.part)
    if missing is not None:
        return missing
    subject = f"`{mark.member}`"
    if mark.part == "result":
        subject = f"the return type of {subject}"
    elif mark.part:
        subject = f"{mark.part} of {subject}"
    reason = (
        f"{result.checker} cannot resolve the type of {subject} (missing import or annotation)"
        if not mark.part
        else f"{result.checker} cannot resolve {subject} (missing import or annotation)"
    )
    imports = members.imports_of_annotation(source, mark.member, mark.part)
    for diagnostic in result.diagnostics:
        if diagnostic.is_import and (diagnostic.path, diagnostic.line) in imports:
            return f"{reason}: {diagnostic.message}"
    return reason
