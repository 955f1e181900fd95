"""Constructors, read from the source: whether a class makes complete instances of itself.

A type checker does not tell whether ``__init__`` reaches that of a base class, and mypy believes
that every class makes instances of itself.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.definitions import (
    definition_of,
    dotted_name,
    unquoted,
)
from backend_contract._conformance.source.evaluation.fitness import call_problem
from backend_contract._conformance.source.execution import (
    Generated,
    State,
    Walker,
    is_stub,
    is_super,
    nodes_of,
)
from backend_contract._conformance.source.members import is_abstract
from backend_contract._conformance.source.modules import (
    ClassSource,
    Function,
    Member,
    qualified_name,
)
from backend_contract._conformance.source.parsing import children, unparse
from backend_contract._conformance.source.signatures import is_type_variable
from backend_contract.errors import CouldNotCheckError

__all__ = [
    "Defect",
    "find_defect",
    "find_missing",
    "has_classic_fields",
    "has_fields_with_defaults",
    "has_untyped_factory",
    "replaces_generated",
]

_MEMBERS = (
    "backend_type", "is_started", "register_config", "start", "stop", "start_lock",
    "handle_runtime_context",
)  # fmt: skip
_READABLE = ("is_started", "start_lock")
"""The members that a runtime reads on a new instance."""
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__attrs_post_init__")

_DATACLASS = {"dataclasses.dataclass", "pydantic.dataclasses.dataclass"}
_CLASSIC = {"attr.s", "attr.attrs"}
_ATTRS = _CLASSIC | {
    *(
        f"{package}.{name}"
        for package in ("attr", "attrs")
        for name in ("define", "frozen", "mutable")
    ),
    "attr.dataclass",
}
_ORDINARY_METACLASSES = {"ABCMeta", "type", "_ProtocolMeta"}
_INERT = {"conforms", "final", "override", "register", "runtime_checkable", "total_ordering"}


class Defect(NamedTuple):
    """A reason why instances are incomplete, or are not known to be complete."""

    is_certain: bool
    reason: str
    advice: str = ""
    """How to fix it, if the reason does not tell."""


def find_defect(source: ClassSource) -> Defect | None:
    """Return what is wrong with the instances that the class makes, if anything is."""
    try:
        for find in (
            _of_enumeration,
            _of_abstract,
            _of_metaclass,
            _of_new,
            _of_init,
            _of_attributes,
        ):
            defect = find(source)
            if defect is not None:
                return defect
    except RecursionError:
        return Defect(False, "the constructor is nested too deeply to be read")
    return None


def _of_enumeration(source: ClassSource) -> Defect | None:
    if any(cls.module.name == "enum" for cls in source.known_lineage):
        return Defect(True, "the class is an enumeration, which makes no new instances")
    return None


def _of_abstract(source: ClassSource) -> Defect | None:
    """Judge a class with abstract members, which some checkers do not report."""
    if source.has_unknown_base or not any(_makes_abstract(cls) for cls in source.known_lineage):
        return None
    for name in sorted({name for cls in source.known_lineage for name in cls.in_body}):
        found = source.find(name)
        if found is not None and name not in _MEMBERS and is_abstract(found[1]):
            return Defect(True, f"`{name}` is abstract, and the class does not define it")
        if found is not None and name in found[0].in_body and _is_abstract_value(*found):
            return Defect(True, f"the value of `{name}` is an abstract method")
    return None


def _is_abstract_value(owner: ClassSource, statement: Member) -> bool:
    """Return whether a class body assigns an abstract method of another class."""
    if isinstance(statement, Function) or not isinstance(statement.value, ast.Attribute):
        return False
    cls = _class_named(statement.value.value, owner)
    found = cls.find(statement.value.attr) if cls is not None else None
    return found is not None and is_abstract(found[1])


def _makes_abstract(cls: ClassSource) -> bool:
    """Return whether the metaclass of a class is that of abstract classes."""
    names = [qualified_name(each, cls.module) for each in cls.node.bases]
    metaclasses = [each.value for each in cls.node.keywords if each.arg == "metaclass"]
    return bool({"abc.ABC", "typing.Protocol"} & {*names}) or any(
        qualified_name(each, cls.module) == "abc.ABCMeta" for each in metaclasses
    )


# ---- what calling the class returns


def _of_metaclass(source: ClassSource) -> Defect | None:
    found = _metaclass(source)
    if found is None:
        return None
    expression, owner = found
    metaclass = _class_named(expression, owner)
    if metaclass is None:
        return Defect(False, f"the metaclass `{unparse(expression)}` cannot be followed")
    call = _method(metaclass, "__call__")
    if call is None:
        return None
    problem = call_problem("__call__", call[1].args, is_bound=False)
    if problem is not None and not call[1].decorator_list:
        return Defect(True, f"`{metaclass.node.name}.__call__` has other parameters: {problem}")
    return _of_factory(source, *call, f"`{metaclass.node.name}.__call__`")


def _method(source: ClassSource, name: str) -> tuple[ClassSource, Function] | None:
    """Return the nearest definition of a method in the lineage, and its class."""
    for cls in source.known_lineage:
        statement = cls.in_body.get(name)
        if isinstance(statement, Function):
            return cls, statement
    return None


def has_untyped_factory(source: ClassSource) -> bool:
    """Return whether what calling the class returns is decided by an unannotated function."""
    found = _metaclass(source)
    metaclass = found and _class_named(*found)
    call = None if metaclass is None else _method(metaclass, "__call__")
    factories = [factory for factory in (call, _method(source, "__new__")) if factory is not None]
    return any(function.returns is None for _, function in factories)


def replaces_generated(source: ClassSource) -> bool:
    """Return whether the constructor is written in a class that a decorator gives one."""
    found = _method(source, "__init__")
    return found is not None and any(
        _is_dataclass(decorator, found[0]) for decorator in found[0].node.decorator_list
    )


def has_classic_fields(source: ClassSource) -> bool:
    """Return whether the constructor is that of ``attr.s``: annotations alone make no fields."""
    return any(
        _name_in_source(each.func if isinstance(each, ast.Call) else each, cls) in _CLASSIC
        for cls in source.known_lineage
        for each in cls.node.decorator_list
    )


def has_fields_with_defaults(source: ClassSource) -> bool:
    """Return whether the class is a named tuple whose fields all have defaults.

    mypy forgets the defaults if the body has other assignments.
    """
    names = {qualified_name(each, source.module) for each in source.node.bases}
    fields = [each for each in source.node.body if isinstance(each, ast.AnnAssign)]
    return bool(names & {"typing.NamedTuple", "typing_extensions.NamedTuple"}) and all(
        each.value is not None for each in fields
    )


def _metaclass(source: ClassSource) -> tuple[ast.expr, ClassSource] | None:
    """Return the metaclass of the class and the class that names it, unless it is ordinary."""
    for cls in source.known_lineage:
        for keyword in cls.node.keywords:
            if keyword.arg == "metaclass":
                value = keyword.value
                is_ordinary = (dotted_name(value) or [""])[-1] in _ORDINARY_METACLASSES
                if not is_ordinary and not _is_type_of(value):
                    return value, cls
    return None


def _is_type_of(expression: ast.expr) -> bool:
    """Return whether an expression is ``type(...)`` of a class, which has an ordinary metaclass."""
    return isinstance(expression, ast.Call) and dotted_name(expression.func) == ["type"]


def _class_named(expression: ast.expr, owner: ClassSource) -> ClassSource | None:
    parts = dotted_name(expression)
    try:
        return owner.modules.find_class(owner.module, parts) if parts else None
    except CouldNotCheckError:
        return None


def _of_new(source: ClassSource) -> Defect | None:
    new = _method(source, "__new__")
    if new is None:
        return None
    name = f"`{new[0].node.name}.__new__`"
    if _passes_arguments_to_object(source, *new):
        return Defect(True, f"{name} passes arguments to `object.__new__`, which takes none")
    return _of_factory(source, *new, name)


def _passes_arguments_to_object(
    source: ClassSource, owner: ClassSource, function: Function
) -> bool:
    """Return whether a ``__new__`` returns ``object.__new__(cls, config)``, which raises."""
    behind = source.lineage[source.lineage.index(owner) + 1 :]
    is_last = all(cls is not None and "__new__" not in cls.in_body for cls in behind)
    for statement in function.body:
        match statement:
            case (
                ast.Return(
                    value=ast.Call(func=ast.Attribute(value=base, attr="__new__"), args=arguments)
                )
                | ast.Assign(
                    value=ast.Call(func=ast.Attribute(value=base, attr="__new__"), args=arguments)
                )
            ):
                is_object = unparse(base) == "object" or (is_last and is_super(base))
                if is_object and len(arguments) > 1:
                    return True
            case _:
                pass
    return False


def _of_factory(
    source: ClassSource, owner: ClassSource, function: Function, name: str
) -> Defect | None:
    """Judge a ``__new__`` or ``__call__`` by what it returns, and else by its annotation."""
    returned = [node.value for node in nodes_of(function) if isinstance(node, ast.Return)]
    if not returned and not is_stub(function):
        if Walker(source, _generated).run(owner, function, State(), set()) is None:
            return Defect(True, f"{name} always raises")
        return Defect(True, f"{name} returns nothing")
    kinds = {_kind(value, owner, function) for value in returned}
    if "other" in kinds:
        return Defect(True, f"{name} returns something else than an instance")
    if kinds == {"instance"} or _returns_instance(function, owner, source):
        return None
    if _is_builtin(function.returns, owner):
        return Defect(True, f"{name} returns something else than an instance")
    return Defect(False, f"{name} may return something else than an instance")


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
    """Return whether an expression names a class of the builtins."""
    if isinstance(expression, ast.Constant) and expression.value is None:
        return True
    found = expression and definition_of(expression, owner.module, owner.modules)
    if not found or not found.name.startswith("builtins."):
        return False
    return isinstance(getattr(builtins, found.name.rpartition(".")[2], None), type)


def _returns_instance(function: Function, owner: ClassSource, source: ClassSource) -> bool:
    """Return whether the annotation of the result promises an instance."""
    if function.returns is None:
        return False
    annotated = unquoted(function.returns)
    found = definition_of(annotated, owner.module, owner.modules)
    if found is not None and found.name.rpartition(".")[2] == "Self":
        return function.name == "__new__"
    if is_type_variable(annotated, owner, function):
        return True
    return found is not None and found.statement is source.node


# ---- what __init__ does


def _of_init(source: ClassSource) -> Defect | None:
    found = source.find("__init__")
    if found is None or not isinstance(found[1], Function):
        return None
    function = found[1]
    if isinstance(function, ast.AsyncFunctionDef):
        return Defect(True, "`__init__` is a coroutine function, and has to return `None`")
    for node in nodes_of(function):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return Defect(True, "`__init__` is a generator function, and has to return `None`")
        if isinstance(node, ast.Return) and _is_not_none(node.value):
            return Defect(True, "`__init__` returns a value, and has to return `None`")
    return None


def _is_not_none(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return value.value is not None
    return isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.JoinedStr)


def _of_attributes(source: ClassSource) -> Defect | None:
    """Judge the constructor by the attributes that members read on a new instance."""
    if _is_abbreviated(source):
        return None
    state = _constructed(source)
    if state is None:
        return Defect(True, "the constructor always raises or exits")
    for name, why in _not_assignable(source, state):
        return Defect(True, f"the constructor assigns `{name}`, {why}")
    return _of_missing(source, state, _needed(source, state))


def find_missing(source: ClassSource, member: str) -> Defect | None:
    """Return why a new instance lacks *member*, or may lack it, if no class body defines it."""
    found = source.find(member)
    if found is None or source.has_unknown_base or _is_abbreviated(source):
        return None
    if any(isinstance(cls.in_body.get(member), Function) for cls in source.known_lineage):
        return None
    try:
        state = _constructed(source)
        return state and _of_missing(source, state, [(member, member)])
    except RecursionError:
        return None


def _of_missing(
    source: ClassSource, state: State, needed: Iterable[tuple[str, str]]
) -> Defect | None:
    """Return the first of the *needed* attributes that a new instance lacks, or may lack."""
    given = state.always | _given_by_classes(source)
    missing = [(member, name) for member, name in needed if name not in given]
    if not missing or _answers_for_any_attribute(source):
        return None
    is_open = state.is_unknown or source.has_unknown_base or _may_be_completed(source)
    certain = [each for each in missing if each[1] not in state.maybe and not is_open]
    member, name = (certain or missing)[0]
    subject = "a new instance has no" if certain else "a new instance may have no"
    what = f"`{name}`" if member == name else f"`{name}`, which `{member}` uses"
    setter = _setter(source, name)
    why = f": `{setter.node.name}.__init__`, which sets it, is not reached" if setter else ""
    return Defect(bool(certain), f"{subject} {what}{why}", _advice(source, setter, name))


def _is_abbreviated(source: ClassSource) -> bool:
    """Return whether ``...`` stands for a constructor, which no base of this package needs."""
    init = _method(source, "__init__")
    is_ours = any(cls.module.name.startswith("backend_contract.") for cls in source.known_lineage)
    return init is not None and is_stub(init[1]) and not is_ours


def _not_assignable(source: ClassSource, state: State) -> Iterator[tuple[str, str]]:
    """Yield what the constructor assigns although it cannot, and why."""
    is_frozen = any(_is_frozen(each, source) for each in source.node.decorator_list)
    slots = _slots(source)
    for name in sorted(state.assigned):
        if is_frozen:
            yield name, "and instances are frozen"
        elif name != "backend_type" and _is_read_only(source, name):
            yield name, "a property without a setter"
        elif slots is not None and name not in slots | _given_by_classes(source):
            yield name, "which is not in `__slots__`"


def _is_frozen(decorator: ast.expr, source: ClassSource) -> bool:
    """Return whether a decorator makes instances that raise if an attribute is assigned."""
    if not _is_dataclass(decorator, source):
        return False
    if not isinstance(decorator, ast.Call):
        return unparse(decorator).endswith("frozen")
    is_asked_for = "frozen=True" in map(unparse, decorator.keywords)
    return is_asked_for or unparse(decorator.func).endswith("frozen")


def _slots(source: ClassSource) -> set[str] | None:
    """Return the only attributes that instances may have; ``None`` if they may have any."""
    names: set[str] = set()
    for cls in source.lineage:
        match cls and cls.in_body.get("__slots__"):
            case ast.Assign(value=ast.Tuple(elts=parts) | ast.List(elts=parts)):
                texts = {getattr(each, "value", None) for each in parts}
                if "__dict__" in texts or not all(isinstance(each, str) for each in texts):
                    return None
                names |= {str(each) for each in texts}
            case _:
                return None
    return names


def _is_read_only(source: ClassSource, name: str) -> bool:
    """Return whether *name* is a property of the class that cannot be assigned."""
    for cls in source.lineage:
        if cls is None:
            return False
        statement = cls.in_body.get(name)
        if isinstance(statement, Function):
            decorators = [unparse(each) for each in statement.decorator_list]
            return "property" in decorators and name not in cls.with_setter
        if statement is not None and statement.value is not None:
            return False
    return False


@lru_cache(maxsize=2**12)
def _constructed(source: ClassSource) -> State | None:
    """Return the state of a new instance; ``None`` if the constructor always raises."""
    walker = Walker(source, _generated)
    state: State | None = State()
    new = _method(source, "__new__")
    if new is not None:
        state = walker.run(*new, State(), _variables_of_instances(new[1]))
    return state and walker.call("__init__", state, source.lineage)


def _variables_of_instances(function: Function) -> set[str]:
    return {
        node.targets[0].id
        for node in nodes_of(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and dotted_name(node.value.func)[-1:] != ["__init__"]
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "__new__"
    }


def _generated(source: ClassSource) -> Generated | None:
    """Return the constructor that a decorator of the class writes, if one does."""
    for decorator in source.node.decorator_list:
        callee = decorator.func if isinstance(decorator, ast.Call) else decorator
        found = definition_of(callee, source.module, source.modules)
        name = found.name if found is not None else ""
        written = _name_in_source(callee, source)
        is_dataclass = name in _DATACLASS or written in _DATACLASS
        is_attrs = written in _ATTRS
        if not (is_dataclass or is_attrs) or _has_no_init(decorator):
            continue
        if "__init__" in source.in_body and written not in _CLASSIC:
            return None
        if is_dataclass:
            return Generated(_fields(source), (), ("__post_init__",))
        return Generated(_fields(source), ("__attrs_pre_init__",), ("__attrs_post_init__",))
    return None


def _name_in_source(expression: ast.expr, source: ClassSource) -> str:
    """Return the name that an expression was imported as, whether or not it is installed."""
    return qualified_name(expression, source.module) or ""


def _has_no_init(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and any(
        each.arg == "init" and isinstance(each.value, ast.Constant) and each.value.value is False
        for each in decorator.keywords
    )


def _fields(source: ClassSource) -> list[str]:
    """Return the names of the fields of a dataclass, inherited ones included."""
    return [
        name
        for cls in source.known_lineage
        if cls is source or _generated(cls) is not None
        for name, statement in cls.in_body.items()
        if _is_field(statement)
    ]


def _is_field(statement: Member) -> bool:
    if isinstance(statement, ast.AnnAssign):
        annotation = unparse(statement.annotation)
        return "ClassVar" not in annotation and "InitVar" not in annotation
    value = None if isinstance(statement, Function) else statement.value
    return isinstance(value, ast.Call) and dotted_name(value.func)[-1:] in (["ib"], ["field"])


@lru_cache(maxsize=2**12)
def _given_by_classes(source: ClassSource) -> set[str]:
    """Return the names that instances get from their class and its bases."""
    given: set[str] = set()
    for cls in source.known_lineage:
        given |= {
            name
            for name, statement in cls.in_body.items()
            if isinstance(statement, Function) or statement.value is not None
        }
        given |= {each.name for each in cls.node.body if isinstance(each, ast.ClassDef)}
        prefix = f"{cls.node.name}."
        given |= {
            each.removeprefix(prefix)
            for each in cls.module.set_from_outside
            if each.startswith(prefix)
        }
    return given


def _answers_for_any_attribute(source: ClassSource) -> bool:
    return any(
        name in cls.in_body
        for cls in source.known_lineage
        for name in ("__getattr__", "__getattribute__")
    )


def _may_be_completed(source: ClassSource) -> bool:
    """Return whether something that is not followed may give the class attributes."""
    return _metaclass(source) is not None or any(
        (dotted_name(each.func if isinstance(each, ast.Call) else each) or [""])[-1] not in _INERT
        and _generated(cls) is None
        and not _is_dataclass(each, cls)
        for cls in source.known_lineage
        for each in cls.node.decorator_list
    )


def _is_dataclass(decorator: ast.expr, source: ClassSource) -> bool:
    callee = decorator.func if isinstance(decorator, ast.Call) else decorator
    return _name_in_source(callee, source) in _DATACLASS | _ATTRS


def _setter(source: ClassSource, name: str) -> ClassSource | None:
    """Return the nearest base whose constructor assigns an attribute."""
    for cls in source.known_lineage[1:]:
        statement = cls.in_body.get("__init__")
        if isinstance(statement, Function) and _sets(statement, name):
            return cls
    return None


def _advice(source: ClassSource, setter: ClassSource | None, name: str) -> str:
    generated = next((g for cls in source.known_lineage if (g := _generated(cls))), None)
    method = (*generated.hooks_after, "__init__")[0] if generated is not None else "__init__"
    if setter is None or not setter.module.name.startswith("backend_contract."):
        return f"Assign `self.{name}` in `{method}`."
    call = "super().__init__(config)" if generated is None else "super().__init__(...)"
    return f"Call `{call}` in `{method}`."


def _sets(function: Function, name: str) -> bool:
    return name in _stored(function)


# ---- what members read


def _needed(source: ClassSource, state: State) -> Iterator[tuple[str, str]]:
    """Yield the attributes that a new instance needs, after the members that read them."""
    for member in _READABLE:
        found = source.find(member)
        if found is None:
            continue
        owner, statement = found
        if member in owner.in_body:
            if isinstance(statement, Function):
                for name in _reads(source, owner, statement):
                    yield member, name
        else:
            yield member, member
    yield from (("register_config", name) for name in _needed_to_register(source))


def _is_set_by_constructor(source: ClassSource, member: str) -> bool:
    """Return whether some constructor of the lineage is meant to give *member* its value."""
    methods = (cls.in_body.get(name) for cls in source.known_lineage for name in _CONSTRUCTORS)
    return any(isinstance(method, Function) and _sets(method, member) for method in methods)


def _needed_to_register(source: ClassSource) -> Iterator[str]:
    """Yield what an inherited ``register_config`` reads and only a constructor assigns."""
    found = source.find("register_config")
    init = source.find("__init__")
    if found is None or init is None or not isinstance(found[1], Function):
        return
    for name in _reads(source, found[0], found[1]):
        is_assigned = any(name in _stored_by_methods(cls) for cls in source.known_lineage)
        if not is_assigned and _is_set_by_constructor(source, name):
            yield name


@lru_cache(maxsize=2**12)
def _stored_by_methods(cls: ClassSource) -> frozenset[str]:
    """Return the attributes that the methods of a class assign, except its constructors."""
    methods = (method for name, method in cls.in_body.items() if name not in _CONSTRUCTORS)
    stored = (_stored(method) for method in methods if isinstance(method, Function))
    return frozenset[str]().union(*stored)


@lru_cache(maxsize=2**14)
def _stored(function: Function) -> frozenset[str]:
    return frozenset(
        node.attr
        for node in nodes_of(function)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    )


def _reads(
    source: ClassSource, owner: ClassSource, function: Function, seen: set[int] | None = None
) -> Iterator[str]:
    """Yield the attributes of the instance that every call of a method reads."""
    seen = set() if seen is None else seen
    parameters = [*function.args.posonlyargs, *function.args.args]
    if not parameters or id(function) in seen:
        return
    seen.add(id(function))
    for node in _executed(function.body):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Load()) if (
                name == parameters[0].arg
            ):
                inner = _method(source, attribute)
                if inner is None:
                    yield attribute
                else:
                    yield from _reads(source, *inner, seen)
            case ast.Attribute(value=value, attr=attribute) if is_super(value):
                for cls in Walker(source, _generated).after(owner):
                    statement = cls and cls.in_body.get(attribute)
                    if cls is not None and isinstance(statement, Function):
                        yield from _reads(source, cls, statement, seen)
                        break
            case _:
                pass


def _executed(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes that are executed in every call, up to the first that may not be."""
    for statement in body:
        match statement:
            case ast.If(test=test) | ast.While(test=test):
                yield from _evaluated(test)
                return
            case ast.With(items=items, body=inner):
                for item in items:
                    yield from _evaluated(item.context_expr)
                yield from _executed(inner)
            case ast.Try() | ast.For() | ast.Match() | ast.AsyncWith() | ast.AsyncFor():
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case ast.Return() | ast.Raise():
                yield from _evaluated(statement)
                return
            case _:
                yield from _evaluated(statement)


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BoolOp(values=[first, *_]):
            yield from _evaluated(first)
        case ast.IfExp(test=test):
            yield from _evaluated(test)
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            pass
        case _:
            yield node
            for child in children(node):
                yield from _evaluated(child)
