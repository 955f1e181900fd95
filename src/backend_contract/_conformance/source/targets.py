"""Targets: the classes to check, as they are named on the command line."""

from __future__ import annotations

import ast
import keyword
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.modules import (
    ClassSource,
    Module,
    ModuleFinder,
    iter_statements,
)
from backend_contract.errors import CouldNotCheckError

__all__ = [
    "EXPECTED_TARGET",
    "SearchContext",
    "Target",
    "is_dotted_name",
    "module_by_name",
    "module_of_file",
    "require_one_definition",
    "target_in",
]

EXPECTED_TARGET = "expected package.module:Class, path/to/file.py:Class, a directory or a package"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A class to check, and how a probe imports it."""

    text: str
    """The target as the user named it."""
    module: str
    """The dotted name of the module to import it from."""
    qualname: str
    """Its name in that module; dotted for a nested class."""
    root: Path | None
    """The directory that contains the module; ``None`` if it is installed."""
    source: ClassSource


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """The places to look for targets in."""

    modules: ModuleFinder
    environment: Environment
    here: Path
    """The base of relative paths; modules are looked up here before the environment."""


def target_in(module: Module, qualname: str, text: str, search: SearchContext) -> Target:
    """Return the class *qualname* of *module* as a target.

    Raises :class:`CouldNotCheckError` if there is no such class.
    """
    levels = module.name.count(".") + (module.path.stem == "__init__")
    root: Path | None = module.path.parents[levels]
    if str(root) in search.environment.path:
        root = None
    modules = search.modules if root is None else search.modules.below(root)
    source = modules.find_class(module, qualname.split("."))
    return Target(text=text, module=module.name, qualname=qualname, root=root, source=source)


def require_one_definition(target: Target) -> None:
    """Raise :class:`CouldNotCheckError` if several classes share the name of the target.

    A type checker may pick one of them, and Python another.
    """
    source = target.source
    lines = [node.lineno for node in _namesakes(source.module.tree.body, source.node)]
    if lines:
        raise CouldNotCheckError(
            f"{target.text}: defined on lines {', '.join(map(str, lines))}; type checkers may pick "
            "a different definition than Python; rename the duplicates"
        )


def _namesakes(body: Iterable[ast.stmt], node: ast.ClassDef) -> list[ast.ClassDef]:
    """Return the classes that share the name of *node*, or of a class around it, if several do."""
    classes = [each for each in iter_statements(body) if isinstance(each, ast.ClassDef)]
    for outer in classes:
        if outer.lineno <= node.lineno <= (outer.end_lineno or 0):
            same = [each for each in classes if each.name == outer.name]
            return same if len(same) > 1 else _namesakes(outer.body, node)
    return []


def module_of_file(location: str, search: SearchContext) -> Module:
    """Return the module in the file at *location*, under the name it is imported by.

    Raises :class:`CouldNotCheckError` if the file cannot be read, or not be imported by that name.
    """
    if "\0" in location:
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {location!r}")
    path = Path(os.path.abspath(search.here / location))
    module = Module(_import_name(path), path, search.modules.parse(path))
    _require_importable(module, location)
    return module


def _import_name(path: Path) -> str:
    """Return the dotted name of a file, counted from the outermost package around it."""
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while folder.name and (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _require_importable(module: Module, location: str) -> None:
    """Raise :class:`CouldNotCheckError` if *module* cannot be imported by its name."""
    name = module.name
    if not is_dotted_name(name):
        raise CouldNotCheckError(
            f"{location}: {name!r} is not an importable name; rename the file or its folder"
        )
    is_in_package = "." in name or module.path.stem == "__init__"
    if not is_in_package and any(
        isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(module.tree)
    ):
        raise CouldNotCheckError(
            f"{location}: uses relative imports, but its folder has no __init__.py; name the "
            "target as package.module:Class, from the folder that contains the package"
        )
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        raise CouldNotCheckError(
            f"{location}: shadows the standard module {top!r}, which checkers do not read; "
            "rename it"
        )


def module_by_name(name: str, search: SearchContext) -> Module:
    """Return the module with that dotted name.

    Raises :class:`CouldNotCheckError` if it has no Python source, or none that can be parsed.
    """
    if not is_dotted_name(name):
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {name!r}")
    module = search.modules.below(search.here).module(name)
    if module is None:
        raise CouldNotCheckError(
            f"no Python source of a module {name!r}, neither in the current directory nor in the "
            f"environment of {search.environment.python}; install it there, or give the path of "
            "a file"
        )
    return module


def is_dotted_name(name: str) -> bool:
    """Return whether *name* can stand in an import; no other name gets into generated code."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
