"""The files that a search of a directory reads, without those that the settings exclude."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from backend_contract._conformance.source.parsing import exists
from backend_contract.errors import CouldNotCheckError

_NOT_SEARCHED = {"__pycache__", "node_modules", "site-packages"}


class Excludes:
    """The globs of the setting ``exclude``, relative to the directory of ``pyproject.toml``.

    ``*`` and ``?`` match within one name, ``**`` matches any number of names. A glob that matches a
    directory excludes everything below it.
    """

    def __init__(self, directory: Path, globs: Iterable[str]) -> None:
        self._directory = directory
        self._globs = {glob: _parts(glob) for glob in globs}
        self._used: set[str] = set()
        self.excluded: dict[str, None] = {}
        """What was excluded: files, and directories as a whole, relative to the directory."""

    def covers(self, path: Path, given: Path) -> bool:
        """Return whether *path* is excluded from a search of *given*, and note it if so.

        A glob that matches *given* itself, or a directory around it, does not count: what is named
        explicitly is searched.
        """
        if not self._globs:
            return False
        matching = self._matching(path) - self._matching(given)
        self._used |= matching
        if matching:
            self.excluded[os.path.relpath(path, self._directory)] = None
        return bool(matching)

    def _matching(self, path: Path) -> set[str]:
        names = Path(os.path.relpath(path, self._directory)).parts
        return {glob for glob, parts in self._globs.items() if _covers(parts, names)}

    @property
    def unused(self) -> list[str]:
        """The globs that have excluded nothing."""
        return [glob for glob in self._globs if glob not in self._used]


def _parts(glob: str) -> list[str]:
    """Return the names in a glob, without a ``**`` after another one or at the end."""
    glob = re.sub(r"\*\*(/\*\*)+", "**", glob.removeprefix("./"))
    return re.sub(r"^\*\*$", "*", re.sub(r"(/\*\*)?/*$", "", glob)).split("/")


def _covers(glob: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether *glob* matches the path of these names, or a directory around it.

    Follows all places in the glob at once, so the time does not grow with the ways to match.
    """
    reached = {0}
    for name in names:
        reached |= {at + 1 for at in reached if glob[at] == "**"}
        matching = {at for at in reached if fnmatchcase(name, glob[at])}
        reached = {at + (glob[at] != "**") for at in matching}
        if len(glob) in reached:
            return True
    return False


def files_below(
    directory: Path,
    excludes: Excludes,
    add_error: Callable[[CouldNotCheckError], None],
    add_note: Callable[[str], None],
) -> Iterator[Path]:
    """Yield the Python files below a directory, except hidden ones and those of environments.

    Symbolic links to directories are not followed, so a search always ends.
    """

    def is_searched(path: Path) -> bool:
        if path.name.startswith(".") or path.name in _NOT_SEARCHED:
            return False
        if excludes.covers(path, directory):
            return False
        if path.is_symlink():
            if not path.resolve().is_relative_to(directory.resolve()):
                add_note(f"{path}: a symbolic link to a directory, not searched")
            return False
        return not exists(path / "pyvenv.cfg")

    def on_error(error: OSError) -> None:
        add_error(CouldNotCheckError(f"{error.filename}: {error.strerror}"))

    for parent, directories, files in os.walk(directory, onerror=on_error):
        directories[:] = [name for name in sorted(directories) if is_searched(Path(parent, name))]
        for name in sorted(files):
            path = Path(parent, name)
            is_source = name.endswith(".py") and not name.startswith(".")
            if is_source and not excludes.covers(path, directory):
                yield path
