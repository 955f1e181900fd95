"""Reports, from the errors of a checker in a probe and from the source of the class."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from backend_contract._conformance.results import Finding, Report, Verdict, blocked_by
from backend_contract._conformance.source import members, signatures
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction import constructors
from backend_contract._conformance.source.construction.factories import Defect, has_untyped_factory
from backend_contract._conformance.source.evaluation import fields
from backend_contract._conformance.source.evaluation.bodies import body_opinion
from backend_contract._conformance.source.evaluation.fitness import POSITIONAL, Opinion
from backend_contract._conformance.source.evaluation.headers import (
    returns_nothing,
    retyping_decorator,
    why_undecided,
)
from backend_contract._conformance.source.evaluation.instances import (
    abstract_opinion,
    constructor_opinion,
    reads_other_class,
    why_incomplete,
    why_other_class,
)
from backend_contract._conformance.source.evaluation.names import name_opinion, own_name_opinion
from backend_contract._conformance.source.evaluation.opinions import opinion_on
from backend_contract._conformance.source.members import abstract_members
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.advice import advise, block_constructor
from backend_contract._conformance.static.checkers.base import Diagnostic
from backend_contract._conformance.static.probe import (
    MARKS,
    Decision,
    Errors,
    Mark,
    decide,
    has_unresolved_base,
    import_error,
    typed_marks,
)
from backend_contract.clauses import Clause, in_layer


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
    other_class = why_other_class(target.source)
    for clause in in_layer("S"):
        judgement = (_judge_name if clause.id in _NAMES else _judge)(clause, result)
        if judgement is not None and other_class is not None:
            advice = f"Rename the other definitions of `{target.source.node.name}`."
            judgement = _Judgement(Verdict.UNCHECKED, clause.members, [other_class], advice=advice)
        if judgement is None:
            continue
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
    opinion: Opinion | None = None
    """The opinion of the source, if that decided."""
    advice: str = ""


_Judge: TypeAlias = Callable[[Clause, ProbeResult], "_Judgement | None"]


def _doubt(member: str, reason: str) -> _Judgement:
    return _Judgement(Verdict.UNCHECKED, [member], [reason])


def _violation(member: str, reason: str) -> _Judgement:
    return _Judgement(Verdict.VIOLATED, [member], [reason])


def _of_defect(member: str, defect: Defect | None) -> _Judgement | None:
    if defect is None:
        return None
    judge = _violation if defect.is_certain else _doubt
    return judge(member, defect.reason)._replace(advice=defect.advice)


def _finding(clause: Clause, judgement: _Judgement, result: ProbeResult) -> Finding:
    source, verdict = result.target.source, judgement.verdict
    path, line = _location(source, judgement, clause)
    shown = judgement.members if verdict is not Verdict.BLOCKED else ()
    found = (members.describe(source, member) for member in dict.fromkeys(shown))
    return Finding(
        clause=clause,
        verdict=verdict,
        path=path,
        line=line,
        found="; ".join(found),
        because=tuple(dict.fromkeys(judgement.because)),
        advice=judgement.advice or advise(source, clause.id, verdict, judgement.members),
        layer="S",
        checked_by=result.checked_by,
    )


def _location(source: ClassSource, judgement: _Judgement, clause: Clause) -> tuple[Path, int]:
    opinion = judgement.opinion
    path = source.module.path
    if opinion is not None and opinion.module is not None and opinion.module.path == path:
        return path, getattr(opinion.statement, "lineno", source.node.lineno)
    return members.location_of(source, (judgement.members or clause.members)[0])


def _opinion(member: str, clause: str, result: ProbeResult) -> Opinion | None:
    if member == "__init__":
        return constructor_opinion(result.target.source, result.checker)
    on_class = clause == "BC102"
    return opinion_on(result.target.source, member, result.checker, on_class=on_class)


def _judge_opinions(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by the values of its members, where the checker does not see them."""
    opinions = {member: _opinion(member, clause.id, result) for member in clause.members}
    for verdict in (Verdict.VIOLATED, Verdict.UNCHECKED):
        for member, opinion in opinions.items():
            if opinion is not None and opinion.verdict is verdict:
                return _Judgement(verdict, [member], [opinion.reason], opinion)
    return None


