"""What a name in a source file refers to, followed through imports and aliases."""

from __future__ import annotations

import ast
import builtins
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from backend_contract._conformance.source.classes import ModuleFinder
from backend_contract._conformance.source.modules import Module, origin_of_name
from backend_contract.errors import CouldNotCheckError

# Checkers have types of their own for these modules.
_STANDARD = sys.stdlib_module_names | {"typing_extensions"}
_MAX_STEPS = 200


class Definition(NamedTuple):
    """The place where a name is defined."""

    name: str
    """Its dotted name, such as ``typing.Any`` or ``package.module.function``."""
    module: Module | None = None
    """``None`` for the standard library."""
    statement: ast.stmt | None = None
    """The statement that binds the name; ``None`` for the standard library."""

    @property
    def parts(self) -> list[str]:
        """The parts of its name in the module."""
        prefix = f"{self.module.name}." if self.module else ""
        return self.name.removeprefix(prefix).split(".")


class Place(Protocol):
    """A place in a module, such as a class, which tells what a name means."""

    @property
    def module(self) -> Module:
        """The module that the name stands in."""
        ...

    @property
    def modules(self) -> ModuleFinder:
        """The finder of the modules that it imports."""
        ...


class Imports(NamedTuple):
    """A module as a place."""

    module: Module
    modules: ModuleFinder


def unquoted(expression: ast.expr) -> ast.expr:
    """Return an annotation, parsed if it is a string."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        try:
            return ast.parse(expression.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return expression
    return expression


def definition_of(expression: ast.expr, at: Place) -> Definition | None:
    """Return the definition of a dotted name in a place; ``None`` if it cannot be followed."""
    parts = dotted_name(unquoted(expression))
    return _definition_of(tuple(parts), at.module, at.modules) if parts else None


def name_of(expression: ast.expr, at: Place) -> str:
    """Return the full name of a dotted name, or an empty string if it cannot be followed."""
    found = definition_of(expression, at)
    return found.name if found is not None else ""


@lru_cache(maxsize=2**14)
def _definition_of(
    parts: tuple[str, ...], module: Module, modules: ModuleFinder
) -> Definition | None:
    return _follow([*parts], module, _Search(modules, set()))


class _Search(NamedTuple):
    """The modules to follow a name through, and the names that were followed."""

    modules: ModuleFinder
    followed: set[tuple[Path, str]]


def dotted_name(expression: ast.expr) -> list[str]:
    """Return the parts of a dotted name, or an empty list for any other expression."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.insert(0, expression.attr)
        expression = expression.value
    return [expression.id, *parts] if isinstance(expression, ast.Name) else []


def _follow(parts: list[str], module: Module, search: _Search) -> Definition | None:
    step = (module.path, ".".join(parts))
    if step in search.followed or len(search.followed) >= _MAX_STEPS:
        return None
    search.followed.add(step)
    first, *rest = parts
    match module.bindings.get(first):
        case ast.ImportFrom() | ast.Import() as statement:
            imported = [*origin_of_name(module, statement, first), *rest]
            return _import(".".join(imported).split("."), search)
        case (
            ast.Assign(value=ast.Name() | ast.Attribute() as value)
            | ast.AnnAssign(value=ast.Name() | ast.Attribute() as value)
        ):
            return _follow([*dotted_name(value), *rest], module, search)
        case None:
            return _follow_unbound(parts, module, search)
        case statement:
            return Definition(f"{module.name}.{'.'.join(parts)}", module, statement)


def _follow_unbound(parts: list[str], module: Module, search: _Search) -> Definition | None:
    """Follow a name that no statement of *module* binds: by a star import, or a builtin."""
    if hasattr(builtins, parts[0]):  # hardly any module exports one of those names
        return Definition(f"builtins.{'.'.join(parts)}")
    for origin in module.star_origins:
        found = _import([*origin.split("."), *parts], search)
        if found is not None:
            return found
    return None


def _import(parts: list[str], search: _Search) -> Definition | None:
    if parts[0] in _STANDARD:
        return Definition(".".join(parts))
    for length in range(1, len(parts)):
        try:
            module = search.modules.module(".".join(parts[:length]))
        except CouldNotCheckError:
            return None
        if module is not None and (parts[length] in module.bindings or length == len(parts) - 1):
            return _follow(parts[length:], module, search)
    return None
