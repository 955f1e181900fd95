"""The output formats: one small renderer each. They write lines, and decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

from backend_contract._conformance.results import Outcome

Renderer = Callable[[Outcome, bool], Iterable[str]]
"""Yields the lines of an outcome, in color or not."""

_RENDERERS = {
    "full": "text:full",
    "concise": "text:concise",
    "json": "json:json_document",
    "github": "github:github",
    "sarif": "sarif:sarif",
    "junit": "junit:junit",
    "markdown": "markdown:markdown",
    "html": "html:html",
    "baseline": "baseline:baseline",
}

FORMATS = tuple(_RENDERERS)
"""The names of the formats, the default one first."""

DOCUMENTS = FORMATS[2:]
"""Those for other programs, which contain what could not be checked, too."""


def load(name: str) -> Renderer:
    """Return the renderer of the format *name*. Loads no other format.

    Raises :class:`CouldNotCheckError` if a package is missing that it requires.
    """
    module, _, function = _RENDERERS[name].partition(":")
    renderer: Renderer = getattr(import_module(f"{__name__}.{module}"), function)
    return renderer


def render(outcome: Outcome, name: str, color: bool) -> Iterable[str]:
    """Yield the lines of the format *name*."""
    return load(name)(outcome, color)
