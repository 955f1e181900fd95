"""zuban."""

from __future__ import annotations

import os
import re

from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.base import CheckRequest, Diagnostic, Program
from backend_contract._conformance.static.checkers.mypy import Mypy
from backend_contract.errors import CouldNotCheckError

__all__ = ["Zuban"]

_LINE = re.compile(r"(?P<path>.+?):(?P<line>\d+): (?P<kind>error|note): (?P<message>.*)")


class Zuban(Program):
    """zuban, which takes mypy's configuration, and whose output is text as mypy's.

    It infers what a method without annotations returns. It can be told not to, but then takes the
    result of an ``async`` one for ``Any`` where it is called, and for a coroutine elsewhere.
    """

    name = "zuban"
    requirement = "zuban"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "zuban.ini"
        configuration.write_text(Mypy.CONFIGURATION, encoding="utf-8")
        further = (
            subprocesses.python_path() if request.environment.is_this else []
        )  # it does not look there
        ended = subprocesses.run(
            self.name,
            [
                self.program(),
                "check",
                f"--config-file={configuration}",
                f"--python-executable={request.environment.python}",
                f"--python-version={request.environment.written_version}",
                "--no-error-summary",
                *(f"--extra-search-path={entry}" for entry in further),
                *request.files,
            ],
            directory=request.directory,
            environment={"MYPYPATH": os.pathsep.join(map(str, request.roots))},
        )
        rows = [_LINE.fullmatch(line) for line in ended.output.splitlines()]
        if ended.status not in (0, 1) or None in rows:
            raise CouldNotCheckError(f"zuban could not run: {ended.last_words()}")
        return [
            Diagnostic(
                (request.directory / row["path"]).resolve(),
                int(row["line"]),
                row["message"],
                "[import" in row["message"],
            )
            for row in rows
            if row is not None and row["kind"] == "error"
        ]
