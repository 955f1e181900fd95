"""The adapter of zuban."""

from __future__ import annotations

import os
import re

from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.base import (
    CheckRequest,
    Diagnostic,
    Program,
    ResolvedPaths,
)
from backend_contract._conformance.static.checkers.mypy import Mypy
from backend_contract.errors import CouldNotCheckError

_LINE = re.compile(r"(?P<path>.+?):(?P<line>\d+): (?P<kind>error|note): (?P<message>.*)")


class Zuban(Program):
    """zuban, with the configuration of mypy and the text format of mypy.

    It infers the result of an unannotated method. An option turns that off, but then the result of
    an ``async`` one is ``Any`` in a call, and a coroutine elsewhere.
    """

    name = "zuban"
    requirement = "zuban"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "zuban.ini"
        configuration.write_text(Mypy.CONFIGURATION, encoding="utf-8")
        # zuban does not read PYTHONPATH.
        python_path = subprocesses.python_path() if request.environment.is_this else []
        done = self.run(
            request,
            "check",
            f"--config-file={configuration}",
            f"--python-executable={request.environment.python}",
            f"--python-version={request.environment.written_version}",
            "--no-error-summary",
            *(f"--extra-search-path={entry}" for entry in python_path),
            *request.files,
            MYPYPATH=os.pathsep.join(map(str, request.roots)),
        )
        rows = [_LINE.fullmatch(line) for line in done.output.splitlines()]
        if done.status not in (0, 1) or None in rows:
            raise CouldNotCheckError(f"zuban could not run: {done.last_words()}")
        paths = ResolvedPaths(request)
        return [
            Diagnostic(
                paths[row["path"]],
                int(row["line"]),
                row["message"],
                "[import" in row["message"],
            )
            for row in rows
            if row is not None and row["kind"] == "error"
        ]
