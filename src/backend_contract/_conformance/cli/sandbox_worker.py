"""The process in which ``check --run`` imports a target and tries it.

It reads one request, as JSON, from standard input, and answers with one JSON document per line:
the clause that is tried next, and each finding as soon as it exists. If the target ends the
process, the parent knows which clause was being tried, and keeps the earlier findings.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import reprlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from backend_contract._conformance.results import Finding, Verdict
from backend_contract._conformance.source.files import read_regular_file
from backend_contract.clauses import CLAUSES, in_layer
from backend_contract.errors import CouldNotCheckError

__all__ = [
    "answer",
    "as_document",
    "as_finding",
    "import_class",
    "main",
    "read_configuration",
]


def main() -> None:  # pragma: no cover - ends by os._exit, without reporting coverage
    """Answer the request on standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # a backend's output must not be mistaken for an answer
    request = json.loads(sys.stdin.buffer.read())

    def tell(**document: object) -> None:
        answers.write(json.dumps(document) + "\n")

    try:
        sys.path[:0] = request["roots"]
        answer(request, tell)
    except CouldNotCheckError as error:
        tell(error=str(error))
    tell(done=True)
    answers.flush()
    os._exit(0)  # without waiting for threads of the target


def answer(request: Mapping[str, Any], tell: Callable[..., None]) -> None:
    """Import the target of *request*, try its clauses unless known, and *tell* the results.

    Raises :class:`CouldNotCheckError` if the target cannot be imported or configured.
    """
    if importlib.util.find_spec("aconfig") is None:
        raise CouldNotCheckError(
            "backends receive an aconfig.Config, but aconfig is not installed; install it with: "
            f"{sys.executable} -m pip install alchemy-config"
        )
    tell(trying="its import")
    cls = import_class(request["module"], request["qualname"])
    known = {clause: as_finding(document) for clause, document in request["known"].items()}

    from backend_contract._conformance.behavioural.run import Subject
    from backend_contract._conformance.kit import Kit

    subject = Subject(make=cls, config=read_configuration(request["config"]))
    with Kit(subject, known, lambda clause: tell(trying=clause)) as kit:
        for clause in in_layer("B"):
            if clause.id in request["clauses"] and clause.id not in known:
                tell(finding=as_document(kit.finding(clause)))
    for note in dict.fromkeys(kit.notes):
        tell(note=note)


def import_class(module: str, qualname: str) -> type:
    """Return a class, which may be nested.

    Raises :class:`CouldNotCheckError` if the import fails, or the name is not a class at run time.
    """
    try:
        found: object = importlib.import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except Exception as error:  # importing a module may raise anything
        from backend_contract._conformance.behavioural.calls import describe_exception

        raise CouldNotCheckError(f"it cannot be imported: {describe_exception(error)}") from None
    if not isinstance(found, type):
        raise CouldNotCheckError(f"at run time it is {found!r}; expected a class")
    return found


def read_configuration(path: str | None) -> Mapping[str, Any] | None:
    """Return the content of a YAML file, or ``None`` without one.

    Raises :class:`CouldNotCheckError` if the content is not a mapping with string keys.
    """
    if path is None:
        return None
    import yaml

    try:
        content = read_regular_file(Path(path), f"--backend-config {path}")
        config: object = yaml.safe_load(content.decode("utf-8"))
    except RecursionError:
        raise CouldNotCheckError(f"--backend-config {path}: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise CouldNotCheckError(f"--backend-config {path}: not valid YAML: {problem}") from None
    shown = reprlib.repr(config)  # bounded: aliases of YAML may make a short file very long
    if isinstance(config, Mapping):
        mapping = cast("Mapping[object, Any]", config)
        if all(isinstance(key, str) for key in mapping):
            return cast("Mapping[str, Any]", mapping)
    raise CouldNotCheckError(
        f"--backend-config {path}: expected a mapping with string keys, got {shown:.80}"
    )


def as_document(finding: Finding) -> dict[str, Any]:
    """Return a finding as a JSON document."""
    return {
        "clause": finding.clause.id,
        "verdict": finding.verdict.value,
        "path": str(finding.path),
        "line": finding.line,
        "found": finding.found,
        "because": finding.because,
        "advice": finding.advice,
        "layer": finding.layer,
        "checked_by": finding.checked_by,
    }


def as_finding(document: Mapping[str, Any]) -> Finding:
    """Return the finding that :func:`as_document` wrote."""
    return Finding(
        clause=CLAUSES[document["clause"]],
        verdict=Verdict(document["verdict"]),
        path=Path(document["path"]),
        line=document["line"],
        found=document["found"],
        because=tuple(document["because"]),
        advice=document["advice"],
        layer=document["layer"],
        checked_by=document["checked_by"],
    )
