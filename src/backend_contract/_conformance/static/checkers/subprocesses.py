"""Programs that are run for a check: found, bounded in time, and ended whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from backend_contract._conformance.source.environment import this_environment
from backend_contract.errors import CouldNotCheckError

__all__ = ["CompletedProgram", "find_program", "not_installed", "python_path", "run"]

T = TypeVar("T")

CHECKER_TIMEOUT = 600
"""Seconds after which a checker is taken to hang."""

_SETTINGS = ("MYPY", "PYREFLY_", "TY_", "ZUBAN_")
"""What variables start with that say how a checker checks: none of the user's is handed on."""


class CompletedProgram(NamedTuple):
    """What a program ended with, and what it said."""

    status: int
    output: str
    complaint: str

    def last_words(self) -> str:
        """Why it gave up, on one line."""
        lines = (self.complaint.strip() or self.output.strip()).splitlines() or ["it said nothing"]
        return next((line for line in lines if "error" in line.lower()), lines[-1]).strip()

    def read(self, name: str, reader: Callable[[Any], T]) -> T:
        """What ``reader`` makes of the JSON document that it put out; ``name`` is the program's.

        Raises :class:`CouldNotCheckError` where it did not come to its end, or put out another
        document than that.
        """
        if self.status not in (0, 1):
            raise CouldNotCheckError(f"{name} could not run: {self.last_words()}")
        try:
            return reader(json.loads(self.output))
        except json.JSONDecodeError:
            raise CouldNotCheckError(f"{name} could not run: {self.last_words()}") from None
        except (KeyError, TypeError, IndexError, AttributeError):
            raise CouldNotCheckError(
                f"{name} could not run: it put out another document than a report of {name}"
            ) from None


def find_program(name: str) -> str | None:
    """The program of that name: beside this interpreter, below its path, or on ``PATH``."""
    places = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    # `pip install --target` puts programs below the directory that the modules are in.
    places += [str(Path(entry, "bin")) for entry in this_environment().path]
    places += filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    return shutil.which(name, path=os.pathsep.join(places))


def run(
    name: str,
    command: Sequence[str],
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> CompletedProgram:
    """Run *command* in *directory*; *name* is the name of the program in messages.

    *environment* is added to the user's, without the variables that configure checkers. Raises
    :class:`CouldNotCheckError` if the program cannot be started or does not end in time.
    """
    variables = {key: v for key, v in os.environ.items() if not key.startswith(_SETTINGS)}
    if "PYTHONPATH" in variables:  # may be relative to the directory of this process
        variables["PYTHONPATH"] = os.pathsep.join(python_path())
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**variables, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            start_new_session=True,  # so that its own children can be ended with it
        )
    except OSError as error:
        raise CouldNotCheckError(f"{name} could not run: {command[0]}: {error.strerror}") from None
    try:
        output, complaint = process.communicate(timeout=CHECKER_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise CouldNotCheckError(f"{name} did not end within {CHECKER_TIMEOUT} seconds") from None
    finally:
        _end(process)
    return CompletedProgram(process.returncode, output, complaint)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process with its children, if it has not ended, and close its pipes."""
    with process:
        if process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def python_path() -> list[str]:
    """What the variable ``PYTHONPATH`` adds to where this interpreter looks for modules."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [os.path.abspath(entry) for entry in entries if entry]


def not_installed(what: str, requirement: str) -> CouldNotCheckError:
    """The error that says how to install what a check lacks."""
    return CouldNotCheckError(
        f"{what} is not installed; install it with: {sys.executable} -m pip install '{requirement}'"
    )
