"""The environment to check in: an interpreter and the directories it imports from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backend_contract._conformance import interruption
from backend_contract.errors import CouldNotCheckError

ANSWER_TIMEOUT = 60
"""Seconds that an interpreter has to report its version and path."""

# With `-c` the first entry is the current directory. No module except the built-in sys is imported.
_QUESTION = """\
import sys
print(sys.version_info[0], sys.version_info[1], *sys.path[1:], sep="\\n", end="")
"""


class Environment(NamedTuple):
    """An interpreter whose installed modules are used; not necessarily the running one."""

    python: str
    """The path of the interpreter."""
    version: tuple[int, int]
    """Its major and minor version."""
    path: tuple[str, ...]
    """The directories it imports from: its ``sys.path`` without the current directory."""

    @property
    def is_this(self) -> bool:
        """Whether this is the environment of the running interpreter."""
        return self.python == sys.executable

    @property
    def written_version(self) -> str:
        """The version as checkers expect it, such as ``3.11``."""
        return "{}.{}".format(*self.version)

    def can_parse(self, content: bytes) -> bool:
        """Return whether this interpreter can parse the content of a file; it runs nothing."""
        program = "import ast, sys; ast.parse(sys.stdin.buffer.read())"
        try:
            done = subprocess.run(
                [self.python, "-I", "-S", "-c", program],
                input=content,
                capture_output=True,
                timeout=ANSWER_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def this_environment() -> Environment:
    """Return the environment of the running interpreter."""
    here = os.getcwd()
    path = (entry for entry in sys.path if entry and os.path.abspath(entry) != here)
    return Environment(sys.executable, sys.version_info[:2], tuple(path))


def environment_of(python: str) -> Environment:
    """Ask the interpreter *python* for its environment, in a subprocess.

    Neither the current directory nor ``PYTHONPATH`` belongs to that environment, and nothing is
    imported from either. Raises :class:`CouldNotCheckError` if *python* is not an interpreter of
    Python 3.10 or newer, or does not answer in time.
    """
    # Do not resolve links: the path of the link tells which virtual environment is meant.
    executable = os.path.abspath(python)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment["PYTHONIOENCODING"] = "utf-8:surrogateescape"  # as the answer is read
    try:
        answer = _ask([executable, "-c", _QUESTION], environment).split("\n")
        version = int(answer[0]), int(answer[1])
    except OSError as error:
        raise _not_python(python, error.strerror or str(error)) from None
    except subprocess.TimeoutExpired:
        raise _not_python(python, f"no answer within {ANSWER_TIMEOUT} seconds") from None
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr).strip().splitlines()
        raise _not_python(python, lines[-1] if lines else f"exit {error.returncode}") from None
    except (ValueError, IndexError):
        raise _not_python(python, "unexpected output") from None
    if version < (3, 10):
        raise CouldNotCheckError(
            f"--python {python}: is Python {version[0]}.{version[1]}; expected 3.10 or newer"
        )
    return Environment(executable, version, tuple(answer[2:]))


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the output of *command*; raise the exceptions of :func:`subprocess.run`."""
    process = interruption.start(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        errors="surrogateescape",
    )
    try:
        output, complaint = process.communicate(timeout=ANSWER_TIMEOUT)
    finally:
        interruption.terminate(process)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output, complaint)
    return output


def _not_python(python: str, reason: str) -> CouldNotCheckError:
    return CouldNotCheckError(
        f"--python {python}: {reason}; expected the path of a Python interpreter, "
        "such as .venv/bin/python"
    )
