"""What is to be checked, as it is named on the command line."""

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
    """A class to be checked, and how a probe gets hold of it."""

    text: str
    """The target as it was given."""
    module: str
    """The dotted name of the module that it is imported from."""
    qualname: str
    """Its name there, dotted for a nested class."""
    root: Path | None
    """The directory that module is below; ``None`` where it is an installed one."""
    source: ClassSource


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """Where targets are looked for."""

    modules: ModuleFinder
    environment: Environment
    here: Path
    """What a path is relative to, and where a module is looked for before the environment."""


def target_in(module: Module, qualname: str, text: str, search: SearchContext) -> Target:
    """The target that is the class ``qualname`` of ``module``.

    Raises :class:`CouldNotCheckError` where there is no such class.
    """
    levels = module.name.count(".") + (module.path.stem == "__init__")
    root: Path | None = module.path.parents[levels]
    if str(root) in search.environment.path:
        root = None
    in_reach = search.modules if root is None else search.modules.below(root)
    source = in_reach.find_class(module, qualname.split("."))
    return Target(text=text, module=module.name, qualname=qualname, root=root, source=source)


def require_one_definition(target: Target) -> None:
    """Raise :class:`CouldNotCheckError` where several classes share the name of the target.

    Of those a type checker looks at one, and Python has another.
    """
    source = target.source
    lines = [node.lineno for node in _namesakes(source.module.tree.body, source.node)]
    if lines:
        raise CouldNotCheckError(
            f"{target.text}: defined on lines {', '.join(map(str, lines))}; type checkers may look "
            "at another one than Python has: give each a name of its own"
        )


def _namesakes(body: Iterable[ast.stmt], node: ast.ClassDef) -> list[ast.ClassDef]:
    """The classes called as ``node`` is, or as one it is nested in, if there are several."""
    classes = [each for each in iter_statements(body) if isinstance(each, ast.ClassDef)]
    for outer in classes:
        if node in ast.walk(outer):
            same = [each for each in classes if each.name == outer.name]
            return same if len(same) > 1 else _namesakes(outer.body, node)
    return []


def module_of_file(location: str, search: SearchContext) -> Module:
    """The module in the file at ``location``, under the name that it is imported by.

    Raises :class:`CouldNotCheckError` where it cannot be read, or cannot be imported so.
    """
    if "\0" in location:
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {location!r}")
    path = Path(os.path.abspath(search.here / location))
    tree = search.modules.parse(path)
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while folder.name and (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    if not is_dotted_name(name):
        raise CouldNotCheckError(
            f"{location}: {name!r} is no name that can be imported: rename the file or its folder"
        )
    if (
        len(parts) == 1
        and path.stem != "__init__"
        and any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    ):
        raise CouldNotCheckError(
            f"{location}: imports relatively, and its folder has no __init__.py: name it as "
            "package.module:Class, from the folder the package is in"
        )
    if parts[0] in sys.stdlib_module_names:
        raise CouldNotCheckError(
            f"{location}: rename it; no checker reads what shadows the standard module {parts[0]!r}"
        )
    return Module(name, path, tree)


def module_by_name(name: str, search: SearchContext) -> Module:
    """The module of that dotted name.

    Raises :class:`CouldNotCheckError` where there is no Python source of one, or it is broken.
    """
    if not is_dotted_name(name):
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {name!r}")
    module = search.modules.below(search.here).module(name)
    if module is None:
        raise CouldNotCheckError(
            f"no Python source of a module {name!r}, neither in the current directory nor in the "
            f"environment of {search.environment.python}: install it there, or give the path of "
            "a file"
        )
    return module


def is_dotted_name(name: str) -> bool:
    """Whether it can stand in an import as it is. Generated code takes no other names."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
