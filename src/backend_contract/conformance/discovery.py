"""The backends in a file, a directory or a package, found without importing anything."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from backend_contract.conformance.sources import ClassSource, Module, flat
from backend_contract.conformance.targets import (
    Search,
    Target,
    module_by_name,
    module_of_file,
    require_one_definition,
    target_in,
)
from backend_contract.conformance.verdicts import CouldNotCheckError

__all__ = ["discover"]

_NOT_SEARCHED = {"__pycache__", "node_modules", "site-packages"}


def discover(text: str, search: Search) -> list[Target | CouldNotCheckError]:
    """The backends in what ``text`` names, in the order of files and of lines.

    A backend is a class that inherits ``BackendBase``, directly or not, or that stands under
    ``@conforms``. Nested classes count, and those below an ``if`` or a ``try``; those in functions
    do not. A class that says it is abstract (``ABC`` or ``Protocol`` among its bases, or an
    abstract method in its body) is there to be inherited, and is left out. A file that cannot be
    read or parsed is an error of its own.

    Raises :class:`CouldNotCheckError` where nothing of that name is there, or there is no backend
    in it.
    """
    if "\0" in text or not text:
        raise CouldNotCheckError(
            "expected package.module:Class, path/to/file.py:Class, a directory or a package, "
            f"got {text!r}"
        )
    path = search.here / text
    found: list[Target | CouldNotCheckError] = []
    if path.is_dir():
        for file in _files_below(path):
            location = os.path.normpath(Path(text, file.relative_to(path)))
            try:
                found += _in_file(location, search)
            except CouldNotCheckError as error:
                found.append(error)
    elif text.endswith(".py") or os.sep in text or "/" in text:
        found += _in_module(module_of_file(text, search), text, search)
    else:
        module = module_by_name(text, search)
        found += _in_module(module, text, search)
        if module.path.stem == "__init__":
            for file in _files_below(module.path.parent):
                parts = file.relative_to(module.path.parent).with_suffix("").parts
                name = ".".join([text, *parts]).removesuffix(".__init__")
                if name != text:
                    try:
                        found += _in_module(module_by_name(name, search), name, search)
                    except CouldNotCheckError as error:
                        found.append(error)
    if not found:
        raise CouldNotCheckError(
            f"{text}: no backend in it: no class inherits BackendBase or stands under @conforms; "
            f"name a class of another kind as {text}:Class"
            if not path.is_dir()
            else f"{text}: no backend below it: no class inherits BackendBase or stands under "
            "@conforms; name a class of another kind as path/to/file.py:Class"
        )
    return found


def _files_below(directory: Path) -> Iterator[Path]:
    """The Python files below ``directory``; no hidden ones, and none of a virtual environment."""
    for parent, directories, files in os.walk(directory):
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".")
            and name not in _NOT_SEARCHED
            and not Path(parent, name, "pyvenv.cfg").is_file()
        )
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(".py"))


def _in_file(location: str, search: Search) -> list[Target | CouldNotCheckError]:
    tree = search.sources.parse(Path(os.path.abspath(search.here / location)))
    if not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree)):
        return []
    try:
        module = module_of_file(location, search)
    except CouldNotCheckError:
        if _names_this_package(tree):
            raise
        return []  # a file that nobody imports under its name, and no backend is in it
    return _in_module(module, location, search)


def _in_module(module: Module, location: str, search: Search) -> list[Target | CouldNotCheckError]:
    found: list[Target | CouldNotCheckError] = []
    for qualname, node in _classes(module.tree.body, ""):
        if not (node.bases or node.decorator_list):
            continue
        try:
            target = target_in(module, qualname, f"{location}:{qualname}", search)
        except CouldNotCheckError:  # another class is called so by the time of the import
            continue
        if target.source.node is node and _is_backend(target.source):
            try:
                require_one_definition(target)
            except CouldNotCheckError as error:
                found.append(error)
            else:
                found.append(target)
    return found


def _classes(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in flat(body):
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", node
            yield from _classes(node.body, f"{prefix}{node.name}.")


def _is_backend(source: ClassSource) -> bool:
    if _is_abstract(source):
        return False
    # Nothing else of that module is there to be inherited.
    return any(base.module.name == "backend_contract.base" for base in source.known_lineage) or any(
        _is_conforms(decorator, source.module) for decorator in source.node.decorator_list
    )


def _is_abstract(source: ClassSource) -> bool:
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in source.node.bases]
    names = {ast.unparse(base).rpartition(".")[2] for base in bases}
    return bool(names & {"ABC", "Protocol"}) or any(
        "abstract" in ast.unparse(decorator)
        for statement in source.node.body
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in statement.decorator_list
    )


def _is_conforms(decorator: ast.expr, module: Module) -> bool:
    """Whether that decorator is this package's ``conforms``, under whatever name."""
    first, *rest = ast.unparse(decorator).split(".")
    match module.bindings.get(first):
        case ast.ImportFrom(level=0, module=str(origin), names=names):
            alias = next(a for a in names if (a.asname or a.name) == first)
            full = [origin, alias.name, *rest]
        case ast.Import(names=names):
            alias = next(a for a in names if (a.asname or a.name).split(".")[0] == first)
            full = [alias.name if alias.asname else first, *rest]
        case _:
            return False
    dotted = ".".join(full)
    return dotted.startswith("backend_contract.") and dotted.endswith(".conforms")


def _names_this_package(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if any(name.partition(".")[0] == "backend_contract" for name in names):
            return True
    return False
