"""The values that a member is given: in class bodies, and outside of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.definitions import Place, definition_of
from backend_contract._conformance.source.evaluation.fields import GENERATING
from backend_contract._conformance.source.evaluation.inference import kinds_of
from backend_contract._conformance.source.evaluation.kinds import Context, inside
from backend_contract._conformance.source.modules import Module, qualified_name
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    decorator_names,
    first_parameter,
    is_stub,
    nodes_of,
    positional_of,
    returns_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.reachability import dead_nodes, shadowed_nodes
from backend_contract._conformance.source.scopes import Binding, Scope, bindings_of_target

_Target: TypeAlias = tuple[ast.expr, "ast.expr | None"]


_KNOWN_METACLASSES = {"abc", "enum", "pydantic", "typing", "typing_extensions"}
"""The packages whose metaclasses add no member of a backend."""


class Assigned(NamedTuple):
    """One assignment to a member."""

    member: str | None
    """``None`` stands for any member: the source does not tell which."""
    value: ast.expr | None
    """``None`` if it cannot be followed."""
    statement: ast.AST
    at: Context
    """The place of the value."""
    is_certain: bool = True
    """Whether the statement runs in any case."""
    is_deletion: bool = False
    why: str = ""
    """The reason why it cannot be followed."""


class Value(NamedTuple):
    """A binding of a member in a class body."""

    cls: ClassSource
    binding: Binding


def values_of(source: ClassSource, member: str) -> tuple[list[Value | None], bool]:
    """Return the bindings of which one counts, and whether others may hide them.

    ``None`` among them stands for no value.
    """
    found: list[Value | None] = []
    for cls in source.lineage:
        if cls is None:
            return found, True
        alternatives = cls.scope.bindings.get(member)
        if alternatives is not None:
            found += [Value(cls, each) for each in alternatives if each is not None]
            if None not in alternatives:
                return found, False
    return [*found, None], False


def is_property(values: Sequence[Value | None]) -> bool:
    """Return whether the class may have a property, which is not abstract."""
    return any(
        value is not None
        and isinstance(value.binding.statement, Function)
        and decorator_names(value.binding.statement) in ({"property"}, {"getter"})
        for value in values
    )


# ---- instances


def to_instance(source: ClassSource, member: str) -> list[Assigned]:
    """Return the assignments of *member* to instances, in methods of the class and its bases."""
    found = _all_to_instance(source)
    return [each for each in found if each.member == member or _may_be(each, member)]


@lru_cache(maxsize=1024)
def _all_to_instance(source: ClassSource) -> Sequence[Assigned]:
    return [
        each
        for cls in source.known_lineage
        if not cls.module.is_ours
        for method in _methods(cls)
        if _is_reached(method, cls, source)
        for each in _in_method(method, cls, source)
    ]


def _may_be(assigned: Assigned, member: str) -> bool:
    """Return whether an assignment to a computed name may be one to *member*."""
    if assigned.member is not None:
        return False
    match assigned.statement:
        case ast.Call(func=ast.Name(id="setattr"), args=[_, name, *_]):
            return _matches(name, member, assigned.at)
        case _:
            return True


def _matches(name: ast.expr, member: str, at: Context) -> bool:
    match name:
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            return member.startswith(start)
        case ast.BinOp(left=ast.Constant(value=str(start)), op=ast.Add() | ast.Mod()):
            return member.startswith(start.partition("%")[0])
        case ast.Name(id=variable):
            choices = _choices(variable, at.function or at.module.tree)
            return choices is None or member in choices
        case _:
            return True


def _choices(variable: str, scope: ast.AST) -> set[str] | None:
    """Return the values of the variable of a loop over literals, or ``None``."""
    found: set[str] = set()
    for node in walk(scope):
        match node:
            case ast.For(
                target=ast.Name(id=name), iter=ast.Tuple(elts=parts) | ast.List(elts=parts)
            ) if name == variable:
                texts = [each.value for each in parts if isinstance(each, ast.Constant)]
                if len(texts) != len(parts):
                    return None
                found |= {str(each) for each in texts}
            case ast.Name(id=name, ctx=ast.Store()) if name == variable:
                found.add("")
            case _:
                pass
    return found if len(found) > 1 else None


def _is_reached(method: Function, cls: ClassSource, target: ClassSource) -> bool:
    """Return whether instances of *target* may run a method: not if a nearer class replaces it."""
    lineage = target.known_lineage
    nearer = [each.in_body.get(method.name) for each in lineage[: lineage.index(cls)]]
    return all(
        (isinstance(each, Function) and is_stub(each))
        or "super()" in unparse(each)
        or f".{method.name}(" in unparse(each)
        for each in nearer
        if each is not None
    )


_NOT_OF_INSTANCES = {"staticmethod", "classmethod", "__init_subclass__", "__class_getitem__"}


def _methods(cls: ClassSource) -> Iterator[Function]:
    for statement in cls.statements:
        if isinstance(statement, Function):
            names = {statement.name, *map(unparse, statement.decorator_list)}
            if not names & _NOT_OF_INSTANCES:
                yield statement


def _in_method(method: Function, cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    first, at = first_parameter(method), inside(cls, method, target)
    names = first | {
        target.id
        for node in walk(method)
        if isinstance(node, ast.Assign) and unparse(node.value) in first
        if node not in shadowed_nodes(method, unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    yield from _assignments_or_any(method, names, at)
    for each in _by_calls(method, names, at):
        if each.at.cls is None:  # it is not passed to another class
            yield each


def _assignments(scope: ast.AST, every: set[str], at: Context) -> Iterator[Assigned]:
    """Yield the assignments to attributes of *every* subject, which are written as dotted names."""
    dead = dead_nodes(scope, at.modules.version)
    for node, targets in _statements_with_targets(scope):
        if node in dead:
            continue
        subjects = {each for each in every if node not in shadowed_nodes(scope, each)}
        for target, value in targets:
            if isinstance(target, ast.Attribute) and unparse(target.value) in subjects:
                yield Assigned(target.attr, value, node, at)
            elif (name := _key_of_dict(target, subjects)) is not None:
                yield Assigned(name, value, node, at)
        if isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and unparse(target.value) in subjects:
                    yield Assigned(target.attr, None, node, at, is_deletion=True)
        if isinstance(node, ast.Call):
            yield from _by_function(node, subjects, at)
            yield from _by_update(node, subjects, at)


@lru_cache(maxsize=2**14)
def _statements_with_targets(scope: ast.AST) -> list[tuple[ast.AST, list[_Target]]]:
    """Return the nodes of a scope that may assign an attribute, with their targets."""
    found = ((node, [*_targets(node)]) for node in walk(scope) if isinstance(node, _ASSIGNING))
    return [
        (node, targets)
        for node, targets in found
        if any(isinstance(target, ast.Attribute | ast.Subscript) for target, _ in targets)
        or isinstance(node, ast.Delete)
        or (isinstance(node, ast.Call) and _may_assign(node))
    ]


_ASSIGNING = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor, ast.withitem),
    *(ast.Delete, ast.Call),
)


def _may_assign(call: ast.Call) -> bool:
    """Return whether a call may be one that :func:`_by_function` or :func:`_by_update` follows."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in ("setattr", "delattr", "update") or name.endswith("__setattr__")
        case _:
            return True


