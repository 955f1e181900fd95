"""The entry points of a project."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.source.support import IMPORTS, Tree

GROUP = "backend_contract.backends"
DECLARATIONS = {
    "standard": ("pyproject.toml", f'[project.entry-points."{GROUP}"]\nX = "pkg.m:Mine"\n'),
    "poetry": ("pyproject.toml", f'[tool.poetry.plugins."{GROUP}"]\nX = "pkg.m:Mine"\n'),
    "flit": ("pyproject.toml", f'[tool.flit.entrypoints."{GROUP}"]\nX = "pkg.m:Mine"\n'),
    "cfg": ("setup.cfg", f"[options.entry_points]\n{GROUP} =\n    X = pkg.m:Mine [extra]\n"),
    "setup": ("setup.py", f"setup(entry_points={{'{GROUP}': ['X = pkg.m:Mine']}})\n"),
}
FILES = {
    "src/pkg/__init__.py": "",
    "src/pkg/m.py": "class Mine: ...\n",
    "other/x.py": f"{IMPORTS}class X(LocalBackend): ...\n",
}


@pytest.mark.parametrize("kind", DECLARATIONS)
def test_declared(tmp_path: Path, kind: str) -> None:
    """An entry point below the searched directory is a target."""
    tree = Tree(tmp_path, FILES)
    assert tree.found() == ["x:X"]
    tree.add(dict([DECLARATIONS[kind]]))
    assert tree.found() == ["x:X", "pkg.m:Mine"]
    assert tree.found("src") == ["pkg.m:Mine"]
    assert tree.found("other") == ["x:X"]
    assert tree.found("other", whole=True) == ["x:X", "pkg.m:Mine"]


@pytest.mark.parametrize("value", ["pkg.m:Nobody", "pkg.nowhere:Mine", "pkg.m"])
def test_not_found(tmp_path: Path, value: str) -> None:
    """An entry point that names no class is an error."""
    text = DECLARATIONS["standard"][1].replace("pkg.m:Mine", value)
    tree = Tree(tmp_path, {**FILES, "pyproject.toml": text})
    found, error = tree.found()
    assert found == "x:X"
    assert error.startswith("! entry point ")
    assert tree.found("other") == ["x:X"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("pyproject.toml", f"# {GROUP}\n="), ("setup.cfg", f"# {GROUP}\n=\n")],
)
def test_unreadable(tmp_path: Path, name: str, text: str) -> None:
    """A file that cannot be read is an error if it mentions the group."""
    tree = Tree(tmp_path, {**FILES, name: text})
    assert any(name in line for line in tree.found() if line.startswith("! "))
    tree.add({name: text.replace(GROUP, "")})
    assert tree.found() == ["x:X"]
