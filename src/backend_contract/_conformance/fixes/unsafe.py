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
from backend_contract._conformance.source.modules import ClassSource
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
        return plan(define(source, member, refuses), clause.id)

    return carry_out(
        partial(carry_out_plan, plan, member)
        for member in clause.members
        if source.find(member) is not None
        for plan in _PLANS.get(clause.id, ())
    )


def _make_synchronous(definition: Definition, clause: str) -> list[Edit]:
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
    return [definition.edit(clause, EditKind.SYNCHRONOUS)]


def _rename(definition: Definition, clause: str) -> list[Edit]:
    function = definition.statement
    if not isinstance(function, Function):
        return []
    parameters = [parameter for parameter, _ in parameters_of(function)[:2]]
    if len(parameters) < 2:
        return []
    passed = {
        keyword.arg
        for node in ast.walk(definition.owner.module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f".{_HANDLER}")
        for keyword in node.keywords
    }
    edits: list[Edit] = []
    for parameter, new in zip(parameters, _PARAMETERS, strict=True):
        old = parameter.arg
        if old != new:
            if old in passed:
                raise CannotFixError(f"a call of `{_HANDLER}` passes `{old}` by name")
            _require_renamable(function, parameter, new)
            edits.append(definition.edit(clause, EditKind.RENAME, old, Annotation(new)))
    return edits


def _require_renamable(function: Function, parameter: ast.arg, new: str) -> None:
    old = parameter.arg
    scopes = (Function, ast.Lambda, ast.ClassDef, ast.comprehension)
    inside = {
        node
        for scope in ast.walk(function)
        if isinstance(scope, scopes) and scope is not function
        for node in ast.walk(scope)
    }
    for node in ast.walk(function):
        names = _names_in_scope(node)
        if new in names:
            raise CannotFixError(f"`{_HANDLER}` uses the name `{new}` already")
        # A name that a nested scope assigns is another variable there.
        is_use = isinstance(node, ast.Name) and not (
            isinstance(node.ctx, ast.Store) and node in inside
        )
        if old in names and not is_use and node is not parameter:
            raise CannotFixError(f"`{_HANDLER}` binds the name `{old}` twice")
        if isinstance(node, ast.Name) and node.id in _LOOKS_UP_NAMES:
            raise CannotFixError(f"`{_HANDLER}` may look up its parameters by name")


def _names_in_scope(node: ast.AST) -> set[object]:
    """Return the names that a node uses or binds in its scope."""
    if isinstance(node, ast.keyword):
        return set()
    if isinstance(node, ast.alias):
        return {bound_by_import(node)}
    fields = dict(ast.iter_fields(node))
    return {*map(fields.get, ("id", "arg", "name", "rest")), *fields.get("names", ())}


def _give_default(definition: Definition, clause: str) -> list[Edit]:
    function = definition.statement
    if not isinstance(function, Function) or definition.member != "__init__":
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
    return [definition.edit(clause, EditKind.DEFAULT, config.arg, annotation)]


def _needs_a_value(function: Function, name: str) -> bool:
    """Return whether the body uses *name* in a way that ``None`` breaks, and never tests it."""
    used = False
    for node in ast.walk(function):
        match node:
            case ast.BoolOp(values=[ast.Name(id=tested), *_]) if tested == name:
                return False
            case ast.If(test=test) | ast.IfExp(test=test) if _mentions(test, name):
                return False
            case ast.Attribute(value=ast.Name(id=each)) | ast.Subscript(value=ast.Name(id=each)):
                used |= each == name
            case ast.Starred(value=ast.Name(id=each)) | ast.For(iter=ast.Name(id=each)):
                used |= each == name
            case ast.keyword(arg=None, value=ast.Name(id=each)):
                used |= each == name
            case ast.Call(func=callee, args=arguments):
                # Only a constructor of the base class is known to accept None.
                is_super = ast.unparse(callee).endswith(".__init__")
                used |= not is_super and any(_mentions(a, name) for a in arguments)
            case ast.Compare(comparators=operands):
                used |= any(_mentions(operand, name) for operand in operands)
            case _:
                pass
    return used


def _mentions(expression: ast.expr, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(expression))


def _call_super(definition: Definition, clause: str) -> list[Edit]:
    """Call the constructor of ``BackendBase`` if that is the next one, and nothing reaches it."""
    function, owner = definition.statement, definition.owner
    if not isinstance(function, Function) or definition.member != "__init__":
        return []
    bases = (cls for cls in owner.lineage[1:] if cls is None or "__init__" in cls.in_body)
    following = next(bases, None)
    if following is None or following.module.name != "backend_contract.base":
        return []
    if _reaches_a_constructor(owner):
        return []
    parameters = parameters_of(function)
    argument = parameters[0][0].arg if parameters else ""
    return [definition.edit(clause, EditKind.SUPER, annotation=Annotation(argument))]


def _reaches_a_constructor(owner: ClassSource) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "__init__" for node in ast.walk(owner.node)
    )


def _write_in_upper_case(definition: Definition, clause: str) -> list[Edit]:
    match getattr(definition.statement, "value", None):
        case ast.Constant(value=str(text)) if text.strip() == text and text.upper() != text:
            return [definition.edit(clause, EditKind.UPPER_CASE, text, Annotation(text.upper()))]
        case _:
            return []


_Plan = Callable[[Definition, str], "list[Edit]"]
_PLANS: dict[str, tuple[_Plan, ...]] = {
    "BC103": (_write_in_upper_case,),
    "BC201": (_give_default, _call_super),
    "BC202": (_make_synchronous,),
    "BC309": (_make_synchronous,),
    "BC401": (_make_synchronous,),
    "BC501": (_make_synchronous, _rename),
}