def _by_update(node: ast.Call, subjects: set[str], at: Context) -> Iterator[Assigned]:
    whole = node.func
    if not isinstance(whole, ast.Attribute) or whole.attr != "update":
        return
    if not _is_namespace(whole.value, subjects):
        return
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield Assigned(keyword.arg, keyword.value, node, at)
    for given in (*node.args, *(each.value for each in node.keywords if each.arg is None)):
        yield from _items(given, node, at)


def _items(given: ast.expr, node: ast.Call, at: Context) -> Iterator[Assigned]:
    keys = given.keys if isinstance(given, ast.Dict) else [None]
    values = given.values if isinstance(given, ast.Dict) else [given]
    for key, value in zip(keys, values, strict=True):
        match key:
            case ast.Constant(value=str(name)):
                yield Assigned(name, value, node, at)
            case _:
                yield Assigned(None, None, node, at, why=f"`{unparse(node)}`")


def _targets(node: ast.AST) -> Iterator[_Target]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from bindings_of_target(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.AugAssign(target=target, op=op, value=value):
            yield target, ast.BinOp(target, op, value)
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from bindings_of_target(target, None)
        case ast.withitem(optional_vars=ast.expr() as target):
            yield from bindings_of_target(target, None)
        case _:
            pass


def _key_of_dict(target: ast.expr, subjects: set[str]) -> str | None:
    match target:
        case ast.Subscript(value=whole, slice=ast.Constant(value=str(name))):
            return name if _is_namespace(whole, subjects) else None
        case _:
            return None


def _is_namespace(expression: ast.expr, subjects: set[str]) -> bool:
    written = unparse(expression)
    return any(written in (f"{each}.__dict__", f"vars({each})") for each in subjects)


def _by_function(node: ast.Call, subjects: set[str], at: Context) -> Iterator[Assigned]:
    function = unparse(node.func)
    arguments = list(node.args)
    if function.endswith("__setattr__") and len(arguments) == 2:
        owner = function.removesuffix(".__setattr__")
        arguments.insert(0, ast.Name(next(iter(subjects)) if owner == "super()" else owner))
    is_set = function == "setattr" or function.endswith(".__setattr__")
    match arguments:
        case [subject, ast.Constant(value=str(name)), value] if is_set:
            if unparse(subject) in subjects:
                yield Assigned(name, value, node, at)
        case [subject, ast.Constant(value=str(name))] if function == "delattr":
            if unparse(subject) in subjects:
                yield Assigned(name, None, node, at, is_deletion=True)
        case _:
            pass


# ---- the class


def to_class(source: ClassSource, member: str) -> list[Assigned]:
    """Return the assignments of *member* to the class or its bases, outside of their bodies."""
    found = _all_to_class(source)
    return [each for each in found if each.member == member or _may_be(each, member)]


@lru_cache(maxsize=1024)
def _all_to_class(source: ClassSource) -> Sequence[Assigned]:
    lineage = (cls for cls in source.known_lineage if not cls.module.is_ours)
    return [each for cls in lineage for each in _of_class(cls, source)]


def given_after_creation(source: ClassSource) -> dict[str | None, Assigned]:
    """Return the last assignment to each member of a class, or of others, once it is created."""
    by_decorators = [e for each in source.node.decorator_list for e in _by_decorator(each, source)]
    # Decorators such as `dataclass` look again which members are abstract.
    is_last = len(source.node.decorator_list) == 1
    found = {each.member: each._replace(is_certain=is_last) for each in by_decorators}
    before = {each.member for base in source.known_lineage[1:] for each in _by_hook(base, source)}
    to_others = [e for e in _by_hook(source, source) if not before & {e.member, None}]
    others = [*to_others, *_in_module(source)]
    return found | {each.member: each._replace(is_certain=True) for each in others}


def _of_class(cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    yield from _in_module(cls)
    yield from _in_classmethods(cls, target)
    yield from _by_metaclass(cls)
    for decorator in cls.node.decorator_list:
        yield from _by_decorator(decorator, cls)
    for each in cls.in_body.values():
        value = getattr(each, "value", None)
        of_value = cls.class_named(value.func) if isinstance(value, ast.Call) else None
        match of_value and of_value.find("__set_name__"):
            case (owner, ast.FunctionDef() as found):
                names = {given.arg for given in positional_of(found.args)[1:2]}
                yield from _assignments_or_any(found, names, inside(owner, found))
            case _:
                pass
    if cls is not target:
        yield from _by_hook(cls, target)


def _by_hook(cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    """Yield what ``__init_subclass__`` assigns to classes that inherit."""
    hook = cls.in_body.get("__init_subclass__")
    if isinstance(hook, Function):
        yield from _assignments_or_any(hook, first_parameter(hook), inside(cls, hook, target))


def _in_classmethods(cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    """Yield what methods assign to the class: whether they run is not known."""
    for method in cls.statements:
        if not isinstance(method, Function) or method.name == "__init_subclass__":
            continue
        first = first_parameter(method)
        if "classmethod" not in map(unparse, method.decorator_list):
            first = {each for name in first for each in (f"type({name})", f"{name}.__class__")}
        subjects = {cls.node.name} | first
        at = inside(cls, method, target)
        for each in _assignments(method, subjects, at):
            yield each._replace(is_certain=False)


def _by_metaclass(cls: ClassSource) -> Iterator[Assigned]:
    for keyword in cls.node.keywords:
        if keyword.arg != "metaclass":
            continue
        metaclass = cls.class_named(keyword.value)
        if metaclass is None:
            continue
        for each in metaclass.known_lineage:
            if each.module.name.partition(".")[0] in _KNOWN_METACLASSES or each.module.is_ours:
                continue
            for method in each.node.body:
                if isinstance(method, Function):
                    at = inside(each, method)
                    yield from _in_metaclass(method, at)


def _in_metaclass(method: Function, at: Context) -> Iterator[Assigned]:
    subjects = first_parameter(method)
    if method.name == "__new__":
        subjects = _variables(method)
        namespaces = {each.arg for each in method.args.args[3:4]}
        yield from _to_namespace(method, namespaces, at)
    elif method.name == "__prepare__":
        yield Assigned(None, None, method, at, why="`__prepare__` of the metaclass")
    if method.name in ("__new__", "__init__"):
        for each in _assignments_or_any(method, subjects, at):
            yield each._replace(is_certain=False)


def _variables(method: Function) -> set[str]:
    return {
        target.id
        for node in walk(method)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _to_namespace(method: Function, namespaces: set[str], at: Context) -> Iterator[Assigned]:
    """Yield an assignment to any member if a metaclass changes the namespace of a class body."""
    for node in walk(method):
        match node:
            case (
                ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del())
                | ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id=name), attr="update" | "setdefault" | "pop"
                    )
                )
            ) if name in namespaces:
                why = f"`{unparse(node)}` in the metaclass"
                yield Assigned(None, None, node, at, why=why)
            case ast.Call(func=ast.Attribute(attr="__new__"), args=[*_, given]) if (
                not (isinstance(given, ast.Name) and given.id in namespaces) and len(node.args) > 2
            ):
                why = f"`{unparse(node)}` in the metaclass"
                yield Assigned(None, None, node, at, why=why)
            case _:
                pass


def _in_module(cls: ClassSource) -> Iterator[Assigned]:
    module, name = cls.module, cls.node.name
    beside = _statements_beside_classes(module)
    behind = [each for each in beside if (each.end_lineno or 0) >= cls.node.lineno]
    if not behind:
        return
    at = Context(module, cls.modules)
    live = _aliases(module, name)
    for statement in behind:
        subjects = live | _loop_variables(statement, live)
        if isinstance(statement, Function):
            found = _assignments(statement, subjects, at._replace(function=statement))
        else:
            found = _assignments_or_any(statement, subjects, at)
        is_certain = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Delete)
        scope = module.scope(cls.modules.version)
        for each in found:
            if is_certain or isinstance(statement, Function) or each.member is None:
                yield each._replace(is_certain=is_certain)
            else:
                yield from _as_left(each, statement, subjects, scope)
        if not isinstance(statement, Function):
            yield from _by_calls(statement, live, at)


