"""The result of calling a class, which its metaclass and its ``__new__`` decide."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction.execution import State, Walker
from backend_contract._conformance.source.definitions import definition_of, unquoted
from backend_contract._conformance.source.evaluation.fitness import call_problem
from backend_contract._conformance.source.evaluation.kinds import ancestor_names
from backend_contract._conformance.source.members import base_names
from backend_contract._conformance.source.parsing import (
    Function,
    is_none,
    is_stub,
    is_super,
    last_part,
    nodes_of,
    returns_of,
    unparse,
)
from backend_contract._conformance.source.signatures import is_type_variable

_ORDINARY_METACLASSES = {"ABCMeta", "type", "_ProtocolMeta"}


class Defect(NamedTuple):
    """A reason why instances are incomplete, or are not known to be complete."""

    is_certain: bool
    reason: str
    advice: str = ""
    """How to fix it, if the reason does not tell."""


def of_metaclass(source: ClassSource) -> Defect | None:
    """Judge the metaclass, if its ``__call__`` makes the instances."""
    found = metaclass_of(source)
    if found is None:
        return None
    expression, owner = found
    metaclass = owner.class_named(expression)
    if metaclass is None:
        return Defect(False, f"the metaclass `{unparse(expression)}` cannot be followed")
    # The metaclass of a Protocol derives from `ABCMeta`, and has to be derived from.
    is_protocol = any("Protocol" in base_names(cls) for cls in source.known_lineage)
    if is_protocol and ancestor_names(metaclass) <= {"abc.ABCMeta", "builtins.type"}:
        return Defect(True, f"the metaclass `{metaclass.node.name}` conflicts with that of a base")
    call = method_of(metaclass, "__call__")
    if call is None:
        return None
    problem = call_problem("__call__", call[1].args, is_bound=False)
    if problem is not None and not call[1].decorator_list:
        return Defect(True, f"`{metaclass.node.name}.__call__` has other parameters: {problem}")
    return _of_factory(source, *call, f"`{metaclass.node.name}.__call__`")


def of_new(source: ClassSource) -> Defect | None:
    """Judge the ``__new__`` of the class, if it has one."""
    new = method_of(source, "__new__")
    if new is None:
        return None
    name = f"`{new[0].node.name}.__new__`"
    problem = call_problem("__new__", new[1].args, is_bound=False)
    if problem is not None and not new[1].decorator_list and metaclass_of(source) is None:
        return Defect(True, f"{name} has other parameters: {problem}")
    if _passes_arguments_to_object(source, *new):
        return Defect(True, f"{name} passes arguments to `object.__new__`, which takes none")
    return _of_factory(source, *new, name)


def has_untyped_factory(source: ClassSource) -> bool:
    """Return whether what calling the class returns is decided by an unannotated function."""
    found = metaclass_of(source)
    metaclass = found and found[1].class_named(found[0])
    factories = [method_of(source, "__new__")]
    if metaclass is not None:
        factories.append(method_of(metaclass, "__call__"))
    return any(each is not None and each[1].returns is None for each in factories)


def metaclass_of(source: ClassSource) -> tuple[ast.expr, ClassSource] | None:
    """Return the metaclass of the class and the class that names it, unless it is ordinary."""
    for cls in source.known_lineage:
        for keyword in cls.node.keywords:
            if keyword.arg == "metaclass":
                value = keyword.value
                if isinstance(value, ast.Call) and unparse(value.func) == "type":
                    continue  # that of another class
                if last_part(value) not in _ORDINARY_METACLASSES:
                    return value, cls
    return None


def method_of(source: ClassSource, name: str) -> tuple[ClassSource, Function] | None:
    """Return the nearest definition of a method in the lineage, and its class."""
    return first_method(source.known_lineage, name)


def first_method(
    lineage: Iterable[ClassSource | None], name: str
) -> tuple[ClassSource, Function] | None:
    """Return the first definition of a method in some classes, and its class."""
    for cls in lineage:
        statement = cls and cls.in_body.get(name)
        if cls and isinstance(statement, Function):
            return cls, statement
    return None


def _passes_arguments_to_object(
    source: ClassSource, owner: ClassSource, function: Function
) -> bool:
    """Return whether a ``__new__`` returns ``object.__new__(cls, config)``, which raises."""
    behind = source.lineage[source.lineage.index(owner) + 1 :]
    is_last = all(cls and "__new__" not in cls.in_body for cls in behind)
    for statement in function.body:
        match statement if isinstance(statement, ast.Return | ast.Assign) else None:
            case ast.AST(
                value=ast.Call(func=ast.Attribute(value=base, attr="__new__"), args=[_, _, *_])
            ) if unparse(base) == "object" or (is_last and is_super(base)):
                return True
            case _:
                pass
    return False


def _of_factory(
    source: ClassSource, owner: ClassSource, function: Function, name: str
) -> Defect | None:
    """Judge a ``__new__`` or ``__call__`` by what it returns, and else by its annotation."""
    returned = [each.value for each in returns_of(function)]
    if not returned and not is_stub(function):
        if Walker(source).run(owner, function, State(), set()) is None:
            return Defect(True, f"{name} always raises")
        return Defect(True, f"{name} returns nothing")
    kinds = {_kind(value, owner, function) for value in returned}
    if "other" in kinds:
        return Defect(True, f"{name} returns something other than an instance")
    if kinds == {"instance"} or _returns_instance(function, owner, source):
        return None
    if _is_builtin(function.returns, owner):
        return Defect(True, f"{name} returns something other than an instance")
    return Defect(False, f"{name} may return something other than an instance")


def _kind(value: ast.expr | None, owner: ClassSource, function: Function) -> str:
    """Return whether a value is an ``instance``, some ``other`` object, or ``unknown``."""
    match value:
        case None | ast.Constant() | ast.JoinedStr() | ast.Dict() | ast.List() | ast.Tuple():
            return "other"
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute == function.name:
            return "instance"
        case ast.Call(func=callee) if _is_builtin(callee, owner):
            return "other"
        case ast.Name(id=variable):
            kinds = {_kind(each, owner, function) for each in _values(variable, function)}
            return "instance" if kinds == {"instance"} else "unknown"
        case _:
            return "unknown"


def _values(variable: str, function: Function) -> Iterator[ast.expr]:
    """Yield the values that *function* assigns to a variable, unless they name variables."""
    for node in nodes_of(function):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name == variable and not isinstance(value, ast.Name):
                yield value
            case _:
                pass


def _is_builtin(expression: ast.expr | None, owner: ClassSource) -> bool:
    if is_none(expression):
        return True
    found = expression and definition_of(expression, owner)
    if not found or not found.name.startswith("builtins."):
        return False
    return isinstance(getattr(builtins, found.name.rpartition(".")[2], None), type)


def _returns_instance(function: Function, owner: ClassSource, source: ClassSource) -> bool:
    if function.returns is None:
        return False
    annotated = unquoted(function.returns)
    found = definition_of(annotated, owner)
    if found is not None and found.name.rpartition(".")[2] == "Self":
        return function.name == "__new__"
    if is_type_variable(annotated, owner, function):
        return True
    return found is not None and found.statement is source.node
