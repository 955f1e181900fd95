"""One run of mypy, whose errors stand for further runs on the same file."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checkers.base import CheckRequest, Diagnostic

Check = Callable[[Mypy, CheckRequest], list[Diagnostic]]


class Recording(NamedTuple):
    """The errors of one run of mypy on the probes of all classes in ``mine.py``."""

    text: str
    files: frozenset[str]
    errors: tuple[Diagnostic, ...]
    """Their paths are relative to the directory of the probes, or to that of ``mine.py``."""

    def check(self, root: Path, check: Check) -> Check:
        """Return *check*, which is not called for classes of an unchanged ``mine.py`` in *root*."""

        def recorded(mypy: Mypy, request: CheckRequest) -> list[Diagnostic]:
            if not self._knows(request, root):
                return check(mypy, request)
            absent = self.files.difference(request.files)
            parents = {True: root.resolve(), False: request.directory.resolve()}
            return [
                error._replace(path=parents[error.path.name == "mine.py"] / error.path)
                for error in self.errors
                if error.path.name not in absent
            ]

        return recorded

    def _knows(self, request: CheckRequest, root: Path) -> bool:
        others = [each for each in request.roots if request.directory not in each.parents]
        return (
            others == [root]
            and request.environment.python == this_environment().python
            and request.directory not in request.cache.parents
            and self.files.issuperset(request.files)
            and [*root.rglob("*.py")] == [root / "mine.py"]
            and (root / "mine.py").read_text() == self.text
        )


class RecordingMypy(Mypy):
    """mypy, whose errors are written to a file."""

    def __init__(self, file: Path, text: str) -> None:
        super().__init__()
        self._file = file
        self._text = text

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """Write the errors too."""
        errors = super().check(request)
        relative = tuple(error._replace(path=Path(error.path.name)) for error in errors)
        recording = Recording(self._text, frozenset(request.files), relative)
        self._file.write_bytes(pickle.dumps(recording))
        return errors