def _as_left(
    assigned: Assigned, within: ast.stmt, subjects: set[str], scope: Scope
) -> Iterator[Assigned]:
    """Yield an assignment below an ``if``, ``try`` or loop, unless it does not count in the end."""
    names = [f"{each}.{assigned.member}" for each in subjects]
    left = [each for name in names for each in scope.bindings.get(name, ())]
    inside = [each.statement for each in left if each and each.statement in walk(within)]
    if not left and (scope.is_open or not isinstance(assigned.statement, ast.Assign)):
        yield assigned._replace(is_certain=False)
    elif assigned.statement in inside:
        is_certain = len(inside) == len(left) and assigned.statement is inside[0]
        yield assigned._replace(is_certain=is_certain)


@lru_cache(maxsize=1024)
def _statements_beside_classes(module: Module) -> Sequence[ast.stmt]:
    """Return the statements of a module, without its classes: there may be hundreds."""
    return [each for each in module.tree.body if not isinstance(each, ast.ClassDef)]


def _aliases(module: Module, name: str) -> set[str]:
    names = {name}
    for statement in _statements_beside_classes(module):
        match statement:
            case ast.Assign(targets=targets, value=ast.Name(id=original)) if original in names:
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
            case _:
                pass
    return names | {unparse(each) for each in module.attributes.get(name, ())}


