"""Helpers of the tests of `source`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.discovery import Found, find_targets, search
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.targets import Project, Target
from backend_contract.errors import CouldNotCheckError

__all__ = ["IMPORTS", "Tree", "find", "names_of", "source_of", "structural"]


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


class Tree:
    """A directory with Python files, and what a search finds there."""

    def __init__(self, directory: Path, files: Mapping[str, str | bytes]) -> None:
        self.directory = directory
        self.add(files)

    def add(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def search(self, *texts: str, whole: bool = False, **settings: tuple[str, ...]) -> Found:
        project = Project(directory=self.directory, **settings)
        return search(
            texts or ["."], this_environment(), self.directory, project, whole_project=whole
        )

    def found(self, *texts: str, whole: bool = False, **settings: tuple[str, ...]) -> list[str]:
        """Return `module:Class` of a target, `! reason` of an error, `? Class` if left out."""
        result = self.search(*texts, whole=whole, **settings)
        return [
            *(
                f"{each.module}:{each.qualname}" if isinstance(each, Target) else f"! {each}"
                for each in result.targets
            ),
            *(f"? {each.name}" for each in result.not_checked),
        ]


MEMBERS = """
class {}:
    backend_type = "X"
    is_started = False
    def register_config(self, config): ...
    def start(self): ...
    def stop(self): ...
    def start_lock(self): ...
    def handle_runtime_context(self, model_id, runtime_context): ...
"""
IMPORTS = "from backend_contract import *\n"


def structural(name: str) -> str:
    """Return a class that has the members and inherits nothing."""
    return MEMBERS.format(name)
