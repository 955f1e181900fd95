"""Programs that a check runs: found, limited in time, and always terminated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from backend_contract._conformance import interruption
from backend_contract._conformance.source.environment import this_environment
from backend_contract.errors import CouldNotCheckError

T = TypeVar("T")

CHECKER_TIMEOUT = 600
"""Seconds that a checker has to complete."""

_SETTINGS = ("MYPY", "PYREFLY_", "TY_", "ZUBAN_")
"""Prefixes of the variables that configure checkers; the user's are not passed on."""


class CompletedProgram(NamedTuple):
    """The exit status and the output of a program."""

    status: int
    output: str
    complaint: str
    """Its output on standard error."""

    def last_words(self) -> str:
        """Return the line that tells best why it failed."""
        words = self.complaint.strip() or self.output.strip() or f"exit status {self.status}"
        lines = words.splitlines()
        return next((line for line in lines if "error" in line.lower()), lines[-1]).strip()

    def read(self, name: str, reader: Callable[[Any], T]) -> T:
        """Parse its output as JSON, and return the result of *reader*; *name* is the program's.

        Raises :class:`CouldNotCheckError` if the program failed, or if *reader* finds a different
        structure than it expects.
        """
        if self.status in (0, 1):
            try:
                return reader(json.loads(self.output))
            except json.JSONDecodeError:
                pass
            except (KeyError, TypeError, IndexError, AttributeError):
                raise CouldNotCheckError(f"{name} could not run: unexpected output") from None
        raise CouldNotCheckError(f"{name} could not run: {self.last_words()}")


def find_program(name: str) -> str | None:
    """Return the path of a program: beside this interpreter, below its path, or on ``PATH``."""
    directories = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    # `pip install --target` puts programs below the directory of the modules.
    directories += [str(Path(entry, "bin")) for entry in this_environment().path]
    directories += filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    import shutil  # mypy does without

    return shutil.which(name, path=os.pathsep.join(directories))


def side_by_side(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Call *functions* at the same time, each in a thread, and return their results in order.

    If one raises, all processes that they have started are killed, and the functions end before the
    exception propagates.
    """
    if len(functions) == 1:
        return [functions[0]()]
    from concurrent.futures import Future, ThreadPoolExecutor, wait  # seldom needed

    def result_of(future: Future[T]) -> T:
        # In short steps: a signal that arrives just before a wait is handled after it.
        while wait([future], 0.1).not_done:
            pass
        return future.result()

    try:
        with ThreadPoolExecutor(len(functions)) as pool:
            try:
                futures = [pool.submit(function) for function in functions]
                return [result_of(future) for future in futures]
            except BaseException:
                interruption.stop()
                raise
    finally:
        interruption.resume()


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
    """Start *command*; the caller has to call :func:`finish` or :func:`interruption.terminate`."""
    variables = {key: v for key, v in os.environ.items() if not key.startswith(_SETTINGS)}
    variables["PYTHONIOENCODING"] = "utf-8:surrogateescape"  # as the output is read
    if "PYTHONPATH" in variables:  # may be relative to the directory of this process
        variables["PYTHONPATH"] = os.pathsep.join(python_path())
    return interruption.start(
        command,
        cwd=directory,
        env={**variables, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        errors="surrogateescape",
    )


def finish(name: str, process: subprocess.Popen[str], text: str = "") -> CompletedProgram:
    """Send *text* to a process, wait for its end, and terminate it if that takes too long."""
    try:
        output, complaint = process.communicate(text, timeout=CHECKER_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise CouldNotCheckError(f"{name} did not end within {CHECKER_TIMEOUT} seconds") from None
    finally:
        interruption.terminate(process)
    return CompletedProgram(process.returncode, output, complaint)


def python_path() -> list[str]:
    """Return the entries of the variable ``PYTHONPATH`` as absolute paths."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [os.path.abspath(entry) for entry in entries if entry]


def not_installed(name: str, requirement: str) -> CouldNotCheckError:
    """Return the error that says how to install a missing program or package."""
    return CouldNotCheckError(
        f"{name} is not installed; install it with: {sys.executable} -m pip install '{requirement}'"
    )
