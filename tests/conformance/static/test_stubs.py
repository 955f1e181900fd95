"""The stubs that an environment lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.stubs import copy_missing_stubs

STUBBED = {"aconfig", "fastapi", "grpc", "starlette"}


@pytest.fixture
def installed(tmp_path: Path) -> Environment:
    """An environment with two empty directories."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    path = (str(tmp_path / "first"), str(tmp_path / "second"))
    return Environment("/other/python", (3, 12), path)


def stubs(directory: Path, environment: Environment) -> set[str]:
    made = copy_missing_stubs(directory / "stubs", environment)
    assert made == directory / "stubs"
    return {path.name for path in made.iterdir()}


def test_empty_environment(tmp_path: Path, installed: Environment) -> None:
    """An environment without packages gets all stubs, and the core of this package."""
    assert stubs(tmp_path, installed) == {*STUBBED, "backend_contract"}
    core = {path.name for path in (tmp_path / "stubs/backend_contract").iterdir()}
    assert {"base.py", "py.typed", "lifecycle.py"} <= core
    assert not core & {"_conformance", "_examples", "__pycache__"}
    assert (tmp_path / "stubs/grpc/__init__.pyi").is_file()


@pytest.mark.parametrize("directory", ["first", "second"])
@pytest.mark.parametrize(
    ("files", "lacking"),
    [
        (["grpc/__init__.py"], STUBBED),
        (["grpc/__init__.py", "grpc/py.typed"], STUBBED - {"grpc"}),
        (["grpc-stubs/__init__.pyi"], STUBBED - {"grpc"}),
        (["grpc/py.typed"], STUBBED - {"grpc"}),
        (["grpc.py"], STUBBED),
        (["grpc.py", "fastapi/__init__.py", "fastapi/py.typed"], STUBBED - {"fastapi"}),
        (["stubs-grpc/__init__.pyi", "grpc-stubs"], STUBBED),
    ],
)
def test_installed_types(
    tmp_path: Path, installed: Environment, directory: str, files: list[str], lacking: set[str]
) -> None:
    """An installed package with types, or with stubs, gets none."""
    for file in [*files, "backend_contract/__init__.py"]:
        path = tmp_path / directory / file
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert stubs(tmp_path, installed) == lacking


def test_typed_environment(tmp_path: Path, installed: Environment) -> None:
    """If all packages have types the directory is empty, but exists."""
    for name in [*STUBBED, "backend_contract"]:
        (tmp_path / "first" / name).mkdir()
        (tmp_path / "first" / name / "__init__.py").touch()
        (tmp_path / "first" / name / "py.typed").touch()
    assert stubs(tmp_path, installed) == set()


def test_this_environment(tmp_path: Path, installed: Environment) -> None:
    """This environment has the core already, however it is installed."""
    assert stubs(tmp_path, installed._replace(python=sys.executable)) == STUBBED
