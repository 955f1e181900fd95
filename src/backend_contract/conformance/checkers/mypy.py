"""mypy, in a process of its own under this interpreter."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from backend_contract.conformance.checkers import process
from backend_contract.conformance.checkers.checker import Diagnostic, Task
from backend_contract.conformance.verdicts import CouldNotCheckError

__all__ = ["Mypy"]


class Mypy:
    """mypy; it is loaded while its caller still looks for what to check."""

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
    os.environ.pop("PYTHONPATH", None)  # it asks other interpreters for their paths
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
            raise process.not_installed("mypy", "backend-contract[check]")
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

    def load(self) -> None:
        """See :class:`Checker`."""
        self._loading = self._loading or self._start()

    def unload(self) -> None:
        """See :class:`Checker`."""
        if self._loading is not None:
            process.end(self._loading)
            self._loading = None

    def check(self, task: Task) -> list[Diagnostic]:
        """See :class:`Checker`."""
        directory = task.directory
        configuration = directory / "mypy.ini"
        configuration.write_text(self.CONFIGURATION, encoding="utf-8")
        request = [
            str(directory),
            os.pathsep.join(map(str, task.roots)),
            "--output=json",
            f"--config-file={configuration}",
            f"--python-executable={task.environment.python}",
            f"--python-version={task.environment.written_version}",
            *task.files,
        ]
        status, output, complaint = self._run([*request, f"--cache-dir={task.cache}"])
        if "sqlite3." in complaint:  # other checks hold the cache, or it is damaged: do without it
            own = directory / "cache"
            status, output, complaint = self._run([*request, f"--cache-dir={own}"])

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

    def _run(self, request: Sequence[str]) -> process.Ended:
        """What a process that is given ``request`` ends with, and what it says."""
        started, self._loading = self._loading or self._start(), None
        return process.finish(self.name, started, "\0".join(request))

    def _start(self) -> subprocess.Popen[str]:
        return process.start([sys.executable, "-c", self._PROGRAM])


def _last_words(errors: Sequence[Diagnostic], complaint: str) -> str:
    """Why mypy gave up, on one line."""
    if errors:
        path, line, message, _ = errors[0]
        return f"{path}:{line}: {message}" if line > 0 else f"{path}: {message}"
    return process.Ended(2, "", complaint).last_words()
