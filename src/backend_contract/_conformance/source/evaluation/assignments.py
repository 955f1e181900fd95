"""Assignments to members outside of the class body: to instances, and to the class itself."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from backend_contract._conformance.source.definitions import definition_of
from backend_contract._conformance.source.evaluation.kinds import Context, kinds_of
from backend_contract._conformance.source.evaluation.scopes import bindings_of_target
from backend_contract._conformance.source.execution import is_stub
from backend_contract._conformance.source.modules import (
    ClassSource,
    Function,
    Module,
    qualified_name,
)
from backend_contract._conformance.source.parsing import unparse, walk

__all__ = ["Assigned", "function_of", "is_inert", "to_class", "to_instance"]

_OURS = "backend_contract."
_Target: TypeAlias = tuple[ast.expr, "ast.expr | None"]
_INERT = {  # whether or not they are installed
    "attr.attrs", "attr.s", "attr.define", "attr.frozen", "attr.mutable",
    "attrs.define", "attrs.frozen", "attrs.mutable",
    "attr.dataclass", "pydantic.dataclasses.dataclass",
}  # fmt: skip


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


def _is_ours(cls: ClassSource) -> bool:
    return cls.module.name.startswith(_OURS)


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
        if not _is_ours(cls)
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
    """Return whether the value of an expression may be the name *member*."""
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


def _first_parameter(function: Function) -> str | None:
    positional = [*function.args.posonlyargs, *function.args.args]
    return positional[0].arg if positional else None


def _in_method(method: Function, cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    name = _first_parameter(method)
    if name is not None:
        at = Context(cls.module, cls.modules, cls, method, target)
        yield from _assignments_or_any(method, {name}, at)


def _assignments(scope: ast.AST, subjects: set[str], at: Context) -> Iterator[Assigned]:
    """Yield the assignments to attributes of the *subjects*, which are written as dotted names."""
    for node, targets in _statements_with_targets(scope):
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
    """Yield what ``self.__dict__.update(...)`` or ``vars(self).update(...)`` assigns."""
    match node.func:
        case ast.Attribute(value=whole, attr="update"):
            written = unparse(whole)
            if not any(written in (f"{each}.__dict__", f"vars({each})") for each in subjects):
                return
        case _:
            return
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield Assigned(keyword.arg, keyword.value, node, at)
    for given in (*node.args, *(each.value for each in node.keywords if each.arg is None)):
        yield from _items(given, node, at)


def _items(given: ast.expr, node: ast.Call, at: Context) -> Iterator[Assigned]:
    """Yield the items of a mapping that is given to ``update``."""
    keys = given.keys if isinstance(given, ast.Dict) else [None]
    values = given.values if isinstance(given, ast.Dict) else [given]
    for key, value in zip(keys, values, strict=True):
        match key:
            case ast.Constant(value=str(name)):
                yield Assigned(name, value, node, at)
            case _:
                yield Assigned(None, None, node, at, why=f"`{unparse(node)}`")


def _targets(node: ast.AST) -> Iterator[_Target]:
    """Yield the targets of a statement with their values."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from bindings_of_target(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.AugAssign(target=target, op=op, value=value):
            yield target, ast.BinOp(_as_read(target), op, value)
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from bindings_of_target(target, None)
        case ast.withitem(optional_vars=ast.expr() as target):
            yield from bindings_of_target(target, None)
        case _:
            pass


def _as_read(target: ast.expr) -> ast.expr:
    return ast.parse(unparse(target), mode="eval").body


def _key_of_dict(target: ast.expr, subjects: set[str]) -> str | None:
    """Return the name that ``self.__dict__["name"]`` or ``vars(self)["name"]`` assigns."""
    match target:
        case ast.Subscript(value=whole, slice=ast.Constant(value=str(name))):
            written = unparse(whole)
            if any(written in (f"{each}.__dict__", f"vars({each})") for each in subjects):
                return name
        case _:
            pass
    return None


def _by_function(node: ast.Call, subjects: set[str], at: Context) -> Iterator[Assigned]:
    """Yield what ``setattr``, ``__setattr__`` or ``delattr`` assigns."""
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
    lineage = (cls for cls in source.known_lineage if not _is_ours(cls))
    return [each for cls in lineage for each in _of_class(cls, source)]


