"""Targets: the classes to check, as they are named on the command line."""

from __future__ import annotations

import ast
import keyword
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from backend_contract._conformance.source.classes import ClassSource, ModuleFinder, ancestors_first
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.modules import Module
from backend_contract._conformance.source.parsing import all_statements, is_directory
from backend_contract._conformance.source.roots import Roots
from backend_contract.errors import CouldNotCheckError

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
    search_path: tuple[Path, ...] = ()
    """Further directories to import modules from."""

    @property
    def roots(self) -> tuple[Path, ...]:
        """The directories to search before those of the environment."""
        return self.search_path if self.root is None else (self.root, *self.search_path)


@dataclass(frozen=True, kw_only=True)
class Project:
    """What the settings of a project say about finding targets."""

    directory: Path
    """The directory that paths and module names are relative to."""
    search_path: tuple[str, ...] = ()
    """Directories to import modules from, before those of the environment."""
    exclude: tuple[str, ...] = ()
    """Globs of the files that a search leaves out."""


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """The places to look for targets in."""

    modules: ModuleFinder
    roots: Roots
    environment: Environment
    here: Path
    """The base of relative paths; modules are looked up here before the environment."""


def search_in(environment: Environment, here: Path, project: Project) -> SearchContext:
    """Return the context of a search in *here*, in *environment* and in a project.

    Raises :class:`CouldNotCheckError` if an entry of its search path is not a directory.
    """
    search_path: list[Path] = []
    for text in project.search_path:
        path = Path(os.path.abspath(project.directory / text))
        if not is_directory(path):
            raise CouldNotCheckError(f"search-path: {text!r} is not a directory")
        search_path.append(path)
    roots = Roots(environment, here, tuple(search_path))
    modules = ModuleFinder(environment, roots)
    return SearchContext(modules=modules, roots=roots, environment=environment, here=here)


def target_in(module: Module, qualname: str, text: str, search: SearchContext) -> Target:
    """Return the class *qualname* of *module* as a target.

    Raises :class:`CouldNotCheckError` if there is no such class.
    """
    root = root_of(module, search)
    source = modules_for(root, search).find_class(module, qualname.split("."))
    return Target(text=text, module=module.name, qualname=qualname, root=root, source=source)


def root_of(module: Module, search: SearchContext) -> Path | None:
    """Return the directory that contains a module; ``None`` if it is installed."""
    return None if str(module.root) in search.environment.path else module.root


def modules_for(root: Path | None, search: SearchContext) -> ModuleFinder:
    """Return the finder of the modules that a module below *root* imports."""
    return search.modules if root is None else search.modules.below(root)


def require_one_definition(target: Target) -> None:
    """Raise :class:`CouldNotCheckError` if several nested classes share the name of the target.

    A type checker may pick one of them, and Python another.
    """
    source = target.source
    lines = [node.lineno for node in source.module.namesakes.get(source.node, ())]
    if lines and source.node not in source.definitions(type_checking=False):
        raise CouldNotCheckError(
            f"{target.text}: defined on lines {', '.join(map(str, lines))}; type checkers may pick "
            "a different definition than Python; rename the duplicates"
        )


def module_of_file(location: str, search: SearchContext) -> Module:
    """Return the module in the file at *location*, under the name it is imported by.

    Raises :class:`CouldNotCheckError` if the file cannot be read, or not be imported by that name.
    """
    if "\0" in location:
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {location!r}")
    module = named_module(*read_tree(location, search), search)
    name = ""
    while name != module.name:  # the bases of its classes may show more of the packages around it
        name = module.name
        _observe_bases(module, search)
        module = named_module(module.path, module.tree, search)
    require_importable(module, location)
    return module


def _observe_bases(module: Module, search: SearchContext) -> None:
    finder = modules_for(root_of(module, search), search)
    seen: set[ClassSource] = set()
    for node in all_statements(module.tree):
        if isinstance(node, ast.ClassDef):
            for base in ancestors_first(finder.class_of(module, node), seen.__contains__):
                seen.add(base)
                if root_of(base.module, search) is not None:
                    search.roots.observe(base.module.path, base.module.tree)


def read_tree(location: str, search: SearchContext) -> tuple[Path, ast.Module]:
    """Return the path of the file at *location* and its syntax tree, and note its imports.

    Raises :class:`CouldNotCheckError` if the file cannot be read.
    """
    path = Path(os.path.abspath(search.here / location))
    tree = search.modules.parse(path)
    search.roots.observe(path, tree)
    return path, tree


def named_module(path: Path, tree: ast.Module, search: SearchContext) -> Module:
    """Return the module in a file, under the name that the imports seen so far give it."""
    relative = path.relative_to(search.roots.root_of(path)).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    return Module(".".join(parts), path, tree)


def require_importable(module: Module, location: str) -> None:
    """Raise :class:`CouldNotCheckError` if *module* cannot be imported by its name."""
    name = module.name
    if not is_dotted_name(name):
        raise CouldNotCheckError(
            f"{location}: {name!r} is not an importable name; rename the file or its folder"
        )
    is_in_package = "." in name or module.path.stem == "__init__"
    if not is_in_package and any(
        isinstance(node, ast.ImportFrom) and node.level for node in all_statements(module.tree)
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
    finder = search.modules.below(search.here)
    module = finder.module(name)
    if module is None:
        target = _dotted_class(name, finder, search)
        if target is not None:
            raise CouldNotCheckError(f"{name}: put a colon before the class, as in {target}")
        raise CouldNotCheckError(
            f"no Python source of a module {name!r}, neither in the current directory nor in the "
            f"environment of {search.environment.python}; install it there, or name a file or "
            "its class, such as path/to/file.py:Class"
        )
    return module


def _dotted_class(name: str, finder: ModuleFinder, search: SearchContext) -> str | None:
    """Return the class that is written as Python would write it, spelled as a target."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = finder.module(".".join(parts[:end]))
        if module is not None:
            qualname = ".".join(parts[end:])
            try:
                target_in(module, qualname, name, search)
            except CouldNotCheckError:
                return None
            return f"{module.name}:{qualname}"
    return None


def is_dotted_name(name: str) -> bool:
    """Return whether *name* can stand in an import; no other name gets into generated code."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
