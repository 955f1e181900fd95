"""The adapter of mypy."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backend_contract._conformance import interruption
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.base import (
    CheckRequest,
    Diagnostic,
    ResolvedPaths,
)
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError


class Mypy:
    """mypy, run by this interpreter, whichever environment it checks."""

    name = "mypy"

    CONFIGURATION = """\
[mypy]
# Otherwise a package without py.typed would be Any, and so would be everything that uses it.
follow_untyped_imports = True
# `returned: None = backend.start()` is the point of the probe.
disable_error_code = func-returns-value
"""
    """All settings of a run."""

    # Loads mypy before it reads the request: that takes longer than a probe. Nothing comes
    # from the current directory. mypy's cache trusts the time and size of a file: here its time is
    # that of its last change, which cannot be set. Probes are named by content.
    _PROGRAM = """\
import sys
sys.path[:] = filter(None, sys.path)
import gc, os
def stat(path, *, stat=os.stat, **options):
    status = stat(path, **options)
    fields = list(status)[:10]
    changed = status.st_ctime_ns, status.st_ino, status.st_dev
    fields[8] = 0 if path in probes else abs(hash(changed))
    return os.stat_result(fields)
gc.disable()  # nothing of what is loaded is garbage
from mypy.main import main
gc.enable()
os.stat = stat
request = sys.stdin.read()
if request:
    directory, os.environ["MYPYPATH"], *sys.argv[1:] = request.split("\\0")
    probes = {*sys.argv}
    os.chdir(directory)
    sys.path.insert(0, "")  # mypy drops the first entry: it should be the directory of the script
    os.environ.pop("PYTHONPATH", None)  # mypy asks the interpreter to check for its path
    main()
"""

    def __init__(self) -> None:
        self._loading: subprocess.Popen[str] | None = None

    @property
    def is_installed(self) -> bool:
        """See :class:`Checker`."""
        return importlib.util.find_spec("mypy") is not None

    def version(self) -> str:
        """See :class:`Checker`."""
        spec = importlib.util.find_spec("mypy")
        if spec is None or not spec.submodule_search_locations:
            raise subprocesses.not_installed("mypy", "backend-contract[check]")
        # Importing it would load all of mypy into this process.
        file = Path(spec.submodule_search_locations[0], "version.py")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CouldNotCheckError(f"mypy could not run: {file}: {error}") from None
        version = re.search(r'^__version__ = "(\d+\.\d+\S*)"', text, re.MULTILINE)
        if version is None:
            raise CouldNotCheckError(f"{file} has no version; install mypy again")
        return version[1]

    @contextmanager
    def preloaded(self) -> Generator[None, None, None]:
        """Load mypy in the background, so that the first :meth:`check` in the block ends sooner."""
        with suppress(OSError):  # reported by `check`, if it cannot start mypy either
            self._loading = self._start()
        try:
            yield
        finally:
            if self._loading is not None:
                interruption.terminate(self._loading)
                self._loading = None

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "mypy.ini"
        configuration.write_text(self.CONFIGURATION, encoding="utf-8")
        done = self._run(request, request.cache)
        if "sqlite3." in done.complaint:  # other runs hold the cache, or it is damaged
            done = self._run(request, request.directory / "cache")
        errors, other_lines = _parse(done.output, request)
        complaint = done.complaint + other_lines
        if done.status not in (0, 1) or (complaint and not errors):
            reason = _first(errors) or CompletedProgram(done.status, "", complaint).last_words()
            raise CouldNotCheckError(f"mypy could not run: {reason}")
        return errors

    def _run(self, request: CheckRequest, cache: Path) -> CompletedProgram:
        options = [
            "--output=json",
            f"--config-file={request.directory / 'mypy.ini'}",
            f"--python-executable={request.environment.python}",
            f"--python-version={request.environment.written_version}",
            f"--cache-dir={cache}",
        ]
        roots = os.pathsep.join(map(str, request.roots))
        text = "\0".join([str(request.directory), roots, *options, *request.files])
        process, self._loading = self._loading or self._start(), None
        return subprocesses.finish(self.name, process, text)

    def _start(self) -> subprocess.Popen[str]:
        return subprocesses.start([sys.executable, "-c", self._PROGRAM])


def _parse(output: str, request: CheckRequest) -> tuple[list[Diagnostic], str]:
    """Return the errors, and the lines that mypy did not print: modules it loads may print too."""
    errors: list[Diagnostic] = []
    other_lines = ""
    paths = ResolvedPaths(request)
    for line in output.splitlines():
        try:
            row: Any = json.loads(line)
            severity = row["severity"]
        except (ValueError, TypeError, KeyError):
            other_lines += f"{line}\n"
            continue
        if severity == "error":
            is_import = str(row["code"]).startswith("import")
            errors.append(Diagnostic(paths[row["file"]], row["line"], row["message"], is_import))
    return errors, other_lines


def _first(errors: list[Diagnostic]) -> str | None:
    """Return the first error with its location, on one line."""
    if not errors:
        return None
    path, line, message, _ = errors[0]
    return f"{path}:{line}: {message}" if line > 0 else f"{path}: {message}"
