"""Names that a class body gives a value, and that the class itself does not have."""

from __future__ import annotations

import ast

from backend_contract._conformance.source.definitions import definition_of
from backend_contract._conformance.source.evaluation.kinds import ancestor_names, is_field
from backend_contract._conformance.source.modules import ClassSource, qualified_name
from backend_contract._conformance.source.parsing import unparse, walk

__all__ = ["is_inherited_by_model", "why_not_on_class"]

_ATTRS_BY_ANNOTATION = {
    f"{package}.{name}" for package in ("attr", "attrs") for name in ("define", "frozen", "mutable")
} | {"attr.dataclass"}
_ATTRS_BY_CALL = {"attr.s", "attr.attrs", "attr.attributes"}
_DATACLASSES = {"dataclasses.dataclass", "pydantic.dataclasses.dataclass"}


def why_not_on_class(source: ClassSource, member: str) -> str | None:
    """Return why only instances have *member*, though a class body assigns it; else ``None``."""
    for cls in source.known_lineage:
        if member in _slots(cls):
            return f"`{member}` is in `__slots__`: the class has a descriptor in its place"
        statement = cls.in_body.get(member)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            return _why_field(cls, member, statement)
        if statement is not None and not isinstance(statement, ast.AnnAssign):
            return None
    return None


def _slots(cls: ClassSource) -> set[str]:
    statement = cls.in_body.get("__slots__")
    value = getattr(statement, "value", None)
    if value is None:
        return set()
    return {
        node.value
        for node in walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _why_field(cls: ClassSource, member: str, statement: ast.Assign | ast.AnnAssign) -> str | None:
    is_annotated = isinstance(statement, ast.AnnAssign) and "ClassVar" not in unparse(
        statement.annotation
    )
    maker = _field_maker(cls, statement)
    for decorator in cls.node.decorator_list:
        callee = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = qualified_name(callee, cls.module) or ""
        by_annotation = _is_true(decorator, "auto_attribs") or name in _ATTRS_BY_ANNOTATION
        is_attrs = name in _ATTRS_BY_ANNOTATION | _ATTRS_BY_CALL
        if is_attrs and ((by_annotation and is_annotated) or maker is not None):
            return f"attrs takes the field `{member}` off the class"
        if name in _DATACLASSES and is_annotated:
            if _is_true(decorator, "slots"):
                return f"with `slots=True`, the class has a descriptor in the place of `{member}`"
            if maker is not None and not _has_default(maker):
                return f"the field `{member}` has no `default`, so that only instances have it"
    if is_annotated:
        return _why_model(cls, member)
    return None


def _field_maker(cls: ClassSource, statement: ast.Assign | ast.AnnAssign) -> ast.Call | None:
    """Return the call of ``field``, ``attr.ib`` or the like that a class body assigns."""
    value = statement.value
    if not isinstance(value, ast.Call):
        return None
    found = definition_of(value.func, cls.module, cls.modules)
    written = qualified_name(value.func, cls.module) or ""
    name = found.name if found is not None else ""
    return value if is_field(name) or is_field(written) else None


def _has_default(maker: ast.Call) -> bool:
    return bool(maker.args) or any(each.arg == "default" for each in maker.keywords)


def _is_true(decorator: ast.expr, option: str) -> bool:
    return isinstance(decorator, ast.Call) and any(
        each.arg == option and isinstance(each.value, ast.Constant) and each.value.value is True
        for each in decorator.keywords
    )


def _why_model(cls: ClassSource, member: str) -> str | None:
    """Return why a pydantic model or a named tuple has no class attribute for a field."""
    names = ancestor_names(cls)
    if _is_model(names):
        return f"pydantic takes the field `{member}` off the class"
    if names & {"typing.NamedTuple", "typing_extensions.NamedTuple"}:
        return f"a named tuple has a descriptor in the place of `{member}` on the class"
    return None


def _is_model(names: frozenset[str]) -> bool:
    return any(name.startswith("pydantic") and name.endswith("BaseModel") for name in names)


def is_inherited_by_model(source: ClassSource, owner: ClassSource) -> bool:
    """Return whether a pydantic model inherits its constructor from *owner*.

    Checkers take the constructor of such a class for a generated one.
    """
    return (
        owner is not source
        and _is_model(ancestor_names(owner))
        and not owner.module.name.startswith("pydantic")
    )