def _loop_variables(statement: ast.stmt, names: set[str]) -> set[str]:
    return {
        node.target.id
        for node in walk(statement)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
        if any(isinstance(each, ast.Name) and each.id in names for each in walk(node.iter))
    }


def _by_calls(statement: ast.stmt, names: set[str], at: Context) -> Iterator[Assigned]:
    """Yield what functions assign that a statement passes the class or instance to."""
    for node in walk(statement):
        if not isinstance(node, ast.Call) or unparse(node.func) in ("setattr", "delattr"):
            continue
        for number, argument in enumerate(node.args):
            if (
                isinstance(argument, ast.Name)
                and argument.id in names
                and node not in shadowed_nodes(statement, argument.id)
            ):
                function = function_of(node.func, at)
                if function is not None:
                    called, there = function
                    subjects = {each.arg for each in positional_of(called.args)[number:][:1]}
                    yield from _assignments_or_any(called, subjects, there)


def function_of(node: ast.expr, at: Context) -> tuple[Function, Context] | None:
    """Return the function that an expression names, and its place; ``None`` if it is not found."""
    kinds = kinds_of(node, at)
    if kinds is None or len(kinds) != 1 or not isinstance(kinds[0].function, Function):
        return None
    function, owner = kinds[0].function, kinds[0].owner
    if owner is not None:
        return function, inside(owner, function)
    found = definition_of(node, at)
    module = found.module if found is not None and found.module is not None else at.module
    return function, Context(module, at.modules, None, function)


