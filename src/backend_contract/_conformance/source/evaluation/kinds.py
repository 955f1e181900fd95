"""The kinds of the values that expressions have, as far as the source shows them.

A kind is the name of a class, such as ``str``, ``NoneType`` or ``threading.Event``. An expression
has several if it may have either, and none is known of one that cannot be followed.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.definitions import (
    definition_of,
    dotted_name,
    unquoted,
)
from backend_contract._conformance.source.evaluation.conditions import decides
from backend_contract._conformance.source.evaluation.scopes import Alternatives, is_overload
from backend_contract._conformance.source.evaluation.standard_library import (
    ATTRIBUTES,
    FUNCTIONS,
    STRING_METHODS,
)
from backend_contract._conformance.source.execution import nodes_of
from backend_contract._conformance.source.modules import (
    ClassSource,
    Function,
    Module,
    ModuleFinder,
)
from backend_contract._conformance.source.parsing import unparse, walk
from backend_contract.errors import CouldNotCheckError

__all__ = [
    "Context",
    "Kind",
    "Kinds",
    "is_field",
    "kinds_of",
    "kinds_of_annotation",
    "literals_of",
    "read_kinds",
]

_MAX_DEPTH = 25


class Kind(NamedTuple):
    """The kind of a value: the name of its class, and its definition if it has one."""

    name: str
    cls: ClassSource | None = None
    """The class of an instance, or the class itself if the kind is ``type``."""
    function: Function | ast.Lambda | None = None
    owner: ClassSource | None = None
    """The class that defines the function."""


Kinds = tuple[Kind, ...] | None
"""Every kind that a value may have; ``None`` if it cannot be followed."""


class Context(NamedTuple):
    """The place of an expression, which tells what its names mean."""

    module: Module
    modules: ModuleFinder
    cls: ClassSource | None = None
    """The class whose body or method it is in."""
    function: Function | ast.Lambda | None = None
    """The function that it is in, if any."""
    target: ClassSource | None = None
    """The class whose instance ``self`` is."""
    depth: int = 0

    def deeper(self) -> Context:
        """Return the same place, one step further from the expression that was asked for."""
        return self._replace(depth=self.depth + 1)

    def of_class(self, cls: ClassSource) -> Context:
        """Return the body of a class as the place."""
        return Context(cls.module, cls.modules, cls, None, self.target, self.depth + 1)


STR, INT, FLOAT, BOOL, BYTES = (Kind(name) for name in ("str", "int", "float", "bool", "bytes"))
NONE, LIST, TUPLE, TYPE = (Kind(name) for name in ("NoneType", "list", "tuple", "type"))

_DISPLAYS: dict[type[ast.expr], str] = {
    ast.JoinedStr: "str",
    ast.Tuple: "tuple",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.GeneratorExp: "generator",
}
_TRANSPARENT = {
    "functools.cache", "functools.lru_cache", "builtins.staticmethod", "builtins.classmethod",
    "typing.dataclass_transform", "typing_extensions.dataclass_transform",
    "typing.override", "typing.final", "typing_extensions.override", "typing_extensions.final",
}  # fmt: skip
_WRAPPERS = {
    "builtins.property": "property",
    "functools.cached_property": "cached_property",
    "builtins.staticmethod": "staticmethod",
    "builtins.classmethod": "function",
}
_OPAQUE_PROPERTY = "property of a getter that cannot be followed"
_NUMBERS = ("bool", "int", "float", "complex")


def _known(*names: str) -> Kinds:
    return tuple(Kind(name) for name in names)


def union(parts: Iterable[Kinds]) -> Kinds:
    """Return the kinds of a value that is one of several."""
    whole: dict[Kind, None] = {}
    for part in parts:
        if part is None:
            return None
        whole |= dict.fromkeys(part)
    return tuple(whole)


def kinds_of(node: ast.expr, at: Context) -> Kinds:
    """Return the kinds of the value of an expression, or ``None`` if it cannot be followed."""
    if at.depth > _MAX_DEPTH:
        return None
    at = at.deeper()
    match node:
        case ast.Constant(value=value):
            return _known("ellipsis" if value is ... else type(value).__name__)
        case ast.Lambda():
            return (Kind("function", function=node, owner=at.cls),)
        case ast.IfExp():
            return union(kinds_of(each, at) for each in _chosen(node, at))
        case ast.BoolOp(op=op, values=values):
            return _of_choice(op, [kinds_of(each, at) for each in values])
        case ast.NamedExpr(value=value):
            return kinds_of(value, at)
        case ast.UnaryOp(op=ast.Not()):
            return (BOOL,)
        case ast.UnaryOp(operand=operand):
            kinds = kinds_of(operand, at)
            return (
                _known(*("int" if k.name == "bool" else k.name for k in kinds))
                if kinds and all(k.name in _NUMBERS for k in kinds)
                else None
            )
        case ast.Compare():
            return _of_comparison(node, at)
        case ast.BinOp():
            return _of_operation(node, at)
        case ast.Call():
            return _of_call(node, at)
        case ast.Subscript():
            return _of_subscript(node, at)
        case ast.Name() | ast.Attribute():
            return _of_name(node, at)
        case _:
            name = _DISPLAYS.get(type(node))
            return _known(name) if name else None


def _chosen(node: ast.IfExp, at: Context) -> list[ast.expr]:
    """Return the expressions of which a conditional one may have the value."""
    outcome = decides(at.modules.version)(node.test)
    if outcome is None:
        return [node.body, node.orelse]
    return [node.body if outcome else node.orelse]


def _of_choice(op: ast.boolop, operands: Sequence[Kinds]) -> Kinds:
    parts: list[Kinds] = []
    for kinds in operands[:-1]:
        if kinds is not None and isinstance(op, ast.Or):
            kinds = tuple(kind for kind in kinds if kind != NONE)
        parts.append(kinds)
    return union([*parts, operands[-1]])


def _of_comparison(node: ast.Compare, at: Context) -> Kinds:
    if all(isinstance(op, ast.In | ast.NotIn | ast.Is | ast.IsNot) for op in node.ops):
        return (BOOL,)
    operands = [kinds_of(each, at) for each in (node.left, *node.comparators)]
    is_plain = [k is not None and all(kind.cls is None for kind in k) for k in operands]
    return (BOOL,) if any(is_plain) else None


def _of_operation(node: ast.BinOp, at: Context) -> Kinds:
    left, right = kinds_of(node.left, at), kinds_of(node.right, at)
    if left == (STR,) and isinstance(node.op, ast.Mod):
        return (STR,)
    if left is None or right is None:
        return None
    names = {kind.name for kind in (*left, *right)}
    if left == right and isinstance(node.op, ast.Add):
        return left if left[0].name in ("str", "bytes", "list", "tuple", "int", "float") else None
    if isinstance(node.op, ast.Mult) and names == {"str", "int"}:
        return (STR,)
    if names <= {"int", "bool"} and not isinstance(node.op, ast.Div):
        return (
            (BOOL,)
            if names == {"bool"} and isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor)
            else (INT,)
        )
    return (FLOAT,) if names <= {"int", "bool", "float"} else None


def _of_subscript(node: ast.Subscript, at: Context) -> Kinds:
    if _full_name(node.value, at) == "os.environ":
        return (STR,)
    kinds = kinds_of(node.value, at)
    if kinds == (STR,):
        return (STR,)
    if isinstance(node.value, ast.Tuple | ast.List):
        match node.slice:
            case ast.Constant(value=int(number)) if (
                -len(node.value.elts) <= number < len(node.value.elts)
            ):
                return kinds_of(node.value.elts[number], at)
            case _:
                pass
    return _of_items(node.value, at)


def _of_items(node: ast.expr, at: Context) -> Kinds:
    """Return the kinds of the items of a list, tuple or dict that the module defines."""
    parts = dotted_name(node)
    if not parts or at.function is not None or _local(parts[0], at) is not None:
        return None
    found = definition_of(node, at.module, at.modules)
    if found is None or found.module is None:
        return None
    there = Context(found.module, at.modules, depth=at.depth)
    match found.statement:
        case (
            ast.Assign(value=ast.List(elts=items) | ast.Tuple(elts=items) | ast.Dict(values=items))
            | ast.AnnAssign(
                value=ast.List(elts=items) | ast.Tuple(elts=items) | ast.Dict(values=items)
            )
        ) if items:
            return union(kinds_of(each, there) for each in items)
        case _:
            return None


# ---- names


def _full_name(node: ast.expr, at: Context) -> str:
    """Return the full name of a dotted name at module level, or an empty string."""
    parts = dotted_name(node)
    if not parts or _local(parts[0], at) is not None:
        return ""
    found = definition_of(node, at.module, at.modules)
    return found.name if found is not None else ""


def _local(name: str, at: Context) -> Alternatives | None:
    """Return the bindings of a name in the class body, if the expression stands there."""
    if at.cls is None or at.function is not None:
        return None
    found = at.cls.scope.bindings.get(name)
    return found if found and found != (None,) else None


def _of_name(node: ast.expr, at: Context) -> Kinds:
    parts = dotted_name(node)
    if not parts:
        return _of_attribute(node, at)
    if at.function is not None:
        parameter = _parameter(parts[0], at.function)
        if parameter is not None:
            return _of_parameter(parts, parameter, at)
        if _is_bound_in(parts[0], at.function):
            return _of_variable(parts, at)
    local = _local(parts[0], at)
    if local is not None:
        kinds = _of_alternatives(local, at)
        return _attributes(kinds, parts[1:], at)
    return _of_global(node, parts, at)


def _parameter(name: str, function: Function | ast.Lambda) -> ast.arg | None:
    given = function.args
    several = [given.vararg, given.kwarg]
    whole = [*given.posonlyargs, *given.args, *given.kwonlyargs, *(a for a in several if a)]
    return next((each for each in whole if each.arg == name), None)


def _of_parameter(parts: list[str], parameter: ast.arg, at: Context) -> Kinds:
    function = at.function
    assert function is not None
    positional = [*function.args.posonlyargs, *function.args.args]
    if positional and parameter is positional[0] and at.cls is not None and at.target is not None:
        return _of_self(parts[1:], at)
    if _is_bound_in(parameter.arg, function) or parameter in (
        function.args.vararg,
        function.args.kwarg,
    ):
        return None
    kinds = kinds_of_annotation(parameter.annotation, at) if parameter.annotation else None
    return _attributes(kinds, parts[1:], at)


def _of_self(parts: list[str], at: Context) -> Kinds:
    """Return the kinds of an attribute of the instance."""
    if not parts or at.target is None:
        return None
    found = at.target.find(parts[0])
    if found is None:
        return None
    owner, statement = found
    if isinstance(statement, Function):
        kinds = _of_member(statement, owner, at)
        bound = tuple(_bound(kind) for kind in kinds) if kinds is not None else None
        return _attributes(bound, parts[1:], at)
    if isinstance(statement, ast.AnnAssign):
        kinds = kinds_of_annotation(statement.annotation, at.of_class(owner))
        return _attributes(kinds, parts[1:], at)
    return None


def _bound(kind: Kind) -> Kind:
    return kind._replace(name="method") if kind.name == "function" else kind


def _of_member(function: Function, owner: ClassSource, at: Context) -> Kinds:
    """Return the kinds of the value that a method or property has on an instance."""
    names = {unparse(each).rpartition(".")[2] for each in function.decorator_list}
    if names & {"property", "cached_property", "getter"}:
        return result_of(function, at.of_class(owner))
    return (Kind("function", function=function, owner=owner),)


def _is_bound_in(name: str, function: Function | ast.Lambda) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in walk(function)
    ) or any(
        isinstance(node, Function | ast.ClassDef) and node.name == name and node is not function
        for node in walk(function)
    )


def _of_variable(parts: list[str], at: Context) -> Kinds:
    """Return the kinds of a local variable, if plain assignments alone bind it."""
    assert at.function is not None
    values: list[Kinds] = []
    stores = 0
    for node in walk(at.function):
        if isinstance(node, ast.Name) and node.id == parts[0] and isinstance(node.ctx, ast.Store):
            stores += 1
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == parts[0]:
                values.append(kinds_of(value, at))
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotated) if name == parts[0]:
                values.append(kinds_of_annotation(annotated, at))
            case _:
                pass
    if stores != len(values):
        return None
    return _attributes(union(values), parts[1:], at)


def _of_alternatives(alternatives: Alternatives, at: Context) -> Kinds:
    """Return the kinds of a name with these bindings in a class body or module."""
    parts: list[Kinds] = []
    for binding in alternatives:
        match binding:
            case None:
                return None
            case (ast.AnnAssign(annotation=annotated), value):
                kinds = kinds_of(value, at) if value is not None else None
                parts.append(kinds or kinds_of_annotation(annotated, at))
            case (_, ast.expr() as value):
                parts.append(kinds_of(value, at))
            case (ast.FunctionDef() | ast.AsyncFunctionDef() as function, _):
                parts.append(_of_decorated(function, at))
            case (ast.ClassDef() as inner, _):
                parts.append((Kind("type", at.modules.class_of(at.module, inner)),))
            case _:
                parts.append(None)
    return union(parts)


def _of_decorated(function: Function, at: Context) -> Kinds:
    names = {_full_name(_callee(each), at) for each in function.decorator_list}
    if names <= _TRANSPARENT:
        return (Kind("function", function=function, owner=at.cls),)
    if names == {"builtins.property"}:
        return (Kind("property", function=function, owner=at.cls),)
    return None


def _callee(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _of_global(node: ast.expr, parts: list[str], at: Context) -> Kinds:
    """Return the kinds of a name of the module, followed through imports."""
    found = definition_of(node, at.module, at.modules)
    if found is None:
        return None
    if found.module is None:
        return _of_standard(found.name)
    there = Context(found.module, at.modules, target=at.target, depth=at.depth)
    bound, *rest = found.name.removeprefix(f"{found.module.name}.").split(".")
    if isinstance(found.statement, ast.ClassDef):
        return _of_class(found.module, bound, rest, there)
    alternatives = found.module.scope(at.modules.version).bindings.get(bound)
    if not alternatives:
        return None
    return _attributes(_of_alternatives(alternatives, there), rest, there)


def _of_class(module: Module, name: str, rest: list[str], at: Context) -> Kinds:
    try:
        cls = at.modules.find_class(module, [name])
    except CouldNotCheckError:
        return None
    return _attributes((Kind("type", cls),), rest, at)


def _of_standard(name: str) -> Kinds:
    """Return the kinds of a name of the standard library."""
    if name in ATTRIBUTES:
        return _known(ATTRIBUTES[name])
    module, _, last = name.rpartition(".")
    if module == "builtins" and isinstance(getattr(builtins, last, None), type):
        return (Kind("type", function=None),)
    if module == "builtins" and callable(getattr(builtins, last, None)):
        return _known("builtin_function_or_method")
    return _known(f"type[{name}]") if _of_standard_class(name) else None


# ---- attributes


def _attributes(kinds: Kinds, names: Sequence[str], at: Context) -> Kinds:
    for name in names:
        kinds = union(_attribute(kind, name, at) for kind in kinds) if kinds else None
    return kinds


def _of_attribute(node: ast.expr, at: Context) -> Kinds:
    if isinstance(node, ast.Attribute):
        return _attributes(kinds_of(node.value, at), [node.attr], at)
    return None


def _attribute(kind: Kind, name: str, at: Context) -> Kinds:
    if name in ("__name__", "__qualname__", "__module__", "__doc__"):
        return (STR,) if name != "__doc__" and kind.name in ("type", "function") else None
    if kind.cls is None:
        return None
    if is_enumeration(kind.cls):
        return _of_enumeration(kind, name, at)
    found = kind.cls.find(name)
    if found is None or name not in found[0].in_body:
        return None
    owner = found[0]
    alternatives = owner.scope.bindings.get(name)
    if kind.name != "type" and isinstance(found[1], Function):
        return _of_member(found[1], owner, at)
    return _of_alternatives(alternatives, at.of_class(owner)) if alternatives else None


def _of_enumeration(kind: Kind, name: str, at: Context) -> Kinds:
    cls = kind.cls
    assert cls is not None
    if kind.name == "type":
        statement = cls.in_body.get(name)
        return (
            (Kind("enum", cls, None),)
            if statement and not isinstance(statement, Function)
            else None
        )
    if name in ("name", "_name_"):
        return (STR,)
    if name in ("value", "_value_"):
        if is_string(kind):
            return (STR,)
        values = [
            kinds_of(each.value, at.of_class(cls))
            for each in cls.in_body.values()
            if not isinstance(each, Function) and each.value is not None
        ]
        return union(values) if values else None
    found = cls.find(name)
    return _of_member(found[1], found[0], at) if found and isinstance(found[1], Function) else None


@lru_cache(maxsize=4096)
def ancestor_names(cls: ClassSource) -> frozenset[str]:
    """Return the full names of all bases of a class, as far as they can be followed."""
    names: set[str] = set()
    for each in cls.known_lineage:
        for base in each.node.bases:
            generic = base.value if isinstance(base, ast.Subscript) else base
            found = definition_of(generic, each.module, each.modules)
            names.add(found.name if found is not None else "")
    return frozenset(names)


def is_enumeration(cls: ClassSource) -> bool:
    """Return whether a class is an enumeration."""
    return bool(
        ancestor_names(cls)
        & {f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")}
    )


def is_string(kind: Kind) -> bool:
    """Return whether instances of a kind are strings."""
    if kind.name == "str":
        return True
    return (
        kind.cls is not None
        and kind.name != "type"
        and bool(ancestor_names(kind.cls) & {"builtins.str", "enum.StrEnum"})
    )


# ---- calls


def _of_call(node: ast.Call, at: Context) -> Kinds:
    name = _full_name(node.func, at)
    if name in ("os.environ.get", "os.getenv") and len(node.args) + len(node.keywords) > 1:
        default = node.args[1] if len(node.args) > 1 else node.keywords[0].value
        return union([(STR,), kinds_of(default, at)])
    if name in FUNCTIONS:
        return _known(*FUNCTIONS[name])
    if name in _WRAPPERS:
        return _of_wrapper(_WRAPPERS[name], node, at)
    if is_field(name):
        return _of_field(node, at)
    if name.partition(".")[0] in ("attr", "attrs") and name.endswith(".Factory") and node.args:
        made = kinds_of(node.args[0], at)
        return union(_result(kind, at) for kind in made) if made else None
    if name in ("typing.cast", "typing_extensions.cast") and len(node.args) == 2:
        return kinds_of(node.args[1], at) or kinds_of_annotation(node.args[0], at)
    if _is_new_type(node.func, at) and len(node.args) == 1:
        return kinds_of(node.args[0], at)
    if name == "functools.partial":
        return _known(name)
    if name and (made := _of_standard_class(name)):
        return made
    if isinstance(node.func, ast.Attribute):
        method = _of_method(node.func, at)
        if method is not None:
            return method
    if isinstance(node.func, ast.Attribute) and _is_super(node.func.value):
        return None
    called = kinds_of(node.func, at)
    return union(_result(kind, at) for kind in called) if called else None


def _is_new_type(function: ast.expr, at: Context) -> bool:
    """Return whether a function is a ``NewType``, which returns its argument."""
    found = definition_of(function, at.module, at.modules)
    match found and found.statement:
        case ast.Assign(value=ast.Call(func=made)) if found is not None and found.module:
            origin = definition_of(made, found.module, at.modules)
            return origin is not None and origin.name in (
                "typing.NewType",
                "typing_extensions.NewType",
            )
        case _:
            return False


def is_field(name: str) -> bool:
    """Return whether a function describes a field of a dataclass, an attrs class or a model."""
    root, _, last = name.partition(".")
    makes = last.rpartition(".")[2] in ("Field", "PrivateAttr", "attrib", "field", "ib")
    return makes and root in ("attr", "attrs", "dataclasses", "pydantic")


def _of_field(node: ast.Call, at: Context) -> Kinds:
    default = next((each.value for each in node.keywords if each.arg == "default"), None)
    return kinds_of(default, at) if default is not None else None


def _of_wrapper(kind: str, node: ast.Call, at: Context) -> Kinds:
    """Return the kind of a property, or of a static method, that a call makes."""
    named = [each.value for each in node.keywords if each.arg in ("fget", "func")]
    wrapped = [*node.args[:1], *named][:1]
    if not wrapped or (isinstance(wrapped[0], ast.Constant) and wrapped[0].value is None):
        return _known(kind)
    functions = kinds_of(wrapped[0], at)
    if functions is None or len(functions) != 1 or functions[0].function is None:
        return _known(_OPAQUE_PROPERTY) if "property" in kind else None
    return (functions[0]._replace(name=kind),)


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted_name(node.func) == ["super"]


def _of_method(function: ast.Attribute, at: Context) -> Kinds:
    """Return the kinds of the result of a method of a string."""
    kinds = kinds_of(function.value, at)
    if kinds and all(is_string(kind) for kind in kinds) and function.attr in STRING_METHODS:
        return _known(STRING_METHODS[function.attr])
    return None


def _of_standard_class(name: str) -> Kinds:
    """Return the kind of an instance, if *name* is a class of the standard library."""
    module, _, last = name.rpartition(".")
    if module == "builtins":
        cls = getattr(builtins, last, None)
        is_class = isinstance(cls, type) and last not in (
            "property",
            "staticmethod",
            "classmethod",
            "super",
            "type",
        )
        return _known(last) if is_class else None
    if name in _ANYTHING:
        return None
    root = module.partition(".")[0]
    is_like_class = bool(module) and last[:1].isupper() and not last.isupper()
    if root in _STANDARD_MODULES and is_like_class:
        return _known(name)
    return None


_ANYTHING = {"collections.abc.Callable", "collections.abc.Hashable"}
"""Classes of values of any kind."""
_STANDARD_MODULES = {
    "asyncio", "collections", "concurrent", "contextlib", "contextvars", "datetime", "decimal",
    "fractions", "io", "ipaddress", "itertools", "logging", "multiprocessing", "pathlib", "queue",
    "random", "socket", "string", "subprocess", "tempfile", "threading", "types", "uuid", "weakref",
}  # fmt: skip


def _result(kind: Kind, at: Context) -> Kinds:
    """Return the kinds of the result of a call of a value of this kind."""
    if kind.name == "type" and kind.cls is not None:
        return _instance(kind.cls)
    if kind.name in ("function", "method") and isinstance(kind.function, Function):
        owner = kind.owner
        there = at.of_class(owner) if owner is not None else at
        return result_of(kind.function, there)
    if kind.name == "function" and isinstance(kind.function, ast.Lambda):
        return kinds_of(kind.function.body, at._replace(function=kind.function))
    return None


def read_kinds(kinds: Kinds, at: Context, *, on_class: bool) -> Kinds:
    """Return the kinds that reading an attribute gives, if its value is of *kinds*.

    Properties and other descriptors give another value, and may give another one on the class.
    """
    return union(_read(kind, at, on_class) for kind in kinds) if kinds is not None else None


def _read(kind: Kind, at: Context, on_class: bool) -> Kinds:
    if kind.name in ("property", "cached_property"):
        if on_class:
            return _known(kind.name)
        if kind.function is None:
            return _known("property without a getter")
        return _result(kind._replace(name="function"), at)
    if kind.name == _OPAQUE_PROPERTY and not on_class:
        return None
    if kind.cls is None or kind.name in ("type", "enum"):
        return (kind,)
    if kind.cls.has_unknown_base and not is_string(kind):
        return None
    getters = [
        statement
        for cls in kind.cls.known_lineage
        for statement in cls.statements
        if isinstance(statement, Function) and statement.name == "__get__"
    ]
    return _of_getters(getters, at.of_class(kind.cls), on_class) if getters else (kind,)


def _of_getters(getters: Sequence[Function], at: Context, on_class: bool) -> Kinds:
    """Return the kinds that a descriptor gives, by the overload for the class or the instance."""
    overloads = [each for each in getters if is_overload(each)]
    if not overloads:
        return result_of(getters[0], at)
    for overload in overloads:
        positional = [*overload.args.posonlyargs, *overload.args.args]
        annotated = positional[1].annotation if len(positional) > 1 else None
        is_none = isinstance(annotated, ast.Constant) and annotated.value is None
        if is_none is on_class:
            return result_of(overload, at)
    return None


def _instance(cls: ClassSource) -> Kinds:
    has_factory = any(
        "__new__" in each.in_body or any(k.arg == "metaclass" for k in each.node.keywords)
        for each in cls.known_lineage
    )
    if is_enumeration(cls):
        return (Kind("enum", cls),)
    return None if has_factory else (Kind(cls.node.name, cls),)


def result_of(function: Function, at: Context) -> Kinds:
    """Return the kinds of the results of a function."""
    if isinstance(function, ast.AsyncFunctionDef):
        return _known("coroutine")
    if function.returns is not None:
        return kinds_of_annotation(function.returns, at)
    return _of_returned(function, at)


def _of_returned(function: Function, at: Context) -> Kinds:
    """Return the kinds of the values that an unannotated function returns."""
    nodes = nodes_of(function)
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes):
        return _known("generator")
    inside = at._replace(function=function)
    returns = [node for node in nodes if isinstance(node, ast.Return)]
    values = [kinds_of(each.value, inside) if each.value else (NONE,) for each in returns]
    if not isinstance(function.body[-1], ast.Return | ast.Raise):
        return None if returns else (NONE,)
    return union(values) if values else None


# ---- annotations


def kinds_of_annotation(annotated: ast.expr, at: Context) -> Kinds:
    """Return the kinds of the values that an annotation promises."""
    if at.depth > _MAX_DEPTH:
        return None
    at = at.deeper()
    match unquoted(annotated):
        case ast.Constant(value=None):
            return (NONE,)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union([kinds_of_annotation(left, at), kinds_of_annotation(right, at)])
        case ast.Subscript(value=generic, slice=inner):
            return _of_generic(_annotation_name(generic, at), generic, inner, at)
        case name:
            return _of_annotated_class(name, at)


def _annotation_name(node: ast.expr, at: Context) -> str:
    found = definition_of(node, at.module, at.modules)
    return found.name if found is not None else ""


def _of_generic(name: str, generic: ast.expr, inner: ast.expr, at: Context) -> Kinds:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match name.rpartition(".")[2]:
        case "Optional":
            return union([*(kinds_of_annotation(each, at) for each in parts), (NONE,)])
        case "Union":
            return union(kinds_of_annotation(each, at) for each in parts)
        case "ClassVar" | "Final" | "Annotated" | "Required":
            return kinds_of_annotation(parts[0], at)
        case "Literal":
            return union(kinds_of(each, at) for each in parts)
        case _:
            return _of_annotated_class(generic, at)


def _of_annotated_class(node: ast.expr, at: Context) -> Kinds:
    found = definition_of(node, at.module, at.modules)
    if found is None:
        return None
    if found.module is None:
        module, _, last = found.name.rpartition(".")
        if module in ("typing", "typing_extensions"):
            return (STR,) if last == "LiteralString" else None
        if module == "builtins":
            cls = getattr(builtins, last, None)
            return _known(last) if isinstance(cls, type) and last != "object" else None
        return _known(found.name) if _of_standard_class(found.name) else None
    if isinstance(found.statement, ast.ClassDef):
        name = found.name.removeprefix(f"{found.module.name}.").split(".")
        try:
            cls = at.modules.find_class(found.module, name)
        except CouldNotCheckError:
            return None
        return (Kind("enum" if is_enumeration(cls) else cls.node.name, cls),)
    return None


# ---- literals


def literals_of(node: ast.expr, at: Context) -> tuple[object, ...] | None:
    """Return the literals that an expression may have as its value, or ``None``."""
    if at.depth > _MAX_DEPTH:
        return None
    at = at.deeper()
    match node:
        case ast.Constant(value=value):
            return (value,)
        case ast.NamedExpr(value=value):
            return literals_of(value, at)
        case ast.IfExp():
            found = [literals_of(each, at) for each in _chosen(node, at)]
            return None if None in found else tuple(each for part in found for each in part or ())
        case ast.Call(
            func=ast.Attribute(value=text, attr=("upper" | "lower" | "strip") as name), args=[]
        ):
            return _applied(literals_of(text, at), name)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([literals_of(left, at), literals_of(right, at)])
        case ast.JoinedStr(values=values):
            return _joined([literals_of(each, at) for each in values])
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return literals_of(value, at)
        case ast.Name():
            return _literals_of_name(node, at)
        case _:
            return None


def _applied(values: tuple[object, ...] | None, method: str) -> tuple[object, ...] | None:
    if values is None or not all(isinstance(each, str) for each in values):
        return None
    return tuple(getattr(each, method)() for each in values)


def _joined(parts: Sequence[tuple[object, ...] | None]) -> tuple[object, ...] | None:
    whole = ""
    for part in parts:
        if part is None or len(part) != 1 or not isinstance(part[0], str):
            return None
        whole += part[0]
    return (whole,)


def _literals_of_name(node: ast.Name, at: Context) -> tuple[object, ...] | None:
    if at.function is not None and (
        _parameter(node.id, at.function) or _is_bound_in(node.id, at.function)
    ):
        return None
    local = _local(node.id, at)
    if local is None:
        found = definition_of(node, at.module, at.modules)
        if found is None or found.module is None:
            return None
        at = Context(found.module, at.modules, depth=at.depth)
        bound = found.name.removeprefix(f"{found.module.name}.")
        local = found.module.scope(at.modules.version).bindings.get(bound)
    values = [each and each.value and literals_of(each.value, at) for each in local or (None,)]
    if not all(values):
        return None
    return tuple(value for each in values if each for value in each)
