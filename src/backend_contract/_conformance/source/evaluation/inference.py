"""The kinds of the values that expressions and annotations have, as far as the source shows."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Sequence
from copy import copy

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.definitions import (
    definition_of,
    dotted_name,
    name_of,
    unquoted,
)
from backend_contract._conformance.source.evaluation.kinds import (
    BOOL,
    FLOAT,
    INT,
    LIST,
    MAX_DEPTH,
    NONE,
    STR,
    TUPLE,
    Context,
    Kind,
    Kinds,
    has_plain_values,
    is_enumeration,
    is_string,
    known,
    union,
)
from backend_contract._conformance.source.evaluation.standard_library import (
    FUNCTIONS,
    WRAPPERS,
    of_standard_class,
    of_standard_method,
    of_standard_name,
)
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    children,
    decorator_names,
    is_generator,
    is_none,
    is_super,
    last_part,
    nodes_of,
    positional_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.reachability import live_returns
from backend_contract._conformance.source.scopes import Alternatives, Binding, decides, is_overload

_DISPLAYS: dict[type[ast.expr], Kinds] = {
    ast.JoinedStr: (STR,),
    ast.Tuple: (TUPLE,),
    ast.List: (LIST,),
    ast.ListComp: (LIST,),
    ast.Dict: (Kind("dict"),),
    ast.DictComp: (Kind("dict"),),
    ast.Set: (Kind("set"),),
    ast.SetComp: (Kind("set"),),
    ast.GeneratorExp: (Kind("generator"),),
}
_TRANSPARENT = {
    "functools.cache", "functools.lru_cache", "builtins.staticmethod", "builtins.classmethod",
    "typing.dataclass_transform", "typing_extensions.dataclass_transform",
    "typing.override", "typing.final", "typing_extensions.override", "typing_extensions.final",
}  # fmt: skip
_OPAQUE_PROPERTY = "property of a getter that cannot be followed"
_PLAIN = {"final", "override", "property"}
"""Decorators after which a method of a base class is what its source shows."""
_NUMBERS = ("bool", "int", "float", "complex")


def kinds_of(node: ast.expr, at: Context) -> Kinds:
    """Return the kinds of the value of an expression, or ``None`` if it cannot be followed."""
    if at.depth > MAX_DEPTH:
        return None
    at = at.deeper()
    match node:
        case ast.Constant(value=value):
            return known("ellipsis" if value is ... else type(value).__name__)
        case ast.Lambda():
            return (Kind("function", function=node, owner=at.cls),)
        case ast.IfExp():
            return _of_each(chosen_branches(node, at), at)
        case ast.BoolOp():
            return _of_choice(node, at)
        case ast.NamedExpr(value=value):
            return kinds_of(value, at)
        case ast.UnaryOp(op=ast.Not()):
            return (BOOL,)
        case ast.UnaryOp(operand=operand):
            return _of_sign(kinds_of(operand, at))
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
            return _DISPLAYS.get(type(node))


def _of_each(nodes: Iterable[ast.expr], at: Context) -> Kinds:
    return union(kinds_of(each, at) for each in nodes)


def chosen_branches(node: ast.IfExp, at: Context) -> list[ast.expr]:
    """Return the expressions of which a conditional one may have the value."""
    outcome = decides(at.modules.version)(node.test)
    if outcome is None:
        return [node.body, node.orelse]
    return [node.body if outcome else node.orelse]


def _of_choice(node: ast.BoolOp, at: Context) -> Kinds:
    *parts, last = [kinds_of(each, at) for each in node.values]
    if isinstance(node.op, ast.Or):
        parts = [kinds and tuple(kind for kind in kinds if kind != NONE) for kinds in parts]
    return union([*parts, last])


def _of_sign(kinds: Kinds) -> Kinds:
    if not kinds or not all(kind.name in _NUMBERS for kind in kinds):
        return None
    return tuple(INT if kind == BOOL else kind for kind in kinds)


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
    if left == right and isinstance(node.op, ast.Add):
        return left if left[0].name in ("str", "bytes", "list", "tuple", "int", "float") else None
    names = {kind.name for kind in (*left, *right)}
    if isinstance(node.op, ast.Mult) and names == {"str", "int"}:
        return (STR,)
    return _of_arithmetic(node.op, names)


def _of_arithmetic(op: ast.operator, names: set[str]) -> Kinds:
    if names == {"bool"} and isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor):
        return (BOOL,)
    if names <= {"int", "bool"} and not isinstance(op, ast.Div):
        return (INT,)
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
    parts = dotted_name(node)
    if not parts or at.function is not None or local_bindings(parts[0], at) is not None:
        return None
    found = definition_of(node, at)
    if found is None or found.module is None:
        return None
    match getattr(found.statement, "value", None):
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Dict(values=items) if items:
            return _of_each(items, at.of_module(found.module))
        case _:
            return None


# ---- names


def _full_name(node: ast.expr, at: Context) -> str:
    """Return the full name of a dotted name at module level, or an empty string."""
    parts = dotted_name(node)
    if not parts or local_bindings(parts[0], at) is not None:
        return ""
    return name_of(node, at)


def local_bindings(name: str, at: Context) -> Alternatives | None:
    """Return the bindings of a name in the class body, if the expression stands there."""
    if at.cls is None or at.function is not None:
        return None
    found = at.cls.scope.bindings.get(name)
    return found if found and found != (None,) else None


def _of_name(node: ast.expr, at: Context) -> Kinds:
    parts = dotted_name(node)
    if isinstance(node, ast.Attribute) and is_super(node.value):
        found = next_after(node, at)
        kinds = _of_member(found[1], found[0], at) if found else None
        return tuple(_bound(kind) for kind in kinds) if kinds is not None else None
    if isinstance(node, ast.Attribute) and not parts:
        return _attributes(kinds_of(node.value, at), [node.attr], at)
    if at.function is not None:
        parameter = parameter_named(parts[0], at.function)
        if parameter is not None:
            return _of_parameter(parts, parameter, at)
        if is_bound_in(parts[0], at.function):
            return _of_variable(parts, at)
    local = local_bindings(parts[0], at)
    if local is not None:
        kinds = _of_alternatives(local, at)
        return _attributes(kinds, parts[1:], at)
    return _of_global(node, parts, at)


def parameter_named(name: str, function: Function | ast.Lambda) -> ast.arg | None:
    """Return the parameter of a function with that name, if it has one."""
    given = function.args
    whole = [*positional_of(given), *given.kwonlyargs, given.vararg, given.kwarg]
    return next((each for each in whole if each and each.arg == name), None)


def _of_parameter(parts: list[str], parameter: ast.arg, at: Context) -> Kinds:
    function = at.function
    assert function is not None
    if at.cls is not None and parameter in positional_of(function.args)[:1]:
        if parts[1:] in (["__name__"], ["__qualname__"]):
            return (STR,)
        if at.target is not None:
            return _of_self(parts[1:], at)
    if is_bound_in(parameter.arg, function) or parameter in (
        function.args.vararg,
        function.args.kwarg,
    ):
        return None
    kinds = kinds_of_annotation(parameter.annotation, at) if parameter.annotation else None
    return _attributes(kinds, parts[1:], at)


def _of_self(parts: list[str], at: Context) -> Kinds:
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


def next_after(node: ast.Attribute, at: Context) -> tuple[ClassSource, Function] | None:
    """Return the method, or the getter, that an attribute of ``super()`` means, and its class."""
    lineage = at.target.lineage if at.target is not None else []
    if at.cls not in lineage or unparse(node.value) != "super()":
        return None
    for cls in lineage[lineage.index(at.cls) + 1 :]:
        alternatives = cls.scope.bindings.get(node.attr) if cls is not None else ()
        match alternatives:
            case None:
                continue
            case [Binding(statement=statement, value=None)] if cls is not None:
                if isinstance(statement, Function) and decorator_names(statement) <= _PLAIN:
                    return cls, statement
                return None
            case _:
                return None
    return None


def _bound(kind: Kind) -> Kind:
    return kind._replace(name="method") if kind.name == "function" else kind


def _of_member(function: Function, owner: ClassSource, at: Context) -> Kinds:
    names = decorator_names(function)
    if names & {"property", "cached_property", "getter"}:
        return result_of(function, at.of_class(owner))
    return (Kind("function", function=function, owner=owner),)


def is_bound_in(name: str, function: Function | ast.Lambda) -> bool:
    """Return whether a function assigns or defines a local name."""
    return any(
        (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store))
        or (isinstance(node, Function | ast.ClassDef) and node.name == name)
        for child in children(function)
        for node in walk(child)
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
            case ast.FunctionDef(name=name, decorator_list=[]) if name == parts[0]:
                values.append((Kind("function", function=node),))
                stores += 1
            case _:
                pass
    if stores != len(values):
        return None
    return _attributes(union(values), parts[1:], at)


def _of_alternatives(alternatives: Alternatives, at: Context) -> Kinds:
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
    names = {_full_name(callee_of(each), at) for each in function.decorator_list}
    if names <= _TRANSPARENT:
        return (Kind("function", function=function, owner=at.cls),)
    if names == {"builtins.property"}:
        return (Kind("property", function=function, owner=at.cls),)
    return None


def _of_global(node: ast.expr, parts: list[str], at: Context) -> Kinds:
    found = definition_of(node, at)
    if found is None:
        return None
    if found.module is None:
        return of_standard_name(found.name)
    there = at.of_module(found.module)
    bound, *rest = found.parts
    if isinstance(found.statement, ast.ClassDef):
        cls = at.modules.class_at(found.module, [bound])
        return _attributes((Kind("type", cls),), rest, there) if cls else None
    alternatives = found.module.scope(at.modules.version).bindings.get(bound)
    if not alternatives:
        return None
    return _attributes(_of_alternatives(alternatives, there), rest, there)


# ---- attributes


def _attributes(kinds: Kinds, names: Sequence[str], at: Context) -> Kinds:
    for name in names:
        kinds = union(_attribute(kind, name, at) for kind in kinds) if kinds else None
    return kinds


def _attribute(kind: Kind, name: str, at: Context) -> Kinds:
    if name in ("__name__", "__qualname__", "__module__", "__doc__"):
        return (STR,) if name != "__doc__" and kind.name in ("type", "function") else None
    if kind.cls is None:
        return known("builtin_function_or_method") if of_standard_method((kind,), name) else None
    if is_enumeration(kind.cls):
        return _of_enumeration(kind, kind.cls, name, at)
    found = kind.cls.find(name)
    if found is None or name not in found[0].in_body:
        return None
    owner = found[0]
    alternatives = owner.scope.bindings.get(name)
    if kind.name != "type" and isinstance(found[1], Function):
        return _of_member(found[1], owner, at)
    return _of_alternatives(alternatives, at.of_class(owner)) if alternatives else None


def _of_enumeration(kind: Kind, cls: ClassSource, name: str, at: Context) -> Kinds:
    if kind.name == "type":
        is_member = not isinstance(cls.in_body.get(name), Function | None)
        return (Kind("enum", cls),) if is_member else None
    if name in ("name", "_name_"):
        return (STR,)
    if name in ("value", "_value_") and (is_string(kind) or has_plain_values(cls)):
        return (STR,) if is_string(kind) else _of_values(cls, at)
    match cls.find(name):
        case (owner, ast.FunctionDef() | ast.AsyncFunctionDef() as function):
            return _of_member(function, owner, at)
        case _:
            return None


def _of_values(cls: ClassSource, at: Context) -> Kinds:
    """Return the kinds of the values of all members of an enumeration, if they are the same."""
    values = {
        kinds_of(each.value, at.of_class(cls))
        for each in cls.in_body.values()
        if not isinstance(each, Function) and each.value is not None
    }
    return values.pop() if len(values) == 1 else None


# ---- calls


def _of_call(node: ast.Call, at: Context) -> Kinds:
    name = _full_name(node.func, at)
    match name, [*node.args, *(each.value for each in node.keywords)]:
        case "os.environ.get" | "os.getenv", [_, default, *_]:
            return union([(STR,), kinds_of(default, at)])
        case "typing.cast" | "typing_extensions.cast", [annotated, value] if len(node.args) == 2:
            return kinds_of(value, at) or kinds_of_annotation(annotated, at)
        case _, [value] if node.args and _is_new_type(node.func, at):
            return kinds_of(value, at)
        case "functools.partialmethod", [function, *_] if node.args:
            return _of_partial_method(node, kinds_of(function, at))
        case _:
            pass
    if name in FUNCTIONS:
        return known(*FUNCTIONS[name])
    if name in WRAPPERS:
        return _of_wrapper(WRAPPERS[name], node, at)
    if is_field(name):
        return _of_field(name, node, at)
    if re.fullmatch(r"attrs?\.(.+\.)?Factory", name) and node.args:
        return _results(node.args[0], at)
    return of_standard_class(name) or _of_method(node.func, at) or _results(node.func, at)


def _results(function: ast.expr, at: Context) -> Kinds:
    called = kinds_of(function, at)
    return union(_result(kind, at) for kind in called) if called else None


def _is_new_type(function: ast.expr, at: Context) -> bool:
    found = definition_of(function, at)
    match found and found.statement:
        case ast.Assign(value=ast.Call(func=made)) if found is not None and found.module:
            origin = name_of(made, at._replace(module=found.module))
            return origin in ("typing.NewType", "typing_extensions.NewType")
        case _:
            return False


def is_field(name: str) -> bool:
    """Return whether a function describes a field of a dataclass, an attrs class or a model."""
    root, _, last = name.partition(".")
    makes = last.rpartition(".")[2] in ("Field", "PrivateAttr", "attrib", "field", "ib")
    return makes and root in ("attr", "attrs", "dataclasses", "pydantic")


def _is_plain(cls: ClassSource) -> bool:
    """Return whether nothing can make fields of what the body of a class assigns."""
    return not cls.has_unknown_base and not any(
        last_part(decorator) != "conforms"
        for each in cls.known_lineage
        if not each.module.is_ours
        for decorator in (*each.node.decorator_list, *each.node.keywords)
    )


def _of_field(name: str, node: ast.Call, at: Context) -> Kinds:
    if name == "dataclasses.field" and at.cls is not None and _is_plain(at.cls):
        return known("dataclasses.Field")
    default = next((each.value for each in node.keywords if each.arg == "default"), None)
    return kinds_of(default, at) if default is not None else None


def _of_wrapper(kind: str, node: ast.Call, at: Context) -> Kinds:
    named = [each.value for each in node.keywords if each.arg in ("fget", "func")]
    wrapped = [*node.args[:1], *named][:1]
    if not wrapped or is_none(wrapped[0]):
        return known(kind)
    functions = kinds_of(wrapped[0], at)
    if functions is None or len(functions) != 1 or functions[0].function is None:
        return known(_OPAQUE_PROPERTY) if "property" in kind else None
    return (functions[0]._replace(name=kind),)


def _of_partial_method(node: ast.Call, kinds: Kinds) -> Kinds:
    match kinds:
        case (Kind(function=ast.FunctionDef() | ast.AsyncFunctionDef() as function),):
            named = {each.arg for each in node.keywords}
            arguments = _without_given(function.args, len(node.args), named)
        case _:
            return None
    if arguments is None:
        return None
    partial = copy(function)
    partial.args = arguments
    return (kinds[0]._replace(function=partial),)


def _without_given(
    arguments: ast.arguments, start: int, given: set[str | None]
) -> ast.arguments | None:
    """Return the parameters that are left once those before *start* and by name are *given*.

    The first is that of the instance. ``None`` if they cannot be written as parameters.
    """
    whole = copy(arguments)
    named = [n for n, each in enumerate(whole.args) if n >= start and each.arg in given]
    end = min([*named, len(whole.args)])
    required = len(whole.args) - len(whole.defaults)
    is_later_required = {each.arg for each in whole.args[end:required]} - given
    if None in given or whole.posonlyargs or is_later_required:
        return None
    whole.defaults = whole.defaults[max(0, start - required) : max(0, end - required)]
    whole.args = whole.args[:1] + whole.args[start:end]
    pairs = zip(whole.kwonlyargs, whole.kw_defaults, strict=True)
    left = [(each, default) for each, default in pairs if each.arg not in given]
    whole.kwonlyargs = [each for each, _ in left]
    whole.kw_defaults = [default for _, default in left]
    return whole


def _of_method(function: ast.expr, at: Context) -> Kinds:
    if not isinstance(function, ast.Attribute):
        return None
    return of_standard_method(kinds_of(function.value, at), function.attr)


def of_attribute(kinds: Kinds, name: str, at: Context, *, is_called: bool) -> Kinds:
    """Return the kinds of an attribute of a value of these kinds, or of the result of a method."""
    called = _attributes(kinds, [name], at)
    if not is_called:
        is_method = of_standard_method(kinds, name) is not None
        return known("builtin_function_or_method") if is_method else called
    return of_standard_method(kinds, name) or (called and union(_result(k, at) for k in called))


def _result(kind: Kind, at: Context) -> Kinds:
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
        return known(kind.name) if on_class else _of_getter(kind, at)
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


def _of_getter(kind: Kind, at: Context) -> Kinds:
    if kind.function is None:
        return known("property without a getter")
    return _result(kind._replace(name="function"), at)


def _of_getters(getters: Sequence[Function], at: Context, on_class: bool) -> Kinds:
    """Return the kinds that a descriptor gives, by the overload for the class or the instance."""
    overloads = [each for each in getters if is_overload(each)]
    if not overloads:
        is_open = on_class and any(isinstance(each, ast.Raise) for each in nodes_of(getters[0]))
        return None if is_open else result_of(getters[0], at)
    for overload in overloads:
        positional = positional_of(overload.args)
        if is_none(positional[1].annotation if len(positional) > 1 else None) is on_class:
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
        return known("coroutine")
    if function.returns is not None:
        return kinds_of_annotation(function.returns, at)
    return _of_returned(function, at)


def _of_returned(function: Function, at: Context) -> Kinds:
    if is_generator(function):
        return known("generator")
    inside = at._replace(function=function)
    returns = live_returns(function, at.modules.version)
    values = [kinds_of(each.value, inside) if each.value else (NONE,) for each in returns]
    if not isinstance(function.body[-1], ast.Return | ast.Raise):
        return None if values else (NONE,)
    return union(values) if values else None


# ---- annotations


def kinds_of_annotation(annotated: ast.expr, at: Context) -> Kinds:
    """Return the kinds of the values that an annotation promises."""
    if at.depth > MAX_DEPTH:
        return None
    at = at.deeper()
    match unquoted(annotated):
        case ast.Constant(value=None):
            return (NONE,)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union([kinds_of_annotation(left, at), kinds_of_annotation(right, at)])
        case ast.Subscript(value=generic, slice=inner):
            return _of_generic(generic, inner, at)
        case name:
            return _of_annotated_class(name, at)


def _of_generic(generic: ast.expr, inner: ast.expr, at: Context) -> Kinds:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match name_of(generic, at).rpartition(".")[2]:
        case "Optional":
            return union([*(kinds_of_annotation(each, at) for each in parts), (NONE,)])
        case "Union":
            return union(kinds_of_annotation(each, at) for each in parts)
        case "ClassVar" | "Final" | "Annotated" | "Required":
            return kinds_of_annotation(parts[0], at)
        case "Literal":
            return _of_each(parts, at)
        case _:
            return _of_annotated_class(generic, at)


def _of_annotated_class(node: ast.expr, at: Context) -> Kinds:
    found = definition_of(node, at)
    if found is None:
        return None
    if found.module is None:
        return _of_standard_annotation(found.name)
    match found.statement:
        case ast.ClassDef():
            cls = at.modules.class_at(found.module, found.parts)
            return (Kind("enum" if is_enumeration(cls) else cls.node.name, cls),) if cls else None
        case ast.Assign(value=ast.Call(func=func, args=[_, value])) if (
            last_part(func) == "TypeAliasType"
        ):
            return kinds_of_annotation(value, at.of_module(found.module))
        case _:
            return None


def _of_standard_annotation(name: str) -> Kinds:
    module, _, last = name.rpartition(".")
    if module in ("typing", "typing_extensions"):
        return (STR,) if last == "LiteralString" else None
    if module == "builtins":
        cls = getattr(builtins, last, None)
        return known(last) if isinstance(cls, type) and last != "object" else None
    return known(name) if of_standard_class(name) else None
