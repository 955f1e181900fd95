"""The bundled stubs, for packages that have no types in an environment."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from backend_contract._conformance.source.environment import Environment

STUBBED = ("aconfig", "fastapi", "grpc", "starlette")
"""The packages of which there are bundled stubs."""


def copy_missing_stubs(directory: Path, environment: Environment) -> Path:
    """Copy the stubs that *environment* lacks into *directory*, create it, and return it.

    If this package itself is not installed there, its own core is copied too.
    """
    directory.mkdir(parents=True)  # also for no stubs: ty rejects a path that does not exist
    for name in find_untyped(environment):
        shutil.copytree(_bundled(name), directory / name)
    is_found = environment.is_this  # however it is installed
    if not is_found and PathFinder.find_spec("backend_contract", environment.path) is None:
        others = shutil.ignore_patterns("_conformance", "_examples", "__pycache__")
        shutil.copytree(_package(), directory / "backend_contract", ignore=others)
    return directory


def find_untyped(environment: Environment) -> list[str]:
    """Return the packages that need a stub: not installed there, or installed without types."""
    return [name for name in STUBBED if not _has_types(name, environment.path)]


def read_stubs(name: str) -> Mapping[str, str]:
    """Return the stubs of a package: the text of each file by its path, such as ``a/__init__.pyi``.

    They describe a part of the package.
    """
    bundled = _bundled(name)
    return {
        f"{name}/{path.relative_to(bundled).as_posix()}": path.read_text(encoding="utf-8")
        for path in sorted(bundled.rglob("*.pyi"))
    }


def _package() -> Path:
    return Path(__file__).parents[2]


def _bundled(name: str) -> Path:
    """Return the directory with the stubs of a package, in a wheel or in a checkout."""
    around = _package().parent
    in_wheel = Path(__file__).with_name("typings") / name, around / f"{name}-stubs"
    in_checkout = around.parent / "typings" / name
    return next(place for place in (*in_wheel, in_checkout) if place.is_dir())


def _has_types(name: str, path: Sequence[str]) -> bool:
    spec = PathFinder.find_spec(name, path)
    packages = (spec and spec.submodule_search_locations) or ()
    return any((Path(package) / "py.typed").is_file() for package in packages) or any(
        (Path(entry) / f"{name}-stubs").is_dir() for entry in path
    )
