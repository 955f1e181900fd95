"""The annotations that make each member checkable: what to write where one is missing."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EXPECTED_ANNOTATIONS", "ExpectedAnnotation"]


class ExpectedAnnotation(NamedTuple):
    """An annotation that conforms, for one part of one member."""

    text: str
    """The annotation as code."""
    module: str = ""
    """The module to import its first name from; empty for a builtin."""
    name: str = ""
    """The name to import: a module itself if *module* is empty."""


_CONFIG = ExpectedAnnotation("aconfig.Config", name="aconfig")
_NONE = ExpectedAnnotation("None")
_STR = ExpectedAnnotation("str")
_CONTEXT = "RuntimeServerContextType"

EXPECTED_ANNOTATIONS = {
    ("backend_type", ""): _STR,
    ("is_started", ""): ExpectedAnnotation("bool"),
    ("is_started", "result"): ExpectedAnnotation("bool"),
    ("backend_type", "result"): _STR,
    ("__init__", "parameter 1"): ExpectedAnnotation("aconfig.Config | None", name="aconfig"),
    ("__init__", "result"): _NONE,
    ("register_config", "parameter 1"): _CONFIG,
    ("register_config", "result"): _NONE,
    ("start", "result"): _NONE,
    ("stop", "result"): _NONE,
    ("start_lock", "result"): ExpectedAnnotation(
        "AbstractContextManager[object]", "contextlib", "AbstractContextManager"
    ),
    ("handle_runtime_context", "parameter 1"): _STR,
    ("handle_runtime_context", "parameter 2"): ExpectedAnnotation(
        _CONTEXT, "backend_contract", _CONTEXT
    ),
    ("handle_runtime_context", "result"): _NONE,
}
"""By member and part: ``result``, ``parameter N`` (from 1, without ``self``), or empty."""
