"""Edits that may change behaviour, for violated findings."""

from __future__ import annotations

import ast
from collections.abc import Callable

from backend_contract._conformance.fixes.annotations import Annotation, CannotSpellError, optional
from backend_contract._conformance.fixes.model import Edit, EditKind
from backend_contract._conformance.fixes.plan import (
    CannotFixError,
    Definition,
    Refuses,
    define,
    parameters_of,
)
from backend_contract._conformance.fixes.returns import awaits
from backend_contract._conformance.results import Finding
from backend_contract._conformance.source.modules import ClassSource, Function

__all__ = ["plan_behaviour"]

_HANDLER = "handle_runtime_context"
_NAMES = ("model_id", "runtime_context")
_LOOKS_UP_NAMES = {"dir", "eval", "exec", "locals", "vars"}
_KEEPS_ASYNC = {"abstractmethod", "final", "override"}


def plan_behaviour(
    finding: Finding, source: ClassSource, refuses: Refuses
) -> tuple[list[Edit], list[str]]:
    """Return the edits for a violated finding, and the reasons why others are not possible."""
    edits: list[Edit] = []
    reasons: list[str] = []
    for member in finding.clause.members:
        if source.find(member) is None:
            continue
        for plan in _PLANS.get(finding.clause.id, ()):
            try:
                edits += plan(define(source, member, refuses), finding.clause.id, source)
            except (CannotFixError, CannotSpellError) as reason:
                reasons.append(str(reason))
    return edits, list(dict.fromkeys(reasons))


def _make_synchronous(definition: Definition, clause: str, _: ClassSource) -> list[Edit]:
    function, member = definition.statement, definition.member
    if not isinstance(function, ast.AsyncFunctionDef):
        return []
    if awaits(function):
        raise CannotFixError(f"`{member}` awaits something, or yields")
    decorators = {ast.unparse(d).rpartition(".")[2] for d in function.decorator_list}
    if decorators - _KEEPS_ASYNC:
        raise CannotFixError(f"`{member}` has a decorator")
    for node in ast.walk(definition.owner.module.tree):
        match node:
            case ast.Await(value=ast.Call(func=ast.Attribute(attr=name))) if name == member:
                raise CannotFixError(f"line {node.lineno} awaits `{member}`")
            case _:
                pass
    return [definition.edit(clause, EditKind.SYNCHRONOUS)]


def _rename(definition: Definition, clause: str, _: ClassSource) -> list[Edit]:
    function = definition.statement
    if not isinstance(function, Function):
        return []
    parameters = [parameter.arg for parameter, _ in parameters_of(function)[:2]]
    if len(parameters) < 2:
        return []
    edits: list[Edit] = []
    for old, new in zip(parameters, _NAMES, strict=True):
        if old != new:
            _require_renamable(function, old, new)
            edits.append(definition.edit(clause, EditKind.RENAME, old, Annotation(new)))
    return edits


def _require_renamable(function: Function, old: str, new: str) -> None:
    own = {id(each) for each in ast.walk(function.args) if isinstance(each, ast.arg)}
    for node in ast.walk(function):
        names = _names(node)
        if new in names:
            raise CannotFixError(f"`{_HANDLER}` uses the name `{new}` already")
        is_inner_parameter = isinstance(node, ast.arg) and id(node) not in own
        is_declared = isinstance(node, ast.Global | ast.Nonlocal | ast.ExceptHandler | ast.MatchAs)
        is_defined = isinstance(node, Function | ast.ClassDef | ast.alias)
        if old in names and (is_inner_parameter or is_declared or is_defined):
            raise CannotFixError(f"`{_HANDLER}` binds the name `{old}` twice")
        if isinstance(node, ast.Name) and node.id in _LOOKS_UP_NAMES:
            raise CannotFixError(f"`{_HANDLER}` may look up its parameters by name")
    _require_bound_once(function, old)


def _require_bound_once(function: Function, old: str) -> None:
    """Raise if a nested scope assigns *old*, which then is another variable there."""
    nested = (Function, ast.Lambda, ast.ClassDef, ast.comprehension)
    for scope in ast.walk(function):
        if scope is function or not isinstance(scope, nested):
            continue
        for node in ast.walk(scope):
            if isinstance(node, ast.Name) and node.id == old and isinstance(node.ctx, ast.Store):
                raise CannotFixError(f"`{_HANDLER}` binds the name `{old}` twice")


def _names(node: ast.AST) -> tuple[str, ...]:
    """Return the names that a node uses or binds in its scope."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name):
            return (name,)
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return tuple(names)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return (name,)
        case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
            return (name,)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return (name,)
        case ast.alias(name=name, asname=alias):
            return (alias or name.partition(".")[0],)
        case _:
            return ()


def _give_default(definition: Definition, clause: str, _: ClassSource) -> list[Edit]:
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
            case ast.Call(func=function_, args=arguments):
                # Only a constructor of the base class is known to accept None.
                is_super = ast.unparse(function_).endswith(".__init__")
                used |= not is_super and any(_mentions(a, name) for a in arguments)
            case ast.Compare(comparators=operands):
                used |= any(_mentions(operand, name) for operand in operands)
            case _:
                pass
    return used


def _mentions(expression: ast.expr, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(expression))


def _call_super(definition: Definition, clause: str, _: ClassSource) -> list[Edit]:
    """Call the constructor of ``BackendBase`` if that is the next one, and nothing reaches it."""
    function, owner = definition.statement, definition.owner
    if not isinstance(function, Function) or definition.member != "__init__":
        return []
    following = [cls for cls in owner.lineage[1:] if cls is None or "__init__" in cls.in_body]
    if not following or following[0] is None:
        return []
    if following[0].module.name != "backend_contract.base" or _reaches_a_constructor(owner):
        return []
    parameters = parameters_of(function)
    argument = parameters[0][0].arg if parameters else ""
    return [definition.edit(clause, EditKind.SUPER, annotation=Annotation(argument))]


def _reaches_a_constructor(owner: ClassSource) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "__init__" for node in ast.walk(owner.node)
    )


def _write_in_upper_case(definition: Definition, clause: str, _: ClassSource) -> list[Edit]:
    match definition.statement:
        case (
            ast.Assign(value=ast.Constant(value=str(text)))
            | ast.AnnAssign(value=ast.Constant(value=str(text)))
        ):
            if text.strip() == text and text.upper() != text:
                return [
                    definition.edit(clause, EditKind.UPPER_CASE, text, Annotation(text.upper()))
                ]
        case _:
            pass
    return []


_Plan = Callable[[Definition, str, ClassSource], "list[Edit]"]
_PLANS: dict[str, tuple[_Plan, ...]] = {
    "BC103": (_write_in_upper_case,),
    "BC201": (_give_default, _call_super),
    "BC202": (_make_synchronous,),
    "BC309": (_make_synchronous,),
    "BC401": (_make_synchronous,),
    "BC501": (_make_synchronous, _rename),
}
