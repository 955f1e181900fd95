"""The bundled stubs, for packages that have no types in an environment."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from backend_contract._conformance.source.environment import Environment, this_environment

__all__ = ["copy_missing_stubs"]

_STUBBED = ("aconfig", "fastapi", "grpc", "starlette")


def copy_missing_stubs(directory: Path, environment: Environment | None = None) -> Path:
    """Copy the stubs that *environment* lacks into *directory*, and return it.

    Stubs are needed for a package that is not installed, or installed without types. If this
    package itself is not installed there, its own core is copied too.
    """
    path = (environment or this_environment()).path
    here = Path(__file__).parent
    package = here.parents[1]
    bundled = here / "typings"
    if not bundled.is_dir():  # pragma: no cover - an editable install: only a wheel carries them
        bundled = package.parents[1] / "typings"
    for name in _STUBBED:
        if not _has_types(name, path):
            shutil.copytree(bundled / name, directory / name)
    is_this = environment is None or environment.is_this  # then it is found, however installed
    if not is_this and PathFinder.find_spec("backend_contract", path) is None:
        others = shutil.ignore_patterns("_conformance", "_examples", "__pycache__")
        shutil.copytree(package, directory / "backend_contract", ignore=others)
    return directory


def _has_types(name: str, path: Sequence[str]) -> bool:
    spec = PathFinder.find_spec(name, path)
    packages = (spec and spec.submodule_search_locations) or ()
    return any((Path(package) / "py.typed").is_file() for package in packages) or any(
        (Path(entry) / f"{name}-stubs").is_dir() for entry in path
    )
