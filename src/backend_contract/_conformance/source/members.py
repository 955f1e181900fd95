"""What the source of a class says of one of its members."""

from __future__ import annotations

import ast
from pathlib import Path

from backend_contract._conformance.source.modules import (
    Assignment,
    ClassSource,
    Function,
    Member,
    Module,
    qualified_name,
)

__all__ = [
    "annotation",
    "base_names",
    "constant",
    "describe",
    "imports_of_annotation",
    "is_abstract",
    "is_any_in_part",
    "is_hidden",
    "is_object",
    "is_protocol",
    "location_of",
    "missing_annotation",
    "without_value",
]

# Decorators that are known to give a class no member of a backend.
_INERT = {"conforms", "dataclass", "final", "override", "runtime_checkable", "total_ordering"}


def location_of(source: ClassSource, member: str) -> tuple[Path, int]:
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


def _parameter(source: ClassSource, member: str, part: str) -> ast.arg | None:
    """The parameter that ``part``, which is ``parameter N`` (from 1, without ``self``), means."""
    found = source.find(member)
    if found is None or not isinstance(found[1], Function):
        return None
    function, number = found[1], int(part.removeprefix("parameter "))
    if any(ast.unparse(decorator) == "staticmethod" for decorator in function.decorator_list):
        number -= 1
    positional = [*function.args.posonlyargs, *function.args.args]
    return positional[number] if number < len(positional) else function.args.vararg


def annotation(source: ClassSource, member: str, part: str) -> ast.expr | None:
    """The annotation of ``member``: of its ``result``, of ``parameter N``, or its own."""
    if part.startswith("parameter"):
        found = _parameter(source, member, part)
        return found.annotation if found is not None else None
    match source.find(member):
        case (_, ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns)):
            return returns
        case (_, ast.AnnAssign(annotation=annotated)):
            return annotated
        case _:
            return None


def is_any_in_part(source: ClassSource, member: str, part: str) -> bool:
    """Whether the annotation of that part of ``member`` names ``Any`` in a union."""
    found = source.find(member)
    annotated = annotation(source, member, part)
    if found is None or annotated is None:
        return False
    return any(_is_any(each, found[0].module) for each in _union(annotated))


def is_object(source: ClassSource, member: str, part: str) -> bool:
    """Whether the annotation of that part of ``member`` is ``object``, or a union with it."""
    annotated = annotation(source, member, part)
    if annotated is None:
        return False
    return any(ast.unparse(each).strip("'") == "object" for each in _union(annotated))


def _union(annotated: ast.expr) -> list[ast.expr]:
    match annotated:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union(left) + _union(right)
        case ast.Subscript(value=ast.Name(id="Union" | "Optional"), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return [each for part in parts for each in _union(part)]
        case _:
            return [annotated]


def _is_any(annotated: ast.expr, module: Module) -> bool:
    return qualified_name(annotated, module) in ("typing.Any", "typing_extensions.Any")


def missing_annotation(source: ClassSource, member: str, part: str) -> str | None:
    """Which annotation that part of ``member`` lacks; ``None`` where none is known to lack."""
    found = source.find(member)
    if found is None or annotation(source, member, part) is not None:
        return None
    if part.startswith("parameter"):
        given = _parameter(source, member, part)
        return f"parameter `{given.arg}` of `{member}` has no annotation" if given else None
    if isinstance(found[1], Function):
        return f"`{member}` has no return annotation"
    # What a class body assigns has a type of its own; in a method without annotations it has none.
    return None if member in found[0].in_body else f"`{member}` has no annotation"


def imports_of_annotation(source: ClassSource, member: str, part: str) -> set[tuple[Path, int]]:
    """File and line of what binds the names in the annotation of that part of ``member``."""
    found = source.find(member)
    annotated = annotation(source, member, part)
    if found is None or annotated is None:
        return set()
    module = found[0].module
    names = {node.id for node in ast.walk(annotated) if isinstance(node, ast.Name)}
    lines = {module.bindings[name].lineno for name in names & module.bindings.keys()}
    return {(module.path.resolve(), line) for line in lines}


def is_protocol(source: ClassSource) -> bool:
    """Whether the class is itself a Protocol: one that has it among its own bases."""
    return "Protocol" in base_names(source)


def base_names(source: ClassSource) -> set[str]:
    """Return the last part of the name of each base, as it is written."""
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in source.node.bases]
    return {ast.unparse(base).rpartition(".")[2] for base in bases}


def constant(source: ClassSource, member: str) -> ast.Constant | None:
    """The literal that the body of a class gives ``member``, if it is one."""
    found = source.find(member)
    if found is not None and member in found[0].in_body and isinstance(found[1], Assignment):
        value = found[1].value
        return value if isinstance(value, ast.Constant) else None
    return None


def is_hidden(source: ClassSource, member: str) -> bool:
    """Whether a base that was not found may give ``member``, whatever was found to give it."""
    if not source.has_unknown_base:  # then it is the checker that does not see some base
        return member not in source.in_body
    # What only an instance has can be hidden by any base: a property there comes before it.
    known = source.lineage[: source.lineage.index(None)]
    return not any(cls and member in cls.in_body for cls in known)


def without_value(source: ClassSource, member: str) -> set[str]:
    """Where a declared ``member`` has no value: ``"the class"``, and ``"an instance"`` if nowhere.

    Empty where it has one, is not even declared, or may be given one by something that cannot be
    read here: a class decorator, a metaclass, a statement of the module, a base that was not found.
    """
    lineage = source.known_lineage
    if source.has_unknown_base or any(_may_be_given_elsewhere(cls, member) for cls in lineage):
        return set()
    declared = [statement for cls in lineage if (statement := cls.in_body.get(member))]
    # An abstract method takes away what a base gives; a bare annotation leaves it.
    telling = [s for s in declared if isinstance(s, Function) or s.value is not None]
    if not declared or (telling and not is_abstract(telling[0])):
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


def is_abstract(statement: ast.stmt) -> bool:
    """Return whether a statement defines an abstract method."""
    return isinstance(statement, Function) and any(
        "abstract" in ast.unparse(decorator) for decorator in statement.decorator_list
    )


def _decorators(source: ClassSource) -> set[str]:
    """The last part of the name of each decorator of the class."""
    calls = [d.func if isinstance(d, ast.Call) else d for d in source.node.decorator_list]
    return {ast.unparse(call).rpartition(".")[2] for call in calls}


def _may_be_given_elsewhere(source: ClassSource, member: str) -> bool:
    return bool(
        any(
            keyword.arg != "metaclass" or not _is_abc_meta(keyword.value)
            for keyword in source.node.keywords
        )
        or _decorators(source) - _INERT
        or "__init_subclass__" in source.in_body
        or f"{source.node.name}.{member}" in source.module.set_from_outside
    )


def _is_abc_meta(metaclass: ast.expr) -> bool:
    return ast.unparse(metaclass).rpartition(".")[2] == "ABCMeta"
