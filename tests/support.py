"""Helpers that tests of several folders share."""

from __future__ import annotations

from backend_contract import LocalBackend

__all__ = ["Mine"]


class Mine(LocalBackend):
    """A backend that keeps every clause."""

    backend_type = "MINE"
