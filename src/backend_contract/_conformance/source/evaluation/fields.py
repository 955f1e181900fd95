"""The fields of a class body, of which dataclasses, attrs and pydantic make something else."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource, Member
from backend_contract._conformance.source.definitions import dotted_name, name_of
from backend_contract._conformance.source.evaluation.inference import is_field, kinds_of
from backend_contract._conformance.source.evaluation.kinds import ancestor_names, inside
from backend_contract._conformance.source.modules import Assignment, qualified_name
from backend_contract._conformance.source.parsing import Function, callee_of, unparse, walk

_ATTRS_BY_ANNOTATION = {
    f"{package}.{name}" for package in ("attr", "attrs") for name in ("define", "frozen", "mutable")
} | {"attr.dataclass"}
_SLOTTED = _ATTRS_BY_ANNOTATION - {"attr.dataclass"}
_CLASSIC = {"attr.s", "attr.attrs"}
_ATTRS = _CLASSIC | _ATTRS_BY_ANNOTATION
_DATACLASSES = {"dataclasses.dataclass", "pydantic.dataclasses.dataclass"}
GENERATING = _ATTRS | {"pydantic.dataclasses.dataclass"}
"""Decorators from other packages that make members of fields, whether or not they are installed."""
_UNHASHABLE = {"dict", "list", "set"}
_NAMED_TUPLES = {"typing.NamedTuple", "typing_extensions.NamedTuple"}


def option_of(decorator: ast.expr, option: str) -> object:
    """Return the literal that a call such as ``@dataclass(slots=True)`` gives for an option."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else ()
    values = (each.value for each in keywords if each.arg == option)
    return next((value.value for value in values if isinstance(value, ast.Constant)), None)


# ---- names that the class itself does not have


def why_not_on_class(source: ClassSource, member: str) -> str | None:
    """Return why only instances have *member*, though a class body assigns it; else ``None``."""
    for cls in source.known_lineage:
        if member in slots_of(cls):
            return f"`{member}` is in `__slots__`: the class has a descriptor in its place"
        statement = cls.in_body.get(member)
        if isinstance(statement, Assignment) and statement.value is not None:
            return _why_field(cls, member, statement)
        if statement is not None and not isinstance(statement, ast.AnnAssign):
            return None
    return None


def slots_of(cls: ClassSource) -> set[str]:
    """Return the literal names in the ``__slots__`` of a class body."""
    value = getattr(cls.in_body.get("__slots__"), "value", None)
    nodes = walk(value) if isinstance(value, ast.expr) else ()
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {each for each in constants if isinstance(each, str)}


def slots_made(cls: ClassSource) -> set[str] | None:
    """Return the ``__slots__`` that a decorator makes of the fields; ``None`` if none does."""
    for decorator in cls.node.decorator_list:
        name = qualified_name(callee_of(decorator), cls.module)
        keywords = decorator.keywords if isinstance(decorator, ast.Call) else ()
        is_default = name in _SLOTTED and not any(each.arg in ("slots", None) for each in keywords)
        is_asked_for = option_of(decorator, "slots") is True and name in _ATTRS | _DATACLASSES
        if is_default or is_asked_for:
            return {name for name, each in cls.in_body.items() if isinstance(each, Assignment)}
    return None


def _why_field(cls: ClassSource, member: str, statement: Assignment) -> str | None:
    is_annotated = isinstance(statement, ast.AnnAssign) and "ClassVar" not in unparse(
        statement.annotation
    )
    maker = _field_maker(cls, statement)
    for decorator in cls.node.decorator_list:
        name = qualified_name(callee_of(decorator), cls.module)
        if name in _ATTRS | {"attr.attributes"}:
            by_annotation = option_of(decorator, "auto_attribs") is True
            by_annotation |= name in _ATTRS_BY_ANNOTATION
            if (by_annotation and is_annotated) or maker is not None:
                return f"attrs takes the field `{member}` off the class"
        elif name in _DATACLASSES and is_annotated:
            return _why_dataclass(member, decorator, maker)
    return _why_model(cls, member) if is_annotated else None


def _why_dataclass(member: str, decorator: ast.expr, maker: ast.Call | None) -> str | None:
    if option_of(decorator, "slots") is True:
        return f"with `slots=True`, the class has a descriptor in the place of `{member}`"
    has_default = maker is None or maker.args or any(k.arg == "default" for k in maker.keywords)
    if not has_default:
        return f"the field `{member}` has no `default`, so that only instances have it"
    return None


def _field_maker(cls: ClassSource, statement: Assignment) -> ast.Call | None:
    """Return the call of ``field``, ``attr.ib`` or the like that a class body assigns."""
    value = statement.value
    if not isinstance(value, ast.Call):
        return None
    names = name_of(value.func, cls), qualified_name(value.func, cls.module)
    return value if any(map(is_field, names)) else None


def _why_model(cls: ClassSource, member: str) -> str | None:
    names = ancestor_names(cls)
    if _is_model(names):
        return f"pydantic takes the field `{member}` off the class"
    if names & _NAMED_TUPLES:
        return f"a named tuple has a descriptor in the place of `{member}` on the class"
    return None


def _is_model(names: frozenset[str]) -> bool:
    return any(name.startswith("pydantic") and name.endswith("BaseModel") for name in names)


