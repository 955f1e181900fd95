"""What the source of a class says of one of its members."""

from __future__ import annotations

import ast
from pathlib import Path

from backend_contract.conformance.sources import ClassSource, Function, Member

__all__ = ["describe", "missing_annotation", "place", "without_value"]

# Decorators that are known to give a class no member of a backend.
_INERT = {"conforms", "dataclass", "final", "override", "runtime_checkable", "total_ordering"}


def place(source: ClassSource, member: str) -> tuple[Path, int]:
    """File and line of ``member`` where the class's own file has it, else of the class."""
    found = source.find(member)
    if found is not None and found[0].module.path == source.module.path:
        return source.module.path, found[1].lineno
    return source.module.path, source.node.lineno


def describe(source: ClassSource, member: str) -> str:
    """``member`` as its source has it, on one line, and where it comes from if not from here."""
    found = source.find(member)
    if found is None:
        where = " in the part of its source that was found" if source.has_unknown_base else ""
        return f"no `{member}`{where}"
    owner, statement = found
    inherited = "" if owner is source else f"  (from {owner.module.name}.{owner.node.name})"
    return _header(statement) + inherited


def missing_annotation(source: ClassSource, member: str, part: str) -> str | None:
    """Which annotation is missing for that part of ``member``; ``None`` where none is known to be.

    ``part`` is ``result``, ``parameter N`` (from 1, without ``self``), or empty for all of it.
    """
    found = source.find(member)
    if found is None or isinstance(found[1], ast.AnnAssign):
        return None
    function = found[1]
    if isinstance(function, ast.Assign):
        return f"`{member}` has no annotation"
    if part.startswith("parameter"):
        number = int(part.removeprefix("parameter "))
        positional = [*function.args.posonlyargs, *function.args.args]
        rest = [function.args.vararg] if function.args.vararg else []
        parameter = (positional[number : number + 1] + rest + [None])[0]
        if parameter is not None and parameter.annotation is None:
            return f"parameter `{parameter.arg}` of `{member}` has no annotation"
        return None
    return f"`{member}` has no return annotation" if function.returns is None else None


def without_value(source: ClassSource, member: str) -> set[str]:
    """Where a declared ``member`` has no value: ``"the class"``, and ``"an instance"`` if nowhere.

    Empty where it has one, is not even declared, or may be given one by something that cannot be
    read here: a class decorator, a metaclass, a base whose source was not found.
    """
    lineage = list(source.lineage())
    if source.has_unknown_base or any(_may_be_given_elsewhere(cls) for cls in lineage):
        return set()
    declarations = [statement for cls in lineage if (statement := cls.in_body.get(member))]
    if not declarations or any(map(_gives_a_value, declarations)):
        return set()
    if any(member in cls.on_self or "dataclass" in _decorators(cls) for cls in lineage):
        return {"the class"}
    return {"the class", "an instance"}


def _header(statement: Member) -> str:
    if not isinstance(statement, Function):
        return ast.unparse(statement)
    decorators = "".join(f"@{ast.unparse(decorator)} " for decorator in statement.decorator_list)
    keyword = "async def" if isinstance(statement, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(statement.returns)}" if statement.returns else ""
    return f"{decorators}{keyword} {statement.name}({ast.unparse(statement.args)}){returns}"


def _gives_a_value(statement: Member) -> bool:
    match statement:
        case ast.AnnAssign(value=None):
            return False
        case ast.FunctionDef(decorator_list=decorators):
            return not any("abstract" in ast.unparse(decorator) for decorator in decorators)
        case _:
            return True


def _decorators(source: ClassSource) -> set[str]:
    """The last part of the name of each decorator of the class."""
    calls = [d.func if isinstance(d, ast.Call) else d for d in source.node.decorator_list]
    return {ast.unparse(call).rpartition(".")[2] for call in calls}


def _may_be_given_elsewhere(source: ClassSource) -> bool:
    return bool(
        source.node.keywords
        or _decorators(source) - _INERT
        or "__init_subclass__" in source.in_body
    )