def _judge_bodies(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by what the bodies of its members return, whatever they are declared to."""
    for member in clause.members:
        known = _opinion(member, clause.id, result)
        if clause.id == "BC102" or (known is not None and known.verdict is not Verdict.OK):
            continue
        opinion = body_opinion(result.target.source, member)
        if opinion is not None:
            advice = f"Let `{member}` always return {_RETURNED.get(member, '`None`')}."
            return _Judgement(opinion.verdict, [member], [opinion.reason], opinion, advice)
    return None


def _judge_name(clause: Clause, result: ProbeResult) -> _Judgement | None:
    opinion = _NAMES[clause.id](result.target.source)
    if opinion is None:
        return None
    because = [opinion.reason] if opinion.reason else []
    return _Judgement(opinion.verdict, ["backend_type"], because, opinion)


def _judge(clause: Clause, result: ProbeResult) -> _Judgement:
    """Return the first violation, else the first doubt, else that the clause holds."""
    for undecidable in _judgements(_FIRST_JUDGES, clause, result):
        return undecidable
    judgements = [*_judgements(_JUDGES, clause, result)]
    open_base = _judge_bases(clause, result)
    if open_base is not None:
        doubtful = {*open_base.members}
        judgements = [each for each in judgements if not doubtful.issuperset(each.members)]
        judgements.append(open_base)
    violated = [each for each in judgements if each.verdict is Verdict.VIOLATED]
    return [*violated, *judgements, _Judgement(Verdict.OK)][0]


def _judgements(
    judges: Iterable[_Judge], clause: Clause, result: ProbeResult
) -> Iterator[_Judgement]:
    for judge in judges:
        judgement = judge(clause, result)
        if judgement is not None:
            yield judgement


def _judge_bases(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge the members of a clause that come from a base which the source leaves open."""
    source = result.target.source
    undecided = {member: why_undecided(source, member) for member in clause.members}
    if "__init__" in undecided:  # instances are complete if they have all other members
        others = [member for each in in_layer("S") for member in each.members]
        undecided["__init__"] = next(filter(None, (why_undecided(source, m) for m in others)), None)
    reasons = {member: reason for member, reason in undecided.items() if reason is not None}
    if not reasons:
        return None
    return _Judgement(Verdict.UNCHECKED, [*reasons], [*reasons.values()])


def _judge_class_decorators(clause: Clause, result: ProbeResult) -> _Judgement | None:
    nothing = returns_nothing(result.target.source)
    if nothing is None:
        return None
    reason = f"the class decorator `@{nothing}` returns nothing"
    verdict = Verdict.VIOLATED if "__init__" in clause.members else Verdict.UNCHECKED
    return _Judgement(verdict, clause.members, [reason])


def _judge_class_name(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause if the name of the class may mean something else to the checker."""
    source = result.target.source
    retyped = retyping_decorator(source) if result.checker in _FOLLOW_DECORATORS else None
    is_other = reads_other_class(source, result.checker)
    if retyped is None and not is_other:
        return None
    judges = (_judge_opinions, _judge_bodies, _judge_never, _judge_construction)
    for judgement in _judgements(judges, clause, result):
        if judgement.verdict is Verdict.VIOLATED:
            return judgement
    if not is_other:
        reason = f"{result.checker} sees what the class decorator `@{retyped}` declares"
        return _Judgement(Verdict.UNCHECKED, clause.members, [reason])
    lines = ", ".join(str(each.lineno) for each in source.definitions(type_checking=True))
    reason = f"defined on lines {lines}; {result.checker} may not pick the one that Python does"
    advice = f"Rename the other definitions of `{source.node.name}`."
    return _Judgement(Verdict.UNCHECKED, clause.members, [reason], advice=advice)


def _judge_generated(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a constructor that the checker takes for another one, which a decorator generates."""
    source = result.target.source
    if "__init__" not in clause.members or not _is_reported(clause, "__init__", result):
        return None
    if (
        (result.checker == "zuban" and constructors.replaces_generated(source))
        or (result.checker in ("pyright", "ty", "zuban") and _has_fields_of_attrs(source))
        or (result.checker == "mypy" and fields.has_fields_with_defaults(source))
    ):
        reason = f"{result.checker} takes the constructor for a generated one with other parameters"
        return _doubt("__init__", reason)
    return None


def _has_fields_of_attrs(source: ClassSource) -> bool:
    return fields.has_classic_fields(source) or fields.has_decorated_defaults(source)


def _judge_decorators(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by decorators that have no type: some checkers ignore them."""
    for member in clause.members:
        match result.target.source.find(member):
            case (owner, ast.FunctionDef() as function) if nothing := returns_nothing(
                owner, function
            ):
                return _violation(member, f"the decorator `@{nothing}` returns nothing")
            case _:
                pass
        decorator = signatures.unknown_decorator(result.target.source, member)
        if decorator is not None:
            reason = f"the decorator `@{decorator}` of `{member}` has no type"
            advice = (
                f"Annotate `{decorator}`, such as `(function: Callable[P, R]) -> Callable[P, R]` "
                f"with a ParamSpec `P`; annotate `{member}` as well."
            )
            return _doubt(member, reason)._replace(advice=advice)
    return None


def _judge_never(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by methods that never do what their annotations say."""
    source = result.target.source
    for member in clause.members:
        if signatures.never_returns(source, member) and not _may_always_raise(member, result):
            return _violation(member, f"`{member}` never returns")
    return None


def _may_always_raise(member: str, result: ProbeResult) -> bool:
    """Return whether *member* may raise in every call, as in a backend that takes no settings."""
    return (
        member == "register_config"
        and signatures.always_raises(result.target.source, member, "NotImplementedError")
        is not False
    )


def _judge_probe(clause: Clause, result: ProbeResult) -> _Judgement | None:
    verdict, marks = _decide(clause, result)
    if verdict is Verdict.VIOLATED:
        because = [reason for mark in marks for reason in _why_violated(mark, result)]
        if not _is_sure_of_bases(marks, result):
            verdict = Verdict.UNCHECKED
        return _Judgement(verdict, [mark.member for mark in marks], because)
    return _unchecked(marks, result)


def _is_sure_of_bases(marks: Sequence[Mark], result: ProbeResult) -> bool:
    """Return whether the checker takes the same bases as Python, as far as *marks* need them."""
    source = result.target.source
    return not source.has_guarded_base or any(mark.member in source.in_body for mark in marks)


def _decide(clause: Clause, result: ProbeResult, without: Sequence[Mark] = ()) -> Decision:
    """Decide a clause by the marks that the source of the class does not explain."""
    decision = decide(clause, result.errors, without)
    explained = [mark for mark in decision.marks if _is_explained(mark, result)]
    return _decide(clause, result, [*without, *explained]) if explained else decision


def _is_explained(mark: Mark, result: ProbeResult) -> bool:
    """Return whether the source shows why nothing was reported at *mark*."""
    source = result.target.source
    if mark.kind == "defined" and mark.member == "__init__":
        abstract = abstract_members(source)
        return not abstract.certain and not abstract.is_open
    if _opinion(mark.member, mark.clause, result) is not None:
        return True
    return mark.kind != "defined" and _is_explained_by_member(mark, result)


def _is_explained_by_member(mark: Mark, result: ProbeResult) -> bool:
    source = result.target.source
    if members.is_guarded_and_ours(source, mark.member):
        return True
    if mark.kind == "use" and _is_taken_for_method(mark.member, result):
        return True
    if mark.part == "arguments":
        return signatures.is_plain(source, mark.member)
    if mark.part.startswith("parameter"):
        # A parameter of type `object` accepts an Opaque without being `Any`.
        return members.accepts_everything(source, mark.member, mark.part)
    explain = _EXPLANATIONS.get(mark.member)
    return explain is not None and explain(mark, result)


def _explains_construction(mark: Mark, result: ProbeResult) -> bool:
    source = result.target.source
    if mark.kind == "typed":
        return has_unresolved_base(result.errors)  # what that may hide is judged by its members
    if mark.kind == "returns":
        return False
    # mypy reports a type variable that would take every argument.
    is_untyped = mark.part == "result" and has_untyped_factory(source)
    return is_untyped or signatures.takes_anything(source, mark.member)


def _explains_registration(mark: Mark, result: ProbeResult) -> bool:
    """Return whether ``register_config`` always raises, as it does if there are no settings."""
    source = result.target.source
    if mark.kind == "use":
        return False
    raises = signatures.always_raises(source, mark.member, "NotImplementedError")
    never = signatures.never_returns(source, mark.member)
    return never and raises is not False and (raises is True or mark.kind == "returns")


def _judge_source(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by the source of the class: checkers believe a wrong declaration."""
    for member in clause.members:
        if _opinion(member, clause.id, result) is not None:
            continue
        judgement = _judge_member(member, clause, result)
        if judgement is not None:
            return judgement
    return None


def _judge_callable_attribute(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a declared ``Callable`` that the checker takes for a method."""
    source = result.target.source
    for member in clause.members:
        if _is_taken_for_method(member, result) and _is_reported(clause, member, result):
            returned = signatures.result_of_attribute(source, member)
            if returned not in _RESULTS.get(member, ("None",)):
                reason = f"{result.checker} takes the attribute `{member}` for a method"
                return _doubt(member, reason)
    return None


def _is_taken_for_method(member: str, result: ProbeResult) -> bool:
    if result.checker != "zuban" or member not in POSITIONAL:
        return False
    number = signatures.parameters_of_attribute(result.target.source, member)
    return number == POSITIONAL[member]


def _is_reported(clause: Clause, member: str, result: ProbeResult) -> bool:
    return any(
        mark.clause == clause.id and mark.member == member and mark.line in result.errors
        for mark in MARKS
        if mark.kind == "use"
    )


def _judge_construction(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge the constructor by its source: checkers believe that it makes complete instances."""
    if "__init__" not in clause.members:
        return None
    source = result.target.source
    opinion = abstract_opinion(source)
    if opinion is not None:
        advice = "Define all members in the class body."
        return _Judgement(opinion.verdict, ["__init__"], [opinion.reason], opinion, advice)
    defect = constructors.find_defect(source)
    doubt = why_incomplete(source) if defect is None else None
    return _doubt("__init__", doubt) if doubt else _of_defect("__init__", defect)


def _judge_missing_flag(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge the flag by the paths of the constructor: checkers believe an assignment anywhere."""
    if clause.members != ("is_started",):
        return None
    return _of_defect("is_started", constructors.find_missing(result.target.source, "is_started"))


def _judge_unions(clause: Clause, result: ProbeResult) -> _Judgement | None:
    """Judge a clause by unions with ``Any``: a checker may ignore that part of a union."""
    marks = typed_marks(clause)
    parts = dict.fromkeys((mark.member, mark.part) for mark in marks)
    loose = [part for part in parts if _is_loose(*part, clause, result)]
    return _unchecked([mark for mark in marks if (mark.member, mark.part) in loose], result)


def _is_loose(member: str, part: str, clause: Clause, result: ProbeResult) -> bool:
    source = result.target.source
    if signatures.is_overloaded(source, member) or _opinion(member, clause.id, result):
        return False
    if part == "arguments":
        return signatures.has_gradual_parameters(source, member)
    if part.startswith("parameter") and signatures.has_gradual_parameters(source, member):
        return True
    return members.contains_any(source, member, part) or (
        not part.startswith("parameter") and signatures.is_chosen_by_caller(source, member)
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
        return _doubt(member, reason)
    on_class = clause.id == "BC102"
    if members.lacks_value(source, member, on_class=on_class):
        holder = "the class" if on_class else "an instance"
        return _violation(member, f"`{member}` is declared, but {holder} has no value for it")
    if member == "__init__" and members.is_protocol(source):
        return _violation(member, "the class is a Protocol, which cannot be instantiated")
    return None


def _why_violated(mark: Mark, result: ProbeResult) -> list[str]:
    if mark.kind == "defined" and mark.member != "__init__":
        return [f"`{mark.member}` is abstract, and the class does not define it"]
    if mark.kind == "returns":
        return [f"`{mark.member}` never returns"]
    # The probe instantiates a subclass, whose name means nothing to the reader.
    name = result.target.source.node.name
    messages = result.errors[mark.line]
    return [f"{result.checker}: {text.replace('CompleteTarget', name)}" for text in messages]


def _why_untyped(mark: Mark, result: ProbeResult) -> str:
    """Return the reason why a part of a member is ``Any``, if the source shows it."""
    source = result.target.source
    if mark.kind == "doubt":
        return f"{result.checker} sees that the class makes instances of another one"
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


_FIRST_JUDGES = (_judge_class_decorators, _judge_class_name, _judge_decorators, _judge_generated)
"""Those that decide a clause before the probe counts."""
_JUDGES = (
    _judge_opinions,
    _judge_bodies,
    _judge_never,
    _judge_probe,
    _judge_source,
    _judge_unions,
    _judge_callable_attribute,
    _judge_construction,
    _judge_missing_flag,
)
_EXPLANATIONS = {"__init__": _explains_construction, "register_config": _explains_registration}
"""The members for which something else than types explains why nothing was reported."""
_RETURNED = {"backend_type": "a `str`", "is_started": "a `bool`", "start_lock": "a context manager"}
"""The result that a member must have; that of the others is ``None``."""
_NAMES = {"BC103": name_opinion, "BC104": own_name_opinion}
"""The clauses that no type shows, and the functions that read the source for them."""
_FOLLOW_DECORATORS = ("pyright", "ty")
"""Checkers for which the name of a decorated class means the result of the decorator."""
_RESULTS = {"start_lock": ("AbstractContextManager", "ContextManager")}
"""The names of the types that a member may return, if not ``None``."""
