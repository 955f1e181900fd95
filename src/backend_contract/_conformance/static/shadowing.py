"""Roots for a checker, without modules that are called like those of the standard library.

A checker reads such a module in place of the standard one, in every module that imports it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["without_shadowing"]


def without_shadowing(roots: Sequence[Path], directory: Path) -> list[Path]:
    """Return *roots*; in place of one with such a module, a directory of links below *directory*.

    The links are to everything else in that root.
    """
    return [_replace(root, directory / f"root{number}") for number, root in enumerate(roots)]


def _replace(root: Path, view: Path) -> Path:
    try:
        names = os.listdir(root)
    except OSError:  # the checker reports it
        return root
    shadowing = {name for name in names if _shadows(root / name)}
    if not shadowing:
        return root
    view.mkdir()
    for name in _importable(set(names) - shadowing):
        (view / name).symlink_to(root / name)
    return view


def _shadows(path: Path) -> bool:
    if path.name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    return path.suffix in (".py", ".pyi") or os.path.isdir(path)  # noqa: PTH112 - never raises


def _importable(names: Iterable[str]) -> list[str]:
    """Return the names of the files and folders that an import may find."""
    stems = {name: name.removesuffix("-stubs").partition(".")[0] for name in names}
    return [name for name, stem in stems.items() if stem.isidentifier()]
