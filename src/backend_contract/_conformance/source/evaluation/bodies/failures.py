"""Statements of a method that every call runs, and that always raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction.execution import takes
from backend_contract._conformance.source.construction.undefined import evaluated, is_undefined
from backend_contract._conformance.source.evaluation.assignments import to_class, to_instance
from backend_contract._conformance.source.evaluation.fitness import Opinion
from backend_contract._conformance.source.evaluation.inference import next_after
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.parsing import (
    Function,
    decorator_names,
    first_parameter,
    unparse,
    walk,
)


def failure_of(function: Function, at: Context) -> Opinion | None:
    """Return the opinion on the first statement that every call runs and that always raises."""
    for statement in _certain(function.body):
        for node in evaluated(statement):
            found = _failure(node, at)
            if found is not None:
                verdict, why = found
                reason = f"`{unparse(node)}` always raises: {why}"
                return Opinion(verdict, reason, statement, at.module)
    return None


def _certain(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that every call runs, unless a previous one raises."""
    for statement in body:
        match statement:
            case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.Return():
                yield statement
            case ast.With(items=items, body=inner) if all(
                "lock" in unparse(each.context_expr) for each in items
            ):  # others may suppress what is raised
                yield from _certain(inner)
            case _:
                pass
        if any(isinstance(node, ast.Return | ast.Raise) for node in walk(statement)):
            return


def _failure(node: ast.AST, at: Context) -> tuple[Verdict, str] | None:
    """Return the verdict on what always raises, and the reason."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if is_undefined(name, at):
            return Verdict.VIOLATED, f"nothing binds `{name}`"
        case ast.Call(func=ast.Attribute(value=subject) as called):
            if unparse(subject) == "super()":
                why = _why_rejected(node, called, at)
                return (Verdict.VIOLATED, why) if why else None
            is_own = unparse(subject) in first_parameter(at.function)
            if is_own and at.target and _lacks(at.target, called.attr, at.target.known_lineage):
                return Verdict.UNCHECKED, f"no class in sight defines `{called.attr}`"
            return None
        case _:
            return None


def _why_rejected(call: ast.Call, called: ast.Attribute, at: Context) -> str | None:
    """Return why the next class in the lineage does not take a call."""
    target = at.target
    if target is None or at.cls not in target.known_lineage:
        return None
    following = target.known_lineage[target.known_lineage.index(at.cls) + 1 :]
    if _lacks(target, called.attr, following):
        return f"no base has `{called.attr}`"
    found = next_after(called, at)
    keywords = {each.arg: each for each in call.keywords if each.arg}
    is_starred = any(isinstance(each, ast.Starred) for each in call.args)
    if found is None or is_starred or len(keywords) < len(call.keywords):
        return None
    owner, function = found
    if "property" in decorator_names(function) or takes(function, call.args, keywords):
        return None
    return f"`{called.attr}` of `{owner.node.name}` does not take these arguments"


def _lacks(target: ClassSource, name: str, lineage: Sequence[ClassSource]) -> bool:
    """Return whether none of these classes, and nothing else that is known, gives an attribute."""
    if target.has_unknown_base or hasattr(object, name) or name.startswith("__"):
        return False
    if any(each.scope.is_open or each.node.keywords for each in target.known_lineage):
        return False
    if any(each.node.decorator_list for each in lineage if not each.module.is_ours):
        return False
    names = {name, "__getattr__", "__getattribute__"}
    known = {each for cls in lineage for each in (*cls.in_body, *cls.on_self, *cls.scope.bindings)}
    return names.isdisjoint(known) and not to_class(target, name) and not to_instance(target, name)
