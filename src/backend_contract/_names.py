"""What things are called in messages."""

from __future__ import annotations

from backend_contract.errors import RegistryError

__all__ = ["backend_type_of", "class_name"]


def class_name(cls: type) -> str:
    """Module and qualified name: what tells a class from another one of the same name."""
    return f"{cls.__module__}.{cls.__qualname__}"


def backend_type_of(cls: object) -> str:
    """The ``backend_type`` of a class, if it can be registered under it."""
    from backend_contract.clauses import CLAUSES

    if not isinstance(cls, type):
        raise TypeError(f"a class was expected, got {cls!r}")
    name: object = getattr(cls, "backend_type", None)
    if not isinstance(name, str):
        clause = CLAUSES["BC102"]
        raise RegistryError(
            f"{class_name(cls)}.backend_type is {name!r}, where a str was expected. {clause.fix}",
            clause=clause,
        )
    if not name.strip() or name != name.upper():
        clause = CLAUSES["BC103"]
        raise RegistryError(
            f"{class_name(cls)}.backend_type is {name!r}. {clause.fix}", clause=clause
        )
    return name