def _assignments_or_any(scope: ast.AST, subjects: set[str], at: Context) -> Iterator[Assigned]:
    """Yield the assignments to the subjects, and one to any member if a name is computed."""
    yield from _assignments(scope, subjects, at)
    for node, _ in _statements_with_targets(scope):
        match node:
            case ast.Call(func=ast.Name(id="setattr"), args=[subject, name, *_]) if unparse(
                subject
            ) in subjects and not isinstance(name, ast.Constant):
                if node in shadowed_nodes(scope, unparse(subject)):
                    continue
                yield Assigned(None, None, node, at, why=f"`{unparse(node)}`")
            case _:
                pass


# ---- decorators of the class


def _by_decorator(decorator: ast.expr, cls: ClassSource) -> Iterator[Assigned]:
    at = Context(cls.module, cls.modules)
    callee = callee_of(decorator)
    if is_inert(callee, at):
        return
    unknown = Assigned(
        None, None, decorator, at, why=f"the class decorator `@{unparse(decorator)}`"
    )
    found = function_of(callee, at)
    if found is None:
        yield unknown
        return
    function, there = found
    if there.module.is_ours:
        return
    subjects, is_followed = _subjects(function, isinstance(decorator, ast.Call))
    if not is_followed:
        yield unknown
        return
    for inner in walk(function):
        if isinstance(inner, Function):
            for each in inner.body:
                if not isinstance(each, Function):
                    yield from _assignments_or_any(each, subjects, there._replace(function=inner))


def is_inert(callee: ast.expr, at: Place) -> bool:
    """Return whether a decorator is known not to change the members of a class."""
    if qualified_name(callee, at.module) in GENERATING:
        return True
    found = definition_of(callee, at)
    if found is None:
        return False
    return found.module is None or found.name.startswith("backend_contract.")


def _subjects(function: Function, is_factory: bool) -> tuple[set[str], bool]:
    """Return the names of the class in a decorator, and whether it returns the class itself."""
    inner = [each for each in nodes_of(function) if isinstance(each, Function)]
    decorating = inner if is_factory and inner else [function]
    subjects = {name for each in decorating for name in first_parameter(each)}
    if decorating == [function] and [each.arg for each in function.args.args[:1]] == ["self"]:
        subjects = {each.arg for each in function.args.args[1:2]}
    returned = {name for each in (function, *decorating) for name in _names_returned(each)}
    return subjects, bool(returned) and returned <= subjects | {each.name for each in inner}


def _names_returned(function: Function) -> set[str | None]:
    values = [each.value for each in returns_of(function)]
    return {value.id if isinstance(value, ast.Name) else None for value in values}
