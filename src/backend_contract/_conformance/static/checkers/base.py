"""The interface of a type checker, and the common part of those that are programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract.errors import CouldNotCheckError


class Diagnostic(NamedTuple):
    """An error that a checker reported. Its line decides its meaning, never its wording."""

    path: Path
    line: int
    message: str
    is_import: bool
    """Whether it reports that a module, or its types, could not be found."""


class CheckRequest(NamedTuple):
    """One run of a checker."""

    files: Sequence[str]
    """The names of the files to check, which are in ``directory``."""
    directory: Path
    """A temporary directory for this run, in which an adapter may write its configuration."""
    roots: Sequence[Path]
    """Directories to search for modules before ``environment``, whether they are typed or not."""
    cache: Path
    """A directory that the checker may use as its cache."""
    environment: Environment


class ResolvedPaths(dict[str, Path]):
    """The paths that a checker reports, each resolved only once: there are many errors a file."""

    def __init__(self, request: CheckRequest) -> None:
        self._directory = request.directory.resolve()
        super().__init__({name: self._directory / name for name in request.files})

    def __missing__(self, name: str) -> Path:
        self[name] = path = (self._directory / name).resolve()
        return path


class Checker(Protocol):
    """A type checker."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    @property
    def is_installed(self) -> bool:
        """Whether it can be found."""
        ...

    def version(self) -> str:
        """Return the installed version. Raises :class:`CouldNotCheckError` if there is none."""
        ...

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """Return the errors in the files of *request*, and in the modules that they import.

        Raises :class:`CouldNotCheckError` if the checker did not complete.
        """
        ...


class Program:
    """Base class of the checkers that are separate programs."""

    name: ClassVar[str]
    requirement: ClassVar[str]
    """The requirement to install it by, as pip expects it."""
    variables: ClassVar[Mapping[str, str]] = {}
    """Variables to add to the user's environment."""

    @property
    def is_installed(self) -> bool:
        """See :class:`Checker`."""
        return subprocesses.find_program(self.name) is not None

    def version(self) -> str:
        """See :class:`Checker`."""
        program = self.program()
        done = subprocesses.run(self.name, [program, "--version"], environment=self.variables)
        match = re.fullmatch(rf"{self.name} (\d+(?:\.\d+)+\S*)(?: \(.*\))?", done.output.strip())
        if done.status != 0 or match is None:
            raise CouldNotCheckError(
                f"{program} --version: expected {self.name!r} and a version, got "
                f"{done.last_words()!r}; install {self.name} again"
            )
        return match[1]

    def run(
        self, request: CheckRequest, *arguments: str, **variables: str
    ) -> subprocesses.CompletedProgram:
        """Run it with *arguments* in the directory of *request*, with further *variables*."""
        return subprocesses.run(
            self.name,
            [self.program(), *arguments],
            directory=request.directory,
            environment={**self.variables, **variables},
        )

    def program(self) -> str:
        """Return its path. Raises :class:`CouldNotCheckError` if it is not installed."""
        found = subprocesses.find_program(self.name)
        if found is None:
            raise subprocesses.not_installed(self.name, self.requirement)
        return found
