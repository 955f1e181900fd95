"""Helpers of the tests of the adapters."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram

__all__ = ["OTHER", "PROGRAMS", "THIS", "FakeRuns", "Run", "request_in"]

PROGRAMS = ["pyright", "pyrefly", "ty", "zuban"]
"""The checkers that are separate programs."""
OTHER = Environment("/other/python", (3, 12), ("/other/lib", "/other/site-packages"))
THIS = Environment(sys.executable, (3, 12), ("/this/lib",))


class Run(NamedTuple):
    """The arguments of one run of a program."""

    name: str
    command: list[str]
    directory: Path | None
    environment: Mapping[str, str]


class FakeRuns:
    """Takes the place of `subprocesses`: records what is run, and returns given answers."""

    def __init__(self) -> None:
        self.answers = [CompletedProgram(0, "", "")]
        self.runs: list[Run] = []
        self.started: list[list[str]] = []
        self.terminated: list[list[str]] = []

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> CompletedProgram:
        self.runs.append(Run(name, [*command], directory, environment or {}))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def start(self, command: Sequence[str]) -> list[str]:
        self.started.append([*command])
        return self.started[-1]

    def finish(self, name: str, process: list[str], text: str) -> CompletedProgram:
        directory, path, *arguments = text.split("\0")
        command = [*process, *arguments]
        return self.run(name, command, directory=Path(directory), environment={"MYPYPATH": path})

    def terminate(self, process: list[str]) -> None:
        self.terminated.append(process)


def request_in(directory: Path, environment: Environment = OTHER) -> CheckRequest:
    roots = [Path("/one"), Path("/two")]
    return CheckRequest(["a.py", "b.py"], directory, roots, directory / "kept", environment)
