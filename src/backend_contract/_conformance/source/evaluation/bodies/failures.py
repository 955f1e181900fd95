"""Statements of a method that every call runs, and that always raise."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from functools import lru_cache

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction.execution import takes
from backend_contract._conformance.source.evaluation.assignments import to_class, to_instance
from backend_contract._conformance.source.evaluation.fitness import Opinion
from backend_contract._conformance.source.evaluation.inference import next_after
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.modules import Module
from backend_contract._conformance.source.parsing import (
    Function,
    bound_by_import,
    children,
    decorator_names,
    first_parameter,
    unparse,
    walk,
)

_SEPARATE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BINDING_OTHERS = {"builtins", "exec", "eval", "globals", "locals", "vars", "__import__"}


def failure_of(function: Function, at: Context) -> Opinion | None:
    """Return the opinion on the first statement that every call runs and that always raises."""
    for statement in _certain(function.body):
        for node in _evaluated(statement):
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


def _evaluated(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes that a statement evaluates in any case."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.IfExp(test=first) | ast.BoolOp(values=[first, *_]):
                waiting.append(first)
            case ast.Compare(left=left, comparators=[second, *_]):
                waiting += [left, second]
            case _ if not isinstance(node, _SEPARATE):
                waiting += children(node)
            case _:
                pass


def _failure(node: ast.AST, at: Context) -> tuple[Verdict, str] | None:
    """Return the verdict on what always raises, and the reason."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if _is_bound_nowhere(name, at.module):
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


# ---- names


def _is_bound_nowhere(name: str, module: Module) -> bool:
    """Return whether no scope but the bodies of classes, which methods skip, binds a name."""
    if hasattr(builtins, name) or name.startswith("__") or not name.isidentifier():
        return False
    bound = _names_bound(module)
    return name != "_" and name not in bound and not _may_bind_others(module)


@lru_cache(maxsize=256)
def _may_bind_others(module: Module) -> bool:
    """Return whether a module may get names that its statements do not show."""
    names = {node.id for node in walk(module.tree) if isinstance(node, ast.Name)}
    imports_builtins = "builtins" in module.bindings
    return bool(
        module.star_imports
        or imports_builtins
        or "modules" in module.attributes
        or names & _BINDING_OTHERS
    )


@lru_cache(maxsize=256)
def _names_bound(module: Module) -> frozenset[str]:
    """Return the names that the module and its functions bind, wherever that is.

    Imports in class bodies count: they often guard one of several methods.
    """
    found: set[str] = set()
    waiting: list[tuple[ast.AST, bool]] = [(module.tree, False)]
    while waiting:
        node, is_in_class = waiting.pop()
        if not is_in_class or isinstance(node, ast.alias):
            found |= _bound_by(node)
        is_class = isinstance(node, ast.ClassDef)
        inherits = is_in_class and not isinstance(node, Function)
        waiting += [(each, is_class or inherits) for each in children(node)]
    return frozenset(found)


def _bound_by(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return {name}
        case ast.alias():
            return {bound_by_import(node)}
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return {*names}
        case _:  # a function, a class, a type parameter, a pattern, or a handler of exceptions
            return {str(getattr(node, each, "")) for each in ("name", "rest")}
