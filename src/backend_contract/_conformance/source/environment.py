"""The environment that is checked: an interpreter, and where it finds installed modules."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple

from backend_contract.errors import CouldNotCheckError

__all__ = ["Environment", "environment_of", "this_environment"]

ANSWER_TIMEOUT = 60
"""Seconds after which an interpreter is taken to hang that was asked for its path."""

# With `-c` the first entry is the current directory; only what is built in is imported after it.
_QUESTION = """\
import sys
print(sys.version_info[0], sys.version_info[1], *sys.path[1:], sep="\\n", end="")
"""


class Environment(NamedTuple):
    """An interpreter of which the installed modules are taken; it need not be this one."""

    python: str
    """The path of the interpreter."""
    version: tuple[int, int]
    """Its major and minor version."""
    path: tuple[str, ...]
    """Where it finds modules: its ``sys.path`` without the current directory."""

    @property
    def is_this(self) -> bool:
        """Whether it is that of the running interpreter."""
        return self.python == sys.executable

    @property
    def written_version(self) -> str:
        """The version as checkers take it, such as ``3.11``."""
        return "{}.{}".format(*self.version)


def this_environment() -> Environment:
    """The environment of the running interpreter."""
    here = os.getcwd()
    path = (entry for entry in sys.path if entry and os.path.abspath(entry) != here)
    return Environment(sys.executable, sys.version_info[:2], tuple(path))


def environment_of(python: str) -> Environment:
    """The environment of the interpreter ``python``, which is asked in a process of its own.

    Neither the current directory nor ``PYTHONPATH`` belongs to it, and nothing of either is
    imported. Raises :class:`CouldNotCheckError` where that is no Python >= 3.10 that answers.
    """
    # The path of a virtual environment's interpreter is a link, and says which environment it is.
    executable = os.path.abspath(python)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        answer = subprocess.run(
            [executable, "-c", _QUESTION],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=ANSWER_TIMEOUT,
            check=True,
        ).stdout.split("\n")
        version = int(answer[0]), int(answer[1])
    except OSError as error:
        raise _not_python(python, error.strerror or str(error)) from None
    except subprocess.TimeoutExpired:
        raise _not_python(python, f"it did not answer within {ANSWER_TIMEOUT} seconds") from None
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines()
        raise _not_python(python, said[-1] if said else f"exit {error.returncode}") from None
    except (ValueError, IndexError):
        raise _not_python(python, "its answer is not that of a Python interpreter") from None
    if version < (3, 10):
        raise CouldNotCheckError(
            f"--python {python}: is Python {version[0]}.{version[1]}; expected 3.10 or newer"
        )
    return Environment(executable, version, tuple(answer[2:]))


def _not_python(python: str, why: str) -> CouldNotCheckError:
    return CouldNotCheckError(
        f"--python {python}: {why}; expected the path of a Python interpreter, "
        "such as .venv/bin/python"
    )
