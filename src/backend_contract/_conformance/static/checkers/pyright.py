"""The adapter of pyright, whether it was installed by pip or npm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from backend_contract._conformance.static.checkers.base import (
    CheckRequest,
    Diagnostic,
    Program,
    ResolvedPaths,
)


class Pyright(Program):
    """pyright, with ``--outputjson``."""

    name = "pyright"
    requirement = "pyright[nodejs]"

    # The wrapper on PyPI must not warn of newer versions.
    variables: ClassVar[Mapping[str, str]] = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        """See :class:`Checker`."""
        configuration = request.directory / "pyrightconfig.json"
        settings = {
            "include": list(request.files),
            "extraPaths": [str(root) for root in request.roots],
            "stubPath": "does not exist",  # the default is `typings` in the current directory
            "typeCheckingMode": "standard",
            "pythonVersion": request.environment.written_version,
            # An unannotated member is Any, as for the other checkers. Otherwise pyright would infer
            # its type from the body.
            "analyzeUnannotatedFunctions": False,
        }
        configuration.write_text(json.dumps(settings), encoding="utf-8")
        done = self.run(
            request,
            "--outputjson",
            *("--project", str(configuration)),
            *("--pythonpath", request.environment.python),
        )
        paths = ResolvedPaths(request)
        return done.read(
            self.name,
            lambda document: [
                Diagnostic(
                    paths[row["file"]],
                    row["range"]["start"]["line"] + 1 if "range" in row else 0,
                    row["message"].partition("\n")[0],
                    str(row.get("rule", "")).startswith("reportMissing"),
                )
                for row in document["generalDiagnostics"]
                if row["severity"] == "error"
            ],
        )
