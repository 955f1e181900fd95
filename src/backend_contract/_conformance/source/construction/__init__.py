"""Whether a class makes complete instances of itself, read from the source."""

from __future__ import annotations

from typing import NamedTuple


class Defect(NamedTuple):
    """A reason why instances are incomplete, or are not known to be complete."""

    is_certain: bool
    reason: str
    advice: str = ""
    """How to fix it, if the reason does not tell."""
