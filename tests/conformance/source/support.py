"""Helpers of the tests of `source`."""

from __future__ import annotations

from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.modules import ClassSource
from backend_contract._conformance.source.targets import Target
from backend_contract.errors import CouldNotCheckError

__all__ = ["find", "names_of", "source_of"]


def find(text: str) -> Target:
    """Return the single target that *text* names, or raise why it names none."""
    (target,) = find_targets([text])
    if isinstance(target, CouldNotCheckError):
        raise target
    return target


def source_of(text: str) -> ClassSource:
    return find(text).source


def names_of(text: str) -> list[str]:
    """Return the names of the class and of its known ancestors."""
    return [each.node.name for each in source_of(text).known_lineage]
