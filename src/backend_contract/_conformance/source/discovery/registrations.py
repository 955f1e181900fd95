"""The classes that a module gives to the ``register`` of a ``BackendRegistry``."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from backend_contract._conformance.source.classes import ClassSource, ModuleFinder
from backend_contract._conformance.source.definitions import unquoted
from backend_contract._conformance.source.modules import (
    Module,
    bound_names,
    iter_statements,
    origin_of_name,
)
from backend_contract._conformance.source.parsing import (
    Function,
    all_statements,
    inner_nodes,
    unparse,
    walk,
)
from backend_contract.errors import CouldNotCheckError

_REGISTRY_MODULE = "backend_contract.registry"
_FUNCTIONS = {"backend_contract.integrations.caikit.register"}
_MAX_STEPS = 20
"""How many assignments, imports and annotations lead from a name to a registry at most."""

_Binding: TypeAlias = ast.stmt | ast.arg


def registered_classes(module: Module, finder: ModuleFinder) -> Iterator[ClassSource]:
    """Yield the classes that *module* registers, by a decorator or by a call, in any scope.

    The registry may have any name: the source has to show that it is one, by an assignment, an
    annotation, an import or an attribute of a class.
    """
    search = _Search(finder)
    for node, place in _in_places(module.tree):
        if isinstance(node, ast.Call):
            for function, given in _calls_with_classes(node):
                scope = _scope_of(place, module, finder)
                if search.is_register(function, scope):
                    yield from search.classes_named(given, scope)
        elif node.decorator_list:
            scope = _scope_of(place, module, finder)
            if any(search.is_register(each, scope) for each in node.decorator_list):
                yield finder.class_of(module, node)


@dataclass(frozen=True, kw_only=True)
class _Scope:
    """The names that a module or a function binds."""

    module: Module
    names: dict[str, _Binding]
    outer: _Scope | None = None
    self_class: ClassSource | None = None
    """The class that a method belongs to."""
    loops: dict[str, list[ast.expr]] = field(default_factory=dict[str, list[ast.expr]])
    """The values that a variable takes in a ``for`` over a display."""

    def find(self, name: str) -> tuple[_Binding, _Scope] | None:
        if name in self.names:
            return self.names[name], self
        return self.outer.find(name) if self.outer else None


@lru_cache(maxsize=1024)
def _module_scope(module: Module) -> _Scope:
    return _Scope(module=module, names=dict(module.bindings), loops=_loops(module.statements))


class _Place(NamedTuple):
    """The nearest class or function around a node."""

    node: ast.ClassDef | Function
    outer: _Place | None


def calls_in(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield all calls of a module."""
    return (node for node, _ in _in_places(tree) if isinstance(node, ast.Call))


@lru_cache(maxsize=1024)
def _in_places(tree: ast.Module) -> Sequence[tuple[ast.ClassDef | ast.Call, _Place | None]]:
    """Return all classes and calls of a module, each with the place it stands in."""
    found: list[tuple[ast.ClassDef | ast.Call, _Place | None]] = []
    waiting: list[tuple[ast.AST, _Place | None]] = [(tree, None)]
    while waiting:
        node, place = waiting.pop()
        if isinstance(node, ast.ClassDef | ast.Call):
            found.append((node, place))
        if isinstance(node, ast.ClassDef | Function):
            place = _Place(node, place)
        waiting += [(each, place) for each in inner_nodes(node)[::-1]]
    return found


@lru_cache(maxsize=2**14)
def _scope_of(place: _Place | None, module: Module, finder: ModuleFinder) -> _Scope:
    """Return the scope of a place; a class body adds none."""
    if place is None:
        return _module_scope(module)
    outer = _scope_of(place.outer, module, finder)
    if isinstance(place.node, ast.ClassDef):
        return outer
    around = place.outer and place.outer.node
    cls = finder.class_of(module, around) if isinstance(around, ast.ClassDef) else None
    return _function_scope(place.node, outer, cls)


