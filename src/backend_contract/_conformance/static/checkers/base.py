"""What the check needs of a type checker."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract.errors import CouldNotCheckError

__all__ = ["CheckRequest", "Checker", "Diagnostic", "Program"]


class Diagnostic(NamedTuple):
    """One error that a checker reported. What it means follows from its line, never its wording."""

    path: Path
    line: int
    message: str
    is_import: bool
    """Whether it says that a module, or its types, could not be found."""


class CheckRequest(NamedTuple):
    """One run of a checker."""

    files: Sequence[str]
    """The names of the files to check, which stand in ``directory``."""
    directory: Path
    """A directory of this run's own, in which an adapter may write its configuration."""
    roots: Sequence[Path]
    """Below which modules are looked for first, and then in ``environment``, typed or not."""
    cache: Path
    """A directory that the checker may keep what it knows in."""
    environment: Environment


class Checker(Protocol):
    """A type checker, as the probe needs it."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    @property
    def is_installed(self) -> bool:
        """Whether there is one to be found."""
        ...

    def version(self) -> str:
        """The installed version. Raises :class:`CouldNotCheckError` where there is none."""
        ...

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """What the checker reports in the files of ``request``, and beside them.

        Raises :class:`CouldNotCheckError` where the checker did not come to its end.
        """
        ...


class Program:
    """What the checkers that are programs of their own have in common."""

    name: ClassVar[str]
    requirement: ClassVar[str]
    """What has to be installed for it, as pip takes it."""
    variables: ClassVar[Mapping[str, str]] = {}
    """What its environment has beside the user's."""

    @property
    def is_installed(self) -> bool:
        """See :class:`Checker`."""
        return subprocesses.find_program(self.name) is not None

    def version(self) -> str:
        """See :class:`Checker`."""
        program = self.program()
        ended = subprocesses.run(self.name, [program, "--version"], environment=self.variables)
        said = re.fullmatch(rf"{self.name} (\d+(?:\.\d+)+\S*)(?: \(.*\))?", ended.output.strip())
        if ended.status != 0 or said is None:
            raise CouldNotCheckError(
                f"{program} --version says {ended.last_words()!r}; expected {self.name!r} and a "
                f"version: this is no {self.name} that can be relied on"
            )
        return said[1]

    def program(self) -> str:
        """The path of the program; raises :class:`CouldNotCheckError` where there is none."""
        found = subprocesses.find_program(self.name)
        if found is None:
            raise subprocesses.not_installed(self.name, self.requirement)
        return found
