"""The adapter of ty."""

from __future__ import annotations

from backend_contract._conformance.static.checkers.base import (
    CheckRequest,
    Diagnostic,
    Program,
    ResolvedPaths,
)


class Ty(Program):
    """ty, with its JSON format for GitLab."""

    name = "ty"
    requirement = "ty"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "ty.toml"
        configuration.write_text("", encoding="utf-8")
        done = self.run(
            request,
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
            # ty searches it too, but it does not belong to another environment.
            **({} if request.environment.is_this else {"PYTHONPATH": ""}),
        )
        paths = ResolvedPaths(request)
        return done.read(
            self.name,
            lambda document: [
                Diagnostic(
                    paths[row["location"]["path"]],
                    row["location"]["positions"]["begin"]["line"],
                    row["description"],
                    "import" in row["check_name"],
                )
                for row in document
                if row["severity"] in ("major", "critical", "blocker")
            ],
        )
