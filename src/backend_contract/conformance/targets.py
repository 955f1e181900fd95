"""What is to be checked, as it is named on the command line."""

from __future__ import annotations

import ast
import keyword
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from backend_contract.conformance.sources import ClassSource, Module, Sources, environment_path
from backend_contract.conformance.verdicts import CouldNotCheckError

__all__ = ["Target", "find_targets"]

_EXPECTED = "expected package.module:Class or path/to/file.py:Class"


class Target(NamedTuple):
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


def find_targets(texts: Sequence[str]) -> list[Target | CouldNotCheckError]:
    """The class that each of ``texts`` names, or why it names none; nothing is imported.

    A module is looked for in the current directory first, then in this interpreter's environment.
    """
    sources = Sources(environment_path())
    targets: list[Target | CouldNotCheckError] = []
    for text in texts:
        try:
            targets.append(_find(text, sources))
        except CouldNotCheckError as error:
            targets.append(error)
    return targets


def _find(text: str, sources: Sources) -> Target:
    location, _, qualname = text.rpartition(":")
    if not location or not _is_dotted_name(qualname):
        raise CouldNotCheckError(f"{_EXPECTED}, got {text!r}")
    is_path = location.endswith(".py") or "/" in location or os.sep in location
    module = (_module_of_file if is_path else _module_by_name)(location, sources)
    levels = module.name.count(".") + (module.path.stem == "__init__")
    root: Path | None = module.path.parents[levels]
    if str(root) in environment_path():
        root = None
    in_reach = sources if root is None else sources.below(root)
    try:
        source = in_reach.find_class(module, qualname.split("."))
    except CouldNotCheckError as error:
        known = [node.name for node in module.tree.body if isinstance(node, ast.ClassDef)]
        import difflib  # costs more than all else here, and is seldom needed

        near = difflib.get_close_matches(qualname, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CouldNotCheckError(f"{text}: {error}{hint}") from None
    return Target(text, module.name, qualname, root, source)


def _module_of_file(location: str, sources: Sources) -> Module:
    if "\0" in location:
        raise CouldNotCheckError(f"{_EXPECTED}, got {location!r}")
    path = Path(os.path.abspath(location))
    tree = sources.parse(path)
    parts = [] if path.stem == "__init__" else [path.stem]
    root = path.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        parts.insert(0, root.name)
        root = root.parent
    name = ".".join(parts)
    if not _is_dotted_name(name):
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


def _module_by_name(name: str, sources: Sources) -> Module:
    if not _is_dotted_name(name):
        raise CouldNotCheckError(f"{_EXPECTED}, got {name!r}")
    here = Path.cwd()
    module = sources.below(here).module(name)
    if module is None:
        raise CouldNotCheckError(
            f"no Python source of a module {name!r}, neither in the current directory nor in the "
            f"environment of {sys.executable}: install it there, or give the path of a file"
        )
    return module


def _is_dotted_name(name: str) -> bool:
    """Whether it can stand in an import as it is. Generated code takes no other names."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
