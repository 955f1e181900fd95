"""Edits that may change behaviour, for violated findings."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial

from backend_contract._conformance.fixes.annotations import Annotation, optional
from backend_contract._conformance.fixes.model import CannotFixError, Edit, EditKind
from backend_contract._conformance.fixes.plan import (
    Definition,
    Refuses,
    carry_out,
    define,
    parameters_of,
)
from backend_contract._conformance.fixes.returns import awaits
from backend_contract._conformance.results import Finding
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.parsing import Function, bound_by_import, decorator_names

_HANDLER = "handle_runtime_context"
_PARAMETERS = ("model_id", "runtime_context")
_LOOKS_UP_NAMES = {"dir", "eval", "exec", "locals", "vars"}
_KEEPS_ASYNC = {"abstractmethod", "final", "override"}


def plan_behaviour(
    finding: Finding, source: ClassSource, refuses: Refuses
) -> tuple[list[Edit], list[str]]:
    """Return the edits for a violated finding, and the reasons why others are not possible."""
    clause = finding.clause

    def carry_out_plan(plan: _Plan, member: str) -> list[Edit]:
        return plan(define(source, clause.id, member, refuses))

    return carry_out(
        partial(carry_out_plan, plan, member)
        for member in clause.members
        if source.find(member) is not None
        for plan in _PLANS.get(clause.id, ())
    )


def _make_synchronous(definition: Definition) -> list[Edit]:
    function, member = definition.statement, definition.member
    if not isinstance(function, ast.AsyncFunctionDef):
        return []
    if awaits(function):
        raise CannotFixError(f"`{member}` awaits something, or yields")
    if decorator_names(function) - _KEEPS_ASYNC:
        raise CannotFixError(f"`{member}` has a decorator")
    for node in ast.walk(definition.owner.module.tree):
        if isinstance(node, ast.Await) and f".{member}(" in ast.unparse(node):
            raise CannotFixError(f"line {node.lineno} awaits `{member}`")
    return [definition.edit(EditKind.SYNCHRONOUS)]


def _rename(definition: Definition) -> list[Edit]:
    function = definition.statement
    if not isinstance(function, Function):
        return []
    parameters = [parameter for parameter, _ in parameters_of(function)[:2]]
    if len(parameters) < 2:
        return []
    passed = _keywords_of_calls(definition.owner.module.tree)
    edits: list[Edit] = []
    for parameter, new in zip(parameters, _PARAMETERS, strict=True):
        old = parameter.arg
        if old != new:
            if old in passed:
                raise CannotFixError(f"a call of `{_HANDLER}` passes `{old}` by name")
            _require_renamable(function, parameter, new)
            edits.append(definition.edit(EditKind.RENAME, old, Annotation(new)))
    return edits


def _keywords_of_calls(tree: ast.Module) -> set[str | None]:
    return {
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f".{_HANDLER}")
        for keyword in node.keywords
    }


def _require_renamable(function: Function, parameter: ast.arg, new: str) -> None:
    names = {node: _names_in_scope(node) for node in ast.walk(function)}
    if any(new in each for each in names.values()):
        raise CannotFixError(f"`{_HANDLER}` uses the name `{new}` already")
    uses = _uses_of_variables(function)
    if any(parameter.arg in names[node] for node in names.keys() - uses - {parameter}):
        raise CannotFixError(f"`{_HANDLER}` binds the name `{parameter.arg}` twice")
    if _LOOKS_UP_NAMES & {node.id for node in uses}:
        raise CannotFixError(f"`{_HANDLER}` may look up its parameters by name")


def _uses_of_variables(function: Function) -> set[ast.Name]:
    """Return the names that may be variables of *function* itself.

    A name that a nested scope assigns is another variable there.
    """
    scopes = (Function, ast.Lambda, ast.ClassDef, ast.comprehension)
    inside = {
        node
        for scope in ast.walk(function)
        if isinstance(scope, scopes) and scope is not function
        for node in ast.walk(scope)
    }
    every = (node for node in ast.walk(function) if isinstance(node, ast.Name))
    return {each for each in every if not isinstance(each.ctx, ast.Store) or each not in inside}


def _names_in_scope(node: ast.AST) -> set[object]:
    """Return the names that a node uses or binds in its scope."""
    if isinstance(node, ast.keyword):
        return set()
    if isinstance(node, ast.alias):
        return {bound_by_import(node)}
    fields = dict(ast.iter_fields(node))
    return {*map(fields.get, ("id", "arg", "name", "rest")), *fields.get("names", ())}


def _give_default(definition: Definition) -> list[Edit]:
    function = definition.statement
    if not isinstance(function, Function):
        return []
    parameters = parameters_of(function)
    if not parameters or parameters[0][1] is not None:
        return []
    config = parameters[0][0]
    if any(default is None for _, default in parameters[1:]):
        raise CannotFixError("`__init__` requires further parameters")
    if _needs_a_value(function, config.arg):
        raise CannotFixError(f"`__init__` uses `{config.arg}` without asking whether it is `None`")
    annotation = Annotation("")
    if config.annotation is not None:
        annotation = optional(config.annotation, definition.place)
    return [definition.edit(EditKind.DEFAULT, config.arg, annotation)]


def _needs_a_value(function: Function, name: str) -> bool:
    """Return whether the body uses *name* in a way that ``None`` breaks, and never tests it."""
    nodes = [*ast.walk(function)]
    return not any(_tests(node, name) for node in nodes) and any(
        _breaks_with_none(node, name) for node in nodes
    )


def _tests(node: ast.AST, name: str) -> bool:
    match node:
        case ast.BoolOp(values=[ast.Name(id=tested), *_]):
            return tested == name
        case ast.If(test=test) | ast.IfExp(test=test):
            return _mentions(test, name)
        case _:
            return False


def _breaks_with_none(node: ast.AST, name: str) -> bool:
    match node:
        case (
            ast.Attribute(value=ast.Name(id=used))
            | ast.Subscript(value=ast.Name(id=used))
            | ast.Starred(value=ast.Name(id=used))
            | ast.For(iter=ast.Name(id=used))
            | ast.keyword(arg=None, value=ast.Name(id=used))
        ):
            return used == name
        case ast.Call(func=callee, args=operands):
            # Only a constructor of the base class is known to accept None.
            is_super = ast.unparse(callee).endswith(".__init__")
            return not is_super and any(_mentions(each, name) for each in operands)
        case ast.Compare(comparators=operands):
            return any(_mentions(each, name) for each in operands)
        case _:
            return False


def _mentions(expression: ast.expr, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(expression))


def _call_super(definition: Definition) -> list[Edit]:
    """Call the constructor of ``BackendBase`` if that is the next one, and nothing reaches it."""
    function, owner = definition.statement, definition.owner
    if not isinstance(function, Function):
        return []
    bases = (cls for cls in owner.lineage[1:] if cls is None or "__init__" in cls.in_body)
    following = next(bases, None)
    if following is None or following.module.name != "backend_contract.base":
        return []
    if _reaches_a_constructor(owner):
        return []
    parameters = parameters_of(function)
    argument = parameters[0][0].arg if parameters else ""
    return [definition.edit(EditKind.SUPER, annotation=Annotation(argument))]


def _reaches_a_constructor(owner: ClassSource) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "__init__" for node in ast.walk(owner.node)
    )


def _write_in_upper_case(definition: Definition) -> list[Edit]:
    match getattr(definition.statement, "value", None):
        case ast.Constant(value=str(text)) if text.strip() == text and text.upper() != text:
            return [definition.edit(EditKind.UPPER_CASE, text, Annotation(text.upper()))]
        case _:
            return []


_Plan = Callable[[Definition], "list[Edit]"]
_PLANS: dict[str, tuple[_Plan, ...]] = {
    "BC103": (_write_in_upper_case,),
    "BC201": (_give_default, _call_super),
    "BC202": (_make_synchronous,),
    "BC309": (_make_synchronous,),
    "BC401": (_make_synchronous,),
    "BC501": (_make_synchronous, _rename),
}
