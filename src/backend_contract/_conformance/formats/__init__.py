"""The output formats: one small renderer each. They write lines, and decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from backend_contract._conformance.results import Outcome

__all__ = ["DOCUMENTS", "FORMATS", "render"]

FORMATS = ("full", "concise", "json", "github", "sarif")
"""The names of the formats, the default one first."""

DOCUMENTS = FORMATS[2:]
"""Those for other programs, which contain what could not be checked, too."""


def render(outcome: Outcome, name: str, color: bool) -> Iterable[str]:
    """Yield the lines of the format *name*. Loads no other format."""
    renderer: Callable[[Outcome, bool], Iterable[str]]
    match name:
        case "json":
            from backend_contract._conformance.formats.json import json_document as renderer
        case "github":
            from backend_contract._conformance.formats.github import github as renderer
        case "sarif":
            from backend_contract._conformance.formats.sarif import sarif as renderer
        case "concise":
            from backend_contract._conformance.formats.text import concise as renderer
        case _:
            from backend_contract._conformance.formats.text import full as renderer
    return renderer(outcome, color)
