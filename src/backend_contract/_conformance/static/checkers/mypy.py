"""mypy, in a process of its own under this interpreter."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.base import CheckRequest, Diagnostic
from backend_contract.errors import CouldNotCheckError

__all__ = ["Mypy"]


class Mypy:
    """mypy, started by this interpreter, whichever environment it checks."""

    name = "mypy"

    CONFIGURATION = """\
[mypy]
# A package without py.typed would be Any as a whole, and so would be everything that uses it.
follow_untyped_imports = True
# `returned: None = backend.start()` is the point of the probe.
disable_error_code = func-returns-value
"""
    """All the settings that a run has."""

    # Nothing in the current directory is imported, whatever its name.
    _PROGRAM = """\
import sys
sys.path[:] = filter(None, sys.path)
import os
from mypy.main import main
sys.path.insert(0, "")  # mypy takes the first entry for the script's, and does not search it
os.environ.pop("PYTHONPATH", None)  # mypy asks the interpreter that is checked for its path
main()
"""

    @property
    def is_installed(self) -> bool:
        """See :class:`Checker`."""
        return importlib.util.find_spec("mypy") is not None

    def version(self) -> str:
        """See :class:`Checker`."""
        spec = importlib.util.find_spec("mypy")
        if spec is None or not spec.submodule_search_locations:
            raise subprocesses.not_installed("mypy", "backend-contract[check]")
        # Read, not imported: that would load all of mypy's compiled code, in this process too.
        file = Path(spec.submodule_search_locations[0], "version.py")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CouldNotCheckError(f"mypy could not run: {file}: {error}") from None
        version = re.search(r'^__version__ = "(\d+\.\d+\S*)"', text, re.MULTILINE)
        if version is None:
            raise CouldNotCheckError(
                f"{file} gives no version: this is no mypy that can be relied on"
            )
        return version[1]

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        directory = request.directory
        configuration = directory / "mypy.ini"
        configuration.write_text(self.CONFIGURATION, encoding="utf-8")
        status, output, complaint = self._run(request, request.cache)
        if "sqlite3." in complaint:  # other runs hold the cache, or it is damaged
            status, output, complaint = self._run(request, directory / "cache")
        errors: list[Diagnostic] = []
        paths: dict[str, Path] = {}
        for line in output.splitlines():
            try:
                row = json.loads(line)
                severity = row["severity"]
            except (ValueError, TypeError, KeyError):  # what is loaded with mypy may print as well
                complaint += f"{line}\n"
                continue
            if severity == "error":
                file = row["file"]
                if file not in paths:
                    paths[file] = (directory / file).resolve()
                is_import = str(row["code"]).startswith("import")
                errors.append(Diagnostic(paths[file], row["line"], row["message"], is_import))
        if status not in (0, 1) or (complaint and not errors):
            raise CouldNotCheckError(f"mypy could not run: {_last_words(errors, complaint)}")
        return errors

    def _run(self, request: CheckRequest, cache: Path) -> subprocesses.CompletedProgram:
        options = [
            "--output=json",
            f"--config-file={request.directory / 'mypy.ini'}",
            f"--python-executable={request.environment.python}",
            f"--python-version={request.environment.written_version}",
            f"--cache-dir={cache}",
        ]
        return subprocesses.run(
            self.name,
            [sys.executable, "-c", self._PROGRAM, *options, *request.files],
            directory=request.directory,
            environment={"MYPYPATH": os.pathsep.join(map(str, request.roots))},
        )


def _last_words(errors: Sequence[Diagnostic], complaint: str) -> str:
    """Why mypy gave up, on one line."""
    if errors:
        path, line, message, _ = errors[0]
        return f"{path}:{line}: {message}" if line > 0 else f"{path}: {message}"
    return subprocesses.CompletedProgram(2, "", complaint).last_words()
