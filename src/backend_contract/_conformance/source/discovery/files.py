"""The files that a search of a directory reads, without those that the settings exclude."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from backend_contract.errors import CouldNotCheckError

__all__ = ["Excludes", "FilesBelow"]

_NOT_SEARCHED = {"__pycache__", "node_modules", "site-packages"}


class Excludes:
    """The globs of the setting ``exclude``, relative to the directory of ``pyproject.toml``.

    ``*`` and ``?`` match within one name, ``**`` matches any number of names. A glob that matches a
    directory excludes everything below it.
    """

    def __init__(self, directory: Path, globs: Iterable[str]) -> None:
        self._directory = directory
        self._patterns = {glob: re.compile(_regular_expression(glob)) for glob in globs}
        self._used: set[str] = set()
        self.excluded: dict[str, None] = {}
        """What was excluded: files, and directories as a whole, relative to the directory."""

    def covers(self, path: Path, given: Path) -> bool:
        """Return whether *path* is excluded from a search of *given*, and note it if so.

        A glob that matches *given* itself, or a directory around it, does not count: what is named
        explicitly is searched.
        """
        if not self._patterns:
            return False
        matching = self._matching(path) - self._matching(given)
        if matching:
            self._used |= matching
            self.excluded[os.path.relpath(path, self._directory)] = None
        return bool(matching)

    def _matching(self, path: Path) -> set[str]:
        relative = Path(os.path.relpath(path, self._directory))
        paths = (relative, *relative.parents)
        names = [each.as_posix() for each in paths if each != Path()]
        return {
            glob
            for glob, pattern in self._patterns.items()
            if any(pattern.fullmatch(name) for name in names)
        }

    @property
    def unused(self) -> list[str]:
        """The globs that have excluded nothing."""
        return [glob for glob in self._patterns if glob not in self._used]


def _regular_expression(glob: str) -> str:
    glob = re.sub(r"(/\*\*)?/*$", "", glob.removeprefix("./"))
    written = ""
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^]/]*\]|.", glob, re.DOTALL):
        if part in _WILDCARDS:
            written += _WILDCARDS[part]
        elif len(part) > 1:
            inner = part[1:-1].replace("\\", r"\\")
            written += f"[{'^' + inner[1:] if inner[0] == '!' else inner}]"
        else:
            written += re.escape(part)
    return written


_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class FilesBelow:
    """The Python files below a directory, except hidden ones and those of virtual environments.

    Symbolic links to directories are not followed, so a search always ends.
    """

    def __init__(self, directory: Path, excludes: Excludes, given: Path | None = None) -> None:
        self._directory = directory
        self._excludes = excludes
        self._given = given or directory
        self.errors: list[CouldNotCheckError] = []
        """One per directory that cannot be read."""
        self.links: list[Path] = []
        """The links to directories that are not below this one."""

    def __iter__(self) -> Iterator[Path]:
        for parent, directories, files in os.walk(self._directory, onerror=self._note_error):
            paths = [Path(parent, name) for name in sorted(directories)]
            searched = [path for path in paths if self._is_searched(path)]
            directories[:] = [path.name for path in searched]
            for name in sorted(files):
                path = Path(parent, name)
                if name.endswith(".py") and not name.startswith(".") and not self._excluded(path):
                    yield path

    def _is_searched(self, path: Path) -> bool:
        if path.name.startswith(".") or path.name in _NOT_SEARCHED or self._excluded(path):
            return False
        if path.is_symlink():
            if not path.resolve().is_relative_to(self._directory.resolve()):
                self.links.append(path)
            return False
        return not (path / "pyvenv.cfg").exists()

    def _excluded(self, path: Path) -> bool:
        return self._excludes.covers(path, self._given)

    def _note_error(self, error: OSError) -> None:
        self.errors.append(CouldNotCheckError(f"{error.filename}: {error.strerror}"))