def _of_class(cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    yield from _in_module(cls)
    yield from _in_classmethods(cls, target)
    yield from _by_metaclass(cls)
    for decorator in cls.node.decorator_list:
        yield from _by_decorator(decorator, cls)
    if cls is not target:
        hook = cls.in_body.get("__init_subclass__")
        if isinstance(hook, Function) and (name := _first_parameter(hook)) is not None:
            at = Context(cls.module, cls.modules, cls, hook)
            yield from _assignments_or_any(hook, {name}, at)


def _in_classmethods(cls: ClassSource, target: ClassSource) -> Iterator[Assigned]:
    """Yield what methods assign to the class: whether they run is not known."""
    for method in cls.statements:
        if not isinstance(method, Function) or method.name == "__init_subclass__":
            continue
        name = _first_parameter(method)
        subjects = {cls.node.name}
        if any(unparse(each) == "classmethod" for each in method.decorator_list):
            subjects |= {name} if name else set()
        elif name:
            subjects |= {f"type({name})", f"{name}.__class__"}
        at = Context(cls.module, cls.modules, cls, method, target)
        for each in _assignments(method, subjects, at):
            yield each._replace(is_certain=False)


def _by_metaclass(cls: ClassSource) -> Iterator[Assigned]:
    """Yield what the metaclass assigns to the class that it makes."""
    for keyword in cls.node.keywords:
        if keyword.arg != "metaclass":
            continue
        metaclass = cls.modules.class_named(cls.module, keyword.value)
        if metaclass is None:
            continue
        for each in metaclass.known_lineage:
            if each.module.name.partition(".")[0] in _KNOWN_METACLASSES or _is_ours(each):
                continue
            for method in each.node.body:
                if isinstance(method, Function):
                    at = Context(each.module, each.modules, each, method)
                    yield from _in_metaclass(method, at)


def _in_metaclass(method: Function, at: Context) -> Iterator[Assigned]:
    subjects = {name for name in [_first_parameter(method)] if name}
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
    """Return the variables of a method that plain assignments bind."""
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
    """Yield what statements of the module assign to the class after its body."""
    module, name = cls.module, cls.node.name
    at = Context(module, cls.modules)
    live = _aliases(module, name)
    for statement in _statements_beside_classes(module):
        if (statement.end_lineno or 0) < cls.node.lineno:
            continue
        is_certain = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Delete)
        is_function = isinstance(statement, Function)
        where = at._replace(function=statement) if isinstance(statement, Function) else at
        subjects = live | _loop_variables(statement, live)
        find = _assignments if is_function else _assignments_or_any
        for each in find(statement, subjects, where):
            yield each._replace(is_certain=is_certain)
        if not is_function:
            yield from _by_calls(statement, cls, live, at)


@lru_cache(maxsize=1024)
def _statements_beside_classes(module: Module) -> Sequence[ast.stmt]:
    """Return the statements of a module, without its classes: there may be hundreds."""
    return [each for each in module.tree.body if not isinstance(each, ast.ClassDef)]


def _aliases(module: Module, name: str) -> set[str]:
    """Return the names that the module has for a class, nested ones included."""
    names = {name}
    for statement in _statements_beside_classes(module):
        match statement:
            case ast.Assign(targets=targets, value=ast.Name(id=original)) if original in names:
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
            case _:
                pass
    return names | {unparse(each) for each in module.attributes.get(name, ())}


def _loop_variables(statement: ast.stmt, names: set[str]) -> set[str]:
    """Return the variables of loops over the class and others."""
    return {
        node.target.id
        for node in walk(statement)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
        if any(isinstance(each, ast.Name) and each.id in names for each in walk(node.iter))
    }


def _by_calls(
    statement: ast.stmt, cls: ClassSource, names: set[str], at: Context
) -> Iterator[Assigned]:
    """Yield what functions assign that the module passes the class to."""
    for node in walk(statement):
        if not isinstance(node, ast.Call) or unparse(node.func) in ("setattr", "delattr"):
            continue
        for number, argument in enumerate(node.args):
            if isinstance(argument, ast.Name) and argument.id in names:
                function = function_of(node.func, at)
                if function is not None:
                    called, there = function
                    positional = [*called.args.posonlyargs, *called.args.args]
                    if number < len(positional):
                        yield from _assignments_or_any(called, {positional[number].arg}, there)


def function_of(node: ast.expr, at: Context) -> tuple[Function, Context] | None:
    """Return the function that an expression names, and its place; ``None`` if it is not found."""
    kinds = kinds_of(node, at)
    if kinds is None or len(kinds) != 1 or not isinstance(kinds[0].function, Function):
        return None
    function, owner = kinds[0].function, kinds[0].owner
    if owner is not None:
        return function, Context(owner.module, owner.modules, owner, function)
    found = definition_of(node, at.module, at.modules)
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
                yield Assigned(None, None, node, at, why=f"`{unparse(node)}`")
            case _:
                pass


# ---- decorators of the class


def _by_decorator(decorator: ast.expr, cls: ClassSource) -> Iterator[Assigned]:
    at = Context(cls.module, cls.modules)
    callee = decorator.func if isinstance(decorator, ast.Call) else decorator
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
    if there.module.name.startswith(_OURS):
        return
    subjects, is_followed = _subjects(function, isinstance(decorator, ast.Call))
    if not is_followed:
        yield unknown
        return
    for inner in walk(function):
        if isinstance(inner, Function):
            for each in _own_nodes(inner):
                yield from _assignments_or_any(each, subjects, there._replace(function=inner))


def _own_nodes(function: Function) -> Iterable[ast.stmt]:
    return [each for each in function.body if not isinstance(each, Function)]


def is_inert(callee: ast.expr, at: Context) -> bool:
    """Return whether a decorator is known not to change the members of a class."""
    if qualified_name(callee, at.module) in _INERT:
        return True
    found = definition_of(callee, at.module, at.modules)
    if found is None:
        return False
    return found.module is None or found.name.startswith(_OURS)


def _subjects(function: Function, is_factory: bool) -> tuple[set[str], bool]:
    """Return the names of the class in a decorator, and whether it returns the class itself."""
    inner = [each for each in walk(function) if isinstance(each, Function) and each is not function]
    decorating = inner if is_factory and inner else [function]
    subjects = {name for each in decorating if (name := _first_parameter(each))}
    if decorating == [function] and [each.arg for each in function.args.args[:1]] == ["self"]:
        subjects = {each.arg for each in function.args.args[1:2]}
    allowed = subjects | {each.name for each in inner}
    returns = [node for node in walk(function) if isinstance(node, ast.Return)]
    returned = {node.value.id if isinstance(node.value, ast.Name) else None for node in returns}
    is_followed = bool(returned & allowed) and all(name in allowed for name in returned)
    return subjects, is_followed
