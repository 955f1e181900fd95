"""The adapter of ty."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.base import CheckRequest, Diagnostic, Program

__all__ = ["Ty"]


class Ty(Program):
    """ty, with its JSON format for GitLab."""

    name = "ty"
    requirement = "ty"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "ty.toml"
        configuration.write_text("", encoding="utf-8")
        done = subprocesses.run(
            self.name,
            [
                self.program(),
                "check",
                f"--config-file={configuration}",
                f"--project={request.directory}",
                f"--python={request.environment.python}",
                f"--python-version={request.environment.written_version}",
                *(f"--extra-search-path={root}" for root in request.roots),
                "--output-format=gitlab",
                "--no-progress",
                "--no-respect-ignore-files",
                *request.files,
            ],
            directory=request.directory,
            # ty searches it too, but it does not belong to another environment.
            environment=None if request.environment.is_this else {"PYTHONPATH": ""},
        )
        return done.read(self.name, partial(_diagnostics, directory=request.directory))


def _diagnostics(document: Any, directory: Path) -> list[Diagnostic]:
    return [
        Diagnostic(
            (directory / row["location"]["path"]).resolve(),
            row["location"]["positions"]["begin"]["line"],
            row["description"],
            "import" in row["check_name"],
        )
        for row in document
        if row["severity"] in ("major", "critical", "blocker")
    ]