def _function_scope(
    function: ast.FunctionDef | ast.AsyncFunctionDef, outer: _Scope, cls: ClassSource | None
) -> _Scope:
    given = function.args
    names: dict[str, _Binding] = {
        each.arg: each for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)
    }
    statements = [*iter_statements(function.body)]
    for statement in statements:
        for name in bound_names(statement):
            names[name] = statement
    return _Scope(
        module=outer.module, names=names, outer=outer, self_class=cls, loops=_loops(statements)
    )


def _scope_around(statement: ast.stmt, cls: ClassSource) -> _Scope:
    """Return the scope of a statement in the body of a class, or in one of its methods."""
    outer = _module_scope(cls.module)
    for method in cls.in_body.values():
        if isinstance(method, Function) and statement in all_statements(method)[1:]:
            return _function_scope(method, outer, cls)
    return outer


def _loops(statements: Iterable[ast.stmt]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for each in statements:
        if isinstance(each, ast.For) and isinstance(each.target, ast.Name):
            found.setdefault(each.target.id, []).append(each.iter)
    return found


def _calls_with_classes(call: ast.Call) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the arguments that may name classes to register, each after the function."""
    if unparse(call.func) == "map" and len(call.args) == 2:
        yield call.args[0], call.args[1]
    for given in (*call.args[:1], *(each.value for each in call.keywords if each.arg == "cls")):
        if isinstance(given, _NAMING):
            yield call.func, given


_NAMING = (ast.Name, ast.Attribute, ast.Call, ast.Tuple, ast.List, ast.Set)
"""The expressions that :meth:`_Search.classes_named` follows."""


class _Search:
    """Finds out what expressions mean, as far as the source shows it."""

    def __init__(self, finder: ModuleFinder) -> None:
        self._finder = finder
        self._known: dict[_Binding, ClassSource | None] = {}
        """The class of what each binding gives; ``None`` while that is being looked for."""

    def is_register(self, expression: ast.expr, scope: _Scope, steps: int = 0) -> bool:
        match expression:
            case ast.Attribute(value=value, attr="register") if self._is_registry(value, scope):
                return True
            case ast.Name() | ast.Attribute() if steps < _MAX_STEPS:
                found = self._value(expression, scope, steps)
            case _:
                return False
        match found:
            case (ast.Assign(value=value), where):
                return self.is_register(value, where, steps + 1)
            case (ast.FunctionDef(name=name), where):
                return f"{where.module.name}.{name}" in _FUNCTIONS
            case _:
                return False

    def _is_registry(self, expression: ast.expr, scope: _Scope) -> bool:
        cls = self._class_of(expression, scope, 0)
        lineage = cls.known_lineage if cls else []
        return any(each.module.name == _REGISTRY_MODULE for each in lineage)

    def classes_named(
        self, expression: ast.expr, scope: _Scope, steps: int = 0
    ) -> Iterator[ClassSource]:
        """Yield the classes that an expression may be: one, or the elements of a display."""
        if steps >= _MAX_STEPS:
            return
        match expression:
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                values, where = elements, scope
            case ast.Call(args=[value]):  # such as conforms(Mine)
                values, where = [value], scope
            case ast.Name(id=name) if name in scope.loops:
                values, where = scope.loops[name], scope
            case ast.Name() | ast.Attribute():
                cls = self._class_named(expression, scope)
                if cls is not None:
                    yield cls
                    return
                match self._value(expression, scope, steps):
                    case (ast.Assign(value=value), where):
                        values = [value]
                    case _:
                        return
            case _:
                return
        for value in values:
            yield from self.classes_named(value, where, steps + 1)

    def _class_of(self, expression: ast.expr, scope: _Scope, steps: int) -> ClassSource | None:
        """Return the class whose instance an expression is, if the source shows it."""
        if steps >= _MAX_STEPS:
            return None
        match expression:
            case ast.Call(func=function):
                return self._class_named(function, scope) or self._result(function, scope, steps)
            case ast.BoolOp(values=parts):
                alternatives = parts
            case ast.IfExp(body=body, orelse=orelse):
                alternatives = [body, orelse]
            case ast.NamedExpr(value=value) | ast.Await(value=value):
                alternatives = [value]
            case ast.Name() | ast.Attribute():
                found = self._value(expression, scope, steps)
                return self._class_of_binding(*found, steps + 1) if found else None
            case _:
                return None
        found_classes = (self._class_of(each, scope, steps + 1) for each in alternatives)
        return next((each for each in found_classes if each), None)

    def _class_of_binding(self, binding: _Binding, scope: _Scope, steps: int) -> ClassSource | None:
        if binding not in self._known:
            self._known[binding] = None
            self._known[binding] = self._follow(binding, scope, steps)
        return self._known[binding]

    def _follow(self, binding: _Binding, scope: _Scope, steps: int) -> ClassSource | None:
        match binding:
            case (
                ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation)
            ):
                named = self._annotated(annotation, scope)
                value = binding.value if isinstance(binding, ast.AnnAssign) else None
                return named or (self._class_of(value, scope, steps) if value else None)
            case ast.arg(arg=name):
                is_self = scope.self_class and next(iter(scope.names)) == name
                return scope.self_class if is_self else None
            case ast.Assign(value=value):
                return self._class_of(value, scope, steps)
            case ast.FunctionDef(returns=ast.expr() as returns):  # a property
                return self._annotated(returns, scope)
            case _:
                return None

    def _result(self, function: ast.expr, scope: _Scope, steps: int) -> ClassSource | None:
        match self._value(function, scope, steps):
            case (
                ast.FunctionDef(returns=ast.expr() as returns)
                | ast.AsyncFunctionDef(returns=ast.expr() as returns),
                where,
            ):
                return self._annotated(returns, where)
            case _:
                return None

    def _annotated(self, annotation: ast.expr, scope: _Scope) -> ClassSource | None:
        for node in walk(unquoted(annotation)):
            if isinstance(node, ast.Name | ast.Attribute):
                cls = self._class_named(node, scope)
                if cls is not None:
                    return cls
        return None

    def _class_named(self, expression: ast.expr, scope: _Scope) -> ClassSource | None:
        """Return the class that a dotted name means, wherever it is imported."""
        first, *rest = unparse(expression).split(".")
        found = scope.find(first)
        try:
            match found:
                case (ast.ClassDef() as node, where) if not rest:
                    return self._finder.class_of(where.module, node)
                case (ast.Import() | ast.ImportFrom() as statement, where):
                    module, name = self._imported(where.module, statement, (first, *rest))
                    return self._finder.find_class(module, name)
                case _:
                    return self._finder.find_class(scope.module, [first, *rest])
        except CouldNotCheckError:
            return None

    def _imported(
        self, module: Module, statement: ast.Import | ast.ImportFrom, name: tuple[str, ...]
    ) -> tuple[Module, tuple[str, ...]]:
        """Return what an import means; raise for the standard library, which has no registry."""
        origin = origin_of_name(module, statement, name[0])[0]
        if origin.partition(".")[0] in sys.stdlib_module_names:
            raise CouldNotCheckError(f"{origin} has no registry")
        return self._finder.imported(module, statement, name)

    def _value(
        self, expression: ast.expr, scope: _Scope, steps: int
    ) -> tuple[_Binding, _Scope] | None:
        first, *rest = unparse(expression).split(".")
        found = scope.find(first)
        for _ in range(_MAX_STEPS):
            match found:
                case (ast.Import() | ast.ImportFrom() as statement, where):
                    try:
                        module, name = self._imported(where.module, statement, (first, *rest))
                    except CouldNotCheckError:
                        return None
                    first, *rest = name
                    found = _module_scope(module).find(first)
                case _:
                    break
        if found is None or not rest:
            return found
        return self._attribute(expression, scope, steps + 1)

    def _attribute(
        self, expression: ast.expr, scope: _Scope, steps: int
    ) -> tuple[_Binding, _Scope] | None:
        if not isinstance(expression, ast.Attribute) or steps >= _MAX_STEPS:
            return None
        value = expression.value
        owner = self._class_named(value, scope) or self._class_of(value, scope, steps)
        found = owner.find(expression.attr) if owner else None
        return (found[1], _scope_around(found[1], found[0])) if found else None
