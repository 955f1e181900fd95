"""Where a reader finds a file of a finding, and the page of its clause."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from backend_contract.clauses import Clause

__all__ = ["DOCUMENTATION", "in_repository", "page_of", "reference", "repository"]

DOCUMENTATION = ""
"""The address of the documentation, without a slash at the end; empty until it is published."""


def repository() -> Path:
    """Return the root of the repository around the current directory, or else that directory."""
    here = Path.cwd()
    for directory in (here, *here.parents):
        if os.path.exists(directory / ".git"):  # noqa: PTH110 - a file in worktrees; may be forbidden
            return directory
    return here


def in_repository(path: Path) -> PurePath:
    """Return *path* relative to the root of the repository if it is below it."""
    root = repository()
    absolute = Path.cwd() / path
    return absolute.relative_to(root) if absolute.is_relative_to(root) else absolute


def page_of(clause: Clause) -> str | None:
    """Return the address of a clause's page, or ``None`` if the documentation has no address."""
    return f"{DOCUMENTATION}/contract.html#{clause.id.lower()}" if DOCUMENTATION else None


def reference(clause: Clause) -> str:
    """Return the address of a clause's page, or else the command that prints it."""
    return page_of(clause) or f"backend-contract explain {clause.id}"
