"""Modules that are called like those of the standard library."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend_contract._conformance.static.checking import without_shadowing


@pytest.mark.parametrize("name", ["types.py", "enum.pyi", "typing/__init__.py", "json/x.py"])
def test_hidden(tmp_path: Path, name: str) -> None:
    """A root with such a module is replaced by links to everything else."""
    root, directory = tmp_path / "root", tmp_path / "directory"
    directory.mkdir()
    for file in (name, "mine.py", "stubs-stubs/x.pyi", "pkg/types.py", "not a name.py"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    (view,) = without_shadowing([root], directory)
    assert view.parent == directory
    assert sorted(each.name for each in view.iterdir()) == ["mine.py", "pkg", "stubs-stubs"]
    assert (view / "pkg/types.py").exists()


@pytest.mark.parametrize("name", ["type.py", "pkg/types.py", "types.txt", "mytypes.py"])
def test_kept(tmp_path: Path, name: str) -> None:
    """Any other root stays as it is, a missing one too."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    roots = [tmp_path, tmp_path / "absent"]
    assert without_shadowing(roots, tmp_path) == roots