# ---- constructors


def is_inherited_by_model(source: ClassSource, owner: ClassSource) -> bool:
    """Return whether a pydantic model inherits its constructor from *owner*.

    Checkers take the constructor of such a class for a generated one.
    """
    return (
        owner is not source
        and _is_model(ancestor_names(owner))
        and not owner.module.name.startswith("pydantic")
    )


class Generated(NamedTuple):
    """A constructor that a decorator writes."""

    fields: Sequence[str]
    hooks_before: Sequence[str]
    hooks_after: Sequence[str]
    passed_on: Sequence[str] = ()
    """The parameters that are given to the hook after, and to no field."""


def generated_by(source: ClassSource) -> Generated | None:
    """Return the constructor that a decorator of the class writes, if one does."""
    for decorator in source.node.decorator_list:
        callee = callee_of(decorator)
        written = qualified_name(callee, source.module)
        is_data = not _DATACLASSES.isdisjoint((name_of(callee, source), written))
        if not (is_data or written in _ATTRS) or option_of(decorator, "init") is False:
            continue
        if "__init__" in source.in_body and written not in _CLASSIC:
            return None
        if is_data:
            return Generated(_fields(source), (), ("__post_init__",), _passed_on(source))
        return Generated(_fields(source), ("__attrs_pre_init__",), ("__attrs_post_init__",))
    return None


def is_dataclass(decorator: ast.expr, source: ClassSource) -> bool:
    """Return whether a decorator makes a dataclass, or a class of attrs."""
    return qualified_name(callee_of(decorator), source.module) in _DATACLASSES | _ATTRS


def is_frozen(decorator: ast.expr, source: ClassSource) -> bool:
    """Return whether a decorator makes instances that raise if an attribute is assigned."""
    if not is_dataclass(decorator, source):
        return False
    is_asked_for = option_of(decorator, "frozen") is True
    return is_asked_for or unparse(callee_of(decorator)).endswith("frozen")


def has_classic_fields(source: ClassSource) -> bool:
    """Return whether the constructor is that of ``attr.s``: annotations alone make no fields."""
    return any(
        qualified_name(callee_of(each), cls.module) in _CLASSIC
        for cls in source.known_lineage
        for each in cls.node.decorator_list
    )


def has_decorated_defaults(source: ClassSource) -> bool:
    """Return whether a method gives the default of a field of attrs: ``@field.default``."""
    return any(
        name.endswith(".default") and name.partition(".")[0] in cls.in_body
        for cls in source.known_lineage
        for method in cls.in_body.values()
        if isinstance(method, Function)
        for name in map(unparse, method.decorator_list)
    )


def has_fields_with_defaults(source: ClassSource) -> bool:
    """Return whether the class is a named tuple whose fields all have defaults.

    mypy forgets the defaults if the body has other assignments.
    """
    names = {qualified_name(each, source.module) for each in source.node.bases}
    fields = [each for each in source.node.body if isinstance(each, ast.AnnAssign)]
    return bool(names & _NAMED_TUPLES) and all(each.value is not None for each in fields)


def _fields(source: ClassSource) -> list[str]:
    return [
        name
        for cls in source.known_lineage
        if cls is source or generated_by(cls) is not None
        for name, statement in cls.in_body.items()
        if _is_field(statement)
    ]


def _passed_on(source: ClassSource) -> list[str]:
    found = {
        name
        for cls in source.known_lineage
        if cls is source or generated_by(cls) is not None
        for name, statement in cls.in_body.items()
        if isinstance(statement, ast.AnnAssign) and "InitVar" in unparse(statement.annotation)
    }
    return sorted(found)


def refused_default(cls: ClassSource) -> str | None:
    """Return the field that ``dataclass`` refuses to make, as all instances would share it."""
    names = {name_of(callee_of(each), cls) for each in cls.node.decorator_list}
    if "dataclasses.dataclass" not in names:
        return None
    for name, statement in cls.in_body.items():
        if isinstance(statement, ast.AnnAssign) and "ClassVar" not in unparse(statement.annotation):
            kinds = kinds_of(_default(statement.value), inside(cls))
            if kinds and all(kind.name in _UNHASHABLE for kind in kinds):
                return name
    return None


def _default(value: ast.expr | None) -> ast.expr:
    given = value.keywords if isinstance(value, ast.Call) and is_made_field(value) else ()
    defaults = [each.value for each in given if each.arg == "default"]
    return next(iter(defaults), value) or ast.Constant(None)


def _is_field(statement: Member) -> bool:
    if isinstance(statement, ast.AnnAssign):
        annotation = unparse(statement.annotation)
        options = {unparse(each) for each in getattr(statement.value, "keywords", ())}
        return (
            "ClassVar" not in annotation
            and "InitVar" not in annotation
            and not ("init=False" in options and not any(map(_gives_value, options)))
        )
    value = None if isinstance(statement, Function) else statement.value
    return value is not None and is_made_field(value)


def is_made_field(value: ast.expr) -> bool:
    """Return whether a value describes a field: the class itself does not keep it."""
    return isinstance(value, ast.Call) and dotted_name(value.func)[-1:] in (["ib"], ["field"])


def _gives_value(option: str) -> bool:
    return option.startswith(("default", "factory"))
