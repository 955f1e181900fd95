"""The adapter of pyrefly."""

from __future__ import annotations

import json

from backend_contract._conformance.static.checkers.base import (
    CheckRequest,
    Diagnostic,
    Program,
    ResolvedPaths,
)


class Pyrefly(Program):
    """pyrefly, with a configuration: its default preset reports very little."""

    name = "pyrefly"
    requirement = "pyrefly"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "pyrefly.toml"
        settings = {
            "search-path": [str(root) for root in (*request.roots, request.directory)],
            "disable-search-path-heuristics": True,
            "python-version": request.environment.written_version,
            "site-package-path": list(request.environment.path),
            "skip-interpreter-query": True,
            "use-ignore-files": False,
            # An unannotated result is Any, as for the other checkers.
            "untyped-def-behavior": "check-and-infer-return-any",
        }
        written = [f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in settings.items()]
        configuration.write_text("".join(written), "utf-8", "surrogateescape")
        done = self.run(
            request,
            "check",
            f"--config={configuration}",
            "--output-format=json",
            "--summary=none",
            "--progress-bar=no",
            *request.files,
        )
        paths = ResolvedPaths(request)
        return done.read(
            self.name,
            lambda document: [
                Diagnostic(
                    paths[row["path"]],
                    row["line"],
                    row["concise_description"],
                    "import" in row["name"],
                )
                for row in document["errors"]
                if row["severity"] == "error"
            ],
        )
