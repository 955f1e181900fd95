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

from backend_contract.conformance.environment import this_environment
from backend_contract.conformance.verdicts import CouldNotCheckError

__all__ = ["Ended", "end", "find_program", "finish", "not_installed", "python_path", "run", "start"]

T = TypeVar("T")

TIME_LIMIT = 600
"""Seconds after which a checker is taken to hang."""

_SETTINGS = ("MYPY", "PYREFLY_", "TY_", "ZUBAN_")
"""What variables start with that say how a checker checks: none of the user's is handed on."""


class Ended(NamedTuple):
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
) -> Ended:
    """Run ``command`` to its end, in ``directory``; ``name`` is what messages call it.

    ``environment`` is added to what of the user's is handed on. Raises :class:`CouldNotCheckError`
    where it cannot be started or does not end in time.
    """
    try:
        process = start(command, directory=directory, environment=environment)
    except OSError as error:
        raise CouldNotCheckError(f"{name} could not run: {command[0]}: {error.strerror}") from None
    return finish(name, process)


def start(
    command: Sequence[str],
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start ``command``; who calls it sees to it that :func:`end` is called at last."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith(_SETTINGS)}
    if "PYTHONPATH" in kept:  # it is relative to the directory that this process runs in
        kept["PYTHONPATH"] = os.pathsep.join(python_path())
    return subprocess.Popen(
        command,
        cwd=directory,
        env={**kept, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        start_new_session=True,  # so that its own children can be ended with it
    )


def finish(name: str, process: subprocess.Popen[str], text: str = "") -> Ended:
    """Give ``process`` its input, and wait for its end, or make one."""
    try:
        output, complaint = process.communicate(text, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise CouldNotCheckError(f"{name} did not end within {TIME_LIMIT} seconds") from None
    finally:
        end(process)
    return Ended(process.returncode, output, complaint)


def end(process: subprocess.Popen[str]) -> None:
    """End a process that may have ended already, with its children, and let go of its pipes."""
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
