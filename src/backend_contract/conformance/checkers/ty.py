"""ty."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from backend_contract.conformance.checkers import process
from backend_contract.conformance.checkers.checker import Diagnostic, Program, Task

__all__ = ["Ty"]


class Ty(Program):
    """ty, as it puts reports out for GitLab, which is JSON."""

    name = "ty"
    requirement = "ty"

    def check(self, task: Task) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = task.directory / "ty.toml"
        configuration.write_text("", encoding="utf-8")
        ended = process.run(
            self.name,
            [
                self.program(),
                "check",
                f"--config-file={configuration}",
                f"--project={task.directory}",
                f"--python={task.environment.python}",
                f"--python-version={task.environment.written_version}",
                *(f"--extra-search-path={root}" for root in task.roots),
                "--output-format=gitlab",
                "--no-progress",
                "--no-respect-ignore-files",
                *task.files,
            ],
            directory=task.directory,
            # It looks there as well, and that is no part of another environment.
            environment=None if task.environment.is_this else {"PYTHONPATH": ""},
        )
        return ended.read(self.name, partial(_diagnostics, directory=task.directory))


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
