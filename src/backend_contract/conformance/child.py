"""The process in which `check` imports a target: it inspects the class, and tries it if asked to.

It is given one request as JSON on standard input, and answers with a JSON document a line: what is
being tried, and each finding as soon as there is one. So if it dies of what it tries, it is known
of what, and nothing that was found before is lost.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from backend_contract.clauses import CLAUSES
from backend_contract.conformance.verdicts import CouldNotCheckError, Finding, Verdict

__all__ = ["as_document", "as_finding", "main"]


def main() -> None:  # pragma: no cover - its process ends by os._exit, and leaves no count
    """Answer the request on standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what a backend prints is not to be taken for an answer
    request = json.loads(sys.stdin.buffer.read())

    def tell(**document: object) -> None:
        answers.write(json.dumps(document) + "\n")

    try:
        if request["root"] is not None:
            sys.path.insert(0, request["root"])
        _answer(request, tell)
    except CouldNotCheckError as error:
        tell(error=str(error))
    tell(done=True)
    answers.flush()
    os._exit(0)  # whatever threads the target has left


def _answer(request: Mapping[str, Any], tell: Callable[..., None]) -> None:
    if importlib.util.find_spec("aconfig") is None:
        raise CouldNotCheckError(
            "a backend is given an aconfig.Config, and aconfig is not installed; install it with: "
            f"{sys.executable} -m pip install alchemy-config"
        )
    tell(trying="its import")
    cls = _import(request["module"], request["qualname"])
    known = {clause: as_finding(document) for clause, document in request["known"].items()}
    if not request["run"]:
        from backend_contract.conformance.structural import inspect_class

        for finding in inspect_class(cls):
            tell(finding=as_document(finding))
        return

    from backend_contract.conformance.kit import Kit
    from backend_contract.conformance.trial import Subject

    config = _configuration(request["config"])
    with Kit(Subject(cls, config), known, lambda clause: tell(trying=clause)) as kit:
        for clause in CLAUSES.values():
            if clause.id not in known:
                finding = kit.finding(clause)
                for part in finding.parts or (finding,):
                    tell(finding=as_document(part))
    for note in dict.fromkeys(kit.notes):
        tell(note=note)


def _import(module: str, qualname: str) -> type:
    try:
        found: object = importlib.import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except Exception as error:  # whatever the module does when it is imported
        from backend_contract.conformance.trial import described

        raise CouldNotCheckError(f"it cannot be imported: {described(error)}") from None
    if not isinstance(found, type):
        raise CouldNotCheckError(f"at run time it is {found!r}, expected a class")
    return found


def _configuration(path: str | None) -> Mapping[str, Any] | None:
    """What the YAML file at ``path`` holds. Raises :class:`CouldNotCheckError` for no mapping."""
    if path is None:
        return None
    import yaml

    try:
        with Path(path).open(encoding="utf-8") as file:
            config: object = yaml.safe_load(file)
    except OSError as error:
        raise CouldNotCheckError(f"--config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise CouldNotCheckError(f"--config {path}: no YAML: {problem}") from None
    mapping = cast("Mapping[object, Any]", config) if isinstance(config, Mapping) else {None: None}
    if not all(isinstance(key, str) for key in mapping):
        raise CouldNotCheckError(
            f"--config {path}: expected a mapping with keys that are text, got {config!r:.80}"
        )
    return cast("Mapping[str, Any]", mapping)


def as_document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON can hold it."""
    return {
        "clause": finding.clause.id,
        "verdict": finding.verdict.value,
        "path": str(finding.path),
        "line": finding.line,
        "found": finding.found,
        "because": finding.because,
        "layer": finding.layer,
        "by": finding.by,
    }


def as_finding(document: Mapping[str, Any]) -> Finding:
    """The finding that :func:`as_document` wrote."""
    return Finding(
        CLAUSES[document["clause"]],
        Verdict(document["verdict"]),
        Path(document["path"]),
        document["line"],
        document["found"],
        tuple(document["because"]),
        document["layer"],
        document["by"],
    )
