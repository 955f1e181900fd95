"""The type checkers that can decide a probe: one small adapter each.

An adapter runs its checker in a process of its own, on the files it is given, under a configuration
that is wholly ours: neither the user's settings nor the checker's defaults say what is reported.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from backend_contract.conformance.verdicts import CouldNotCheckError

__all__ = ["CHECKERS", "Checker", "Diagnostic", "Mypy", "not_installed"]

TIME_LIMIT = 600
"""Seconds after which a checker is taken to hang."""


class Diagnostic(NamedTuple):
    """One error that a checker reported. What it means follows from its line, never its wording."""

    path: Path
    line: int
    message: str
    is_import: bool
    """Whether it says that a module, or its types, could not be found."""


class Checker(Protocol):
    """A type checker, as the probe needs it."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    def version(self) -> str:
        """The installed version. Raises :class:`CouldNotCheckError` where there is none."""
        ...

    def load(self) -> None:
        """Begin what the next ``check`` would else have to wait for; never needed."""
        ...

    def unload(self) -> None:
        """End what ``load`` began and no ``check`` has used."""
        ...

    def check(
        self, files: Sequence[str], directory: Path, roots: Sequence[Path], cache: Path
    ) -> list[Diagnostic]:
        """Check ``files``, which stand in ``directory``.

        Modules are looked for below ``roots`` first, then in this interpreter's environment, typed
        or not. Raises :class:`CouldNotCheckError` where the checker did not come to its end.
        """
        ...


class Mypy:
    """mypy, in a process of its own under this interpreter."""

    name = "mypy"

    CONFIGURATION = """\
[mypy]
# A package without py.typed would be Any as a whole, and so would be everything that uses it.
follow_untyped_imports = True
# `returned: None = backend.start()` is the point of the probe.
disable_error_code = func-returns-value
"""
    """All the settings that a run has."""

    # mypy takes longer to load than to decide a probe it knows, and can load before it has one.
    # What stands in the current directory is not to be imported, whatever its name.
    _PROGRAM = """\
import sys
sys.path[:] = filter(None, sys.path)
import os
from mypy.main import main
request = sys.stdin.read()
if request:
    directory, os.environ["MYPYPATH"], *sys.argv[1:] = request.split("\\0")
    os.chdir(directory)
    sys.path.insert(0, "")  # mypy takes the first entry for the script's, and does not search it
    main()
"""

    def __init__(self) -> None:
        self._loading: subprocess.Popen[str] | None = None

    def version(self) -> str:
        """See :class:`Checker`."""
        spec = importlib.util.find_spec("mypy")
        if spec is None or not spec.submodule_search_locations:
            raise not_installed("mypy")
        # Read, not imported: that would load all of mypy's compiled code, in this process too.
        text = Path(spec.submodule_search_locations[0], "version.py").read_text(encoding="utf-8")
        version = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
        return version[1] if version else "of an unknown version"

    def load(self) -> None:
        """See :class:`Checker`."""
        self._loading = self._loading or self._start()

    def unload(self) -> None:
        """See :class:`Checker`."""
        if self._loading is not None:
            _end(self._loading)
            self._loading = None

    def check(
        self, files: Sequence[str], directory: Path, roots: Sequence[Path], cache: Path
    ) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = directory / "mypy.ini"
        configuration.write_text(self.CONFIGURATION, encoding="utf-8")
        arguments = ["--output=json", f"--config-file={configuration}", *files]
        path = os.pathsep.join(map(str, roots))
        request = [str(directory), path, *arguments]
        status, output, complaint = self._run([*request, f"--cache-dir={cache}"])
        if "sqlite3." in complaint:  # other checks hold the cache, or it is damaged: do without it
            own = directory / "cache"
            status, output, complaint = self._run([*request, f"--cache-dir={own}"])

        errors: list[Diagnostic] = []
        paths: dict[str, Path] = {}
        for line in output.splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                complaint += f"{line}\n"
                continue
            if row["severity"] == "error":
                file = row["file"]
                if file not in paths:
                    paths[file] = (directory / file).resolve()
                is_import = str(row["code"]).startswith("import")
                errors.append(Diagnostic(paths[file], row["line"], row["message"], is_import))
        if status not in (0, 1) or (complaint and not errors):
            raise CouldNotCheckError(f"mypy could not run: {_last_words(errors, complaint)}")
        return errors

    def _run(self, request: Sequence[str]) -> tuple[int, str, str]:
        """What a process that is given ``request`` ends with, and what it says."""
        process, self._loading = self._loading or self._start(), None
        try:
            output, complaint = process.communicate("\0".join(request), timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            raise CouldNotCheckError(f"mypy did not end within {TIME_LIMIT} seconds") from None
        finally:
            _end(process)
        return process.returncode, output, complaint

    def _start(self) -> subprocess.Popen[str]:
        # No setting of the user's may weaken the check, such as MYPYPATH or MYPY_CACHE_DIR.
        environment = {name: v for name, v in os.environ.items() if not name.startswith("MYPY")}
        return subprocess.Popen(
            [sys.executable, "-c", self._PROGRAM],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )


CHECKERS: dict[str, Checker] = {"mypy": Mypy()}
"""The checkers by name, the default one first."""


def not_installed(distribution: str) -> CouldNotCheckError:
    """The error that says how to install what the extra ``check`` brings."""
    return CouldNotCheckError(
        f"{distribution} is not installed; install it with: "
        f"{sys.executable} -m pip install 'backend-contract[check]'"
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End a process that may have ended already, and let go of its pipes."""
    with process:
        process.kill()


def _last_words(errors: Sequence[Diagnostic], complaint: str) -> str:
    """Why a checker gave up, on one line."""
    if errors:
        path, line, message, _ = errors[0]
        return f"{path}:{line}: {message}" if line > 0 else f"{path}: {message}"
    lines = complaint.strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if "error" in line.lower()), lines[-1])
