"""Reports, from the errors of a checker in a probe and from the source of the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backend_contract._conformance.results import Finding, Report, Verdict, blocked_by
from backend_contract._conformance.source import members
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.advice import advise, block_constructor
from backend_contract._conformance.static.checkers.base import Diagnostic
from backend_contract._conformance.static.probe import (
    Errors,
    Mark,
    decide,
    has_unresolved_base,
    import_error,
    typed_marks,
)
from backend_contract.clauses import Clause, in_layer

__all__ = ["ProbeResult", "interpret"]


class ProbeResult(NamedTuple):
    """Everything a run of a checker shows about one target."""

    target: Target
    checked_by: str
    """Name and version of the checker."""
    errors: Errors
    """The errors in its probe."""
    diagnostics: Sequence[Diagnostic]
    """The errors anywhere in the run."""

    @property
    def checker(self) -> str:
        """The name of the checker."""
        return self.checked_by.partition(" ")[0]


def interpret(result: ProbeResult) -> Report:
    """Return a report on one target: one finding per clause of layer S, or an error."""
    target = result.target
    problem = import_error(result.errors)
    if problem is not None:
        return Report(target=target.text, error=f"{target.text}: {result.checker}: {problem}")
    findings: dict[str, Finding] = {}
    for clause in in_layer("S"):
        judgement = _judge(clause, result)
        blocking = blocked_by(clause, findings.__getitem__)
        if blocking is not None:
            judgement = _Judgement(Verdict.BLOCKED, judgement.members, (blocking,))
        findings[clause.id] = _finding(clause, judgement, result)
    complete = block_constructor([*findings.values()], target.source)
    return Report(target=target.text, findings=complete)


class _Judgement(NamedTuple):
    """A verdict, the members it is about and the reasons for it."""

    verdict: Verdict
    members: Sequence[str] = ()
    because: Sequence[str] = ()


def _finding(clause: Clause, judgement: _Judgement, result: ProbeResult) -> Finding:
    source, verdict = result.target.source, judgement.verdict
    path, line = members.location_of(source, (judgement.members or clause.members)[0])
    shown = judgement.members if verdict is not Verdict.BLOCKED else ()
    found = (members.describe(source, member) for member in dict.fromkeys(shown))
    return Finding(
        clause=clause,
        verdict=verdict,
        path=path,
        line=line,
        found="; ".join(found),
        because=tuple(dict.fromkeys(judgement.because)),
        advice=advise(source, clause.id, verdict, judgement.members),
        layer="S",
        checked_by=result.checked_by,
    )


def _judge(clause: Clause, result: ProbeResult) -> _Judgement:
    """Return the first answer: of the probe, of the source, or that the clause holds."""
    return (
        _judge_probe(clause, result)
        or _judge_source(clause, result)
        or _judge_unions(clause, result)
        or _Judgement(Verdict.OK)
    )


def _judge_probe(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by the lines of the probe; ``None`` if nothing is wrong there."""
    verdict, marks = decide(clause, result.errors)
    if verdict is Verdict.VIOLATED:
        because = [reason for mark in marks for reason in _why_violated(mark, result)]
        return _Judgement(verdict, [mark.member for mark in marks], because)
    # A parameter of type `object` accepts an Opaque without being `Any`.
    return _unchecked([mark for mark in marks if not _accepts_everything(mark, result)], result)


def _judge_source(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by the source of the class: checkers believe a wrong declaration."""
    for member in clause.members:
        judgement = _judge_member(member, clause, result)
        if judgement is not None:
            return judgement
    return None


def _judge_unions(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by unions with ``Any``: a checker may ignore that part of a union."""
    source = result.target.source
    return _unchecked(
        [m for m in typed_marks(clause) if members.contains_any(source, m.member, m.part)], result
    )


def _unchecked(marks: Sequence[Mark], result: ProbeResult) -> _Judgement | None:
    if not marks:
        return None
    because = [_why_untyped(mark, result) for mark in marks]
    return _Judgement(Verdict.UNCHECKED, [mark.member for mark in marks], because)


def _judge_member(member: str, clause: Clause, result: ProbeResult) -> _Judgement | None:
    source = result.target.source
    if has_unresolved_base(result.errors) and members.may_be_hidden(source, member):
        reason = f"{result.checker} cannot resolve a base class, which may override `{member}`"
        return _Judgement(Verdict.UNCHECKED, [member], [reason])
    problem = _source_problem(member, clause, result)
    return None if problem is None else _Judgement(Verdict.VIOLATED, [member], [problem])


def _source_problem(member: str, clause: Clause, result: ProbeResult) -> str | None:
    source = result.target.source
    on_class = clause.id == "BC102"
    if members.lacks_value(source, member, on_class=on_class):
        holder = "the class" if on_class else "an instance"
        return f"`{member}` is declared, but {holder} has no value for it"
    if member == "__init__" and members.is_protocol(source):
        return "the class is a Protocol, which cannot be instantiated"
    literal = members.constant(source, member)
    allowed = {"backend_type": str, "is_started": bool}.get(member, ())  # a method: no literal
    if literal is not None and not isinstance(literal.value, allowed):
        return f"its value is {literal.value!r}, whatever its annotation says"
    return None


def _accepts_everything(mark: Mark, result: ProbeResult) -> bool:
    source = result.target.source
    return mark.part.startswith("parameter") and members.contains_object(
        source, mark.member, mark.part
    )


def _why_violated(mark: Mark, result: ProbeResult) -> list[str]:
    """Return the errors of the checker at the uses of the member."""
    if mark.kind == "defined" and mark.member != "__init__":
        return [f"`{mark.member}` is abstract, and the class does not define it"]
    # The probe instantiates a subclass, whose name means nothing to the reader.
    name = result.target.source.node.name
    messages = result.errors[mark.line]
    return [f"{result.checker}: {text.replace('CompleteTarget', name)}" for text in messages]


def _why_untyped(mark: Mark, result: ProbeResult) -> str:
    """Return the reason why a part of a member is ``Any``, if the source shows it."""
    source = result.target.source
    missing = members.missing_annotation(source, mark.member, mark.part)
    if missing is not None:
        return missing
    subject = {
        "": f"the type of `{mark.member}`",
        "result": f"the return type of `{mark.member}`",
    }.get(mark.part, f"{mark.part} of `{mark.member}`")
    reason = f"{result.checker} cannot resolve {subject} (missing import or annotation)"
    imports = members.imports_of_annotation(source, mark.member, mark.part)
    for diagnostic in result.diagnostics:
        if diagnostic.is_import and (diagnostic.path, diagnostic.line) in imports:
            return f"{reason}: {diagnostic.message}"
    return reason
