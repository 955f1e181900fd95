"""The directories that modules are imported from."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.source.support import IMPORTS, Tree

from backend_contract._conformance.source.discovery import search
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.targets import Target

BASE = f"{IMPORTS}class Base(LocalBackend): ...\n"
LION = "class Lion(Base): ...\n"
LAYOUTS = {
    "namespace": (
        {"src/zoo/cats/__init__.py": "", "src/zoo/cats/base.py": BASE},
        {"src/zoo/cats/lion.py": f"from zoo.cats.base import Base\n{LION}"},
        "zoo.cats.lion:Lion",
    ),
    "no package at all": (
        {"src/zoo/cats/base.py": BASE},
        {"src/zoo/cats/lion.py": f"import zoo.cats.base\nBase = zoo.cats.base.Base\n{LION}"},
        "zoo.cats.lion:Lion",
    ),
    "relative": (
        {"src/zoo/base.py": BASE},
        {"src/zoo/lion.py": f"from .base import Base\n{LION}"},
        "zoo.lion:Lion",
    ),
    "shown by a base": (
        {
            "src/zoo/b.py": BASE,
            "src/zoo/a/base.py": "from zoo.b import Base as B\nclass Base(B): ...",
        },
        {"src/zoo/a/lion.py": f"from .base import Base\n{LION}"},
        "zoo.a.lion:Lion",
    ),
    "siblings": (
        {"scripts/base.py": BASE},
        {"scripts/lion.py": f"from base import Base\n{LION}"},
        "lion:Lion",
    ),
    "src": (
        {"pyproject.toml": "", "src/zoo/__init__.py": "", "src/zoo/base.py": BASE},
        {"tests/lion.py": f"from zoo.base import Base\n{LION}"},
        "lion:Lion",
    ),
    "project": (
        {"setup.cfg": "", "helpers/base.py": BASE},
        {"tests/unit/lion.py": f"from helpers.base import Base\n{LION}"},
        "lion:Lion",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(tmp_path: Path, layout: str) -> None:
    """A class has the name that its project imports it by, and its bases are found."""
    others, mine, expected = LAYOUTS[layout]
    (file,) = mine
    tree = Tree(tmp_path, {**others, **mine})
    assert expected in tree.found()
    for text in (file, f"{file}:Lion"):
        assert tree.found(text) == [expected]
        (target,) = tree.search(text).targets
        assert isinstance(target, Target)
        assert not target.source.has_unknown_base


def test_unrelated_folder(tmp_path: Path) -> None:
    """An import that only begins like the folder of a file does not change its name."""
    tree = Tree(tmp_path, {"zoo/lion.py": f"{BASE}import zoo\nfrom zoo.absent import X\n"})
    assert tree.found("zoo/lion.py") == ["lion:Base"]


def test_src_by_name(tmp_path: Path) -> None:
    """A module is found by its name in the folder `src`."""
    tree = Tree(tmp_path, {"src/zoo/base.py": BASE, "lib/other/base.py": BASE})
    assert tree.found("zoo.base") == ["zoo.base:Base"]
    assert tree.found("other.base")[0].startswith("! no Python source")
    assert tree.found("other.base", search_path=("lib",)) == ["other.base:Base"]


def test_search_path(tmp_path: Path) -> None:
    """The setting names directories to import from; the checker gets them too."""
    tree = Tree(
        tmp_path, {"lib/zoo/base.py": BASE, "app/m.py": "from zoo.base import Base\n" + LION}
    )
    assert tree.found("app")[0].startswith("! app: found no")
    (target,) = tree.search("app", search_path=("lib",)).targets
    assert isinstance(target, Target)
    assert target.roots == (tmp_path / "app", tmp_path / "lib")
    assert tree.found("lib", search_path=("lib",)) == ["zoo.base:Base"]


@pytest.mark.parametrize("text", ["absent", "x" * 300])
def test_bad_search_path(tmp_path: Path, text: str) -> None:
    """An entry that is not a directory is an error."""
    (line,) = Tree(tmp_path, {"m.py": BASE}).found("m.py", search_path=(text,))
    assert line.startswith(f"! search-path: {text!r} is not a directory")


HOOKS = {
    "setuptools": "MAPPING: dict[str, str] = {{'zoo': '{0}/lib/zoo'}}\nNAMESPACES = {{}}\n",
    "setuptools namespace": "MAPPING = {{}}\nNAMESPACES = {{'zoo': ['{0}/lib/zoo']}}\n",
    "hatchling": "F.install()\nF.map_module('zoo', '{0}/lib/zoo/__init__.py')\n",
}


INNER = {
    "setuptools": "MAPPING = {{'far.zoo': '{0}/lib/far/zoo'}}\nNAMESPACES = {{'far': []}}\n",
    "hatchling": "F.map_module('far.zoo', '{0}/lib/far/zoo/__init__.py')\n",
    "deeper": "MAPPING = {{'very.far.zoo': '{0}/lib/very/far/zoo'}}\n",
    "elsewhere": "MAPPING = {{'far.zoo': '{0}/lib/near/zoo'}}\n",
    "mapped": "MAPPING = {{'far.zoo': '{0}/lib/far/zoo', 'far': '{0}/lib/gone'}}\n",
    "root": "MAPPING = {{'far.zoo': '/zoo', 'zoo': '/'}}\n",
}


@pytest.mark.parametrize("kind", INNER)
def test_editable_in_namespace(tmp_path: Path, kind: str) -> None:
    """A namespace package around an editable one is found, if the folders are called like it."""
    name = "very.far.zoo" if kind == "deeper" else "far.zoo"
    tree = Tree(tmp_path, {"app/m.py": f"from {name}.base import Base\n{LION}"})
    for folder in ("far", "near", "very/far"):
        tree.add({f"lib/{folder}/zoo/__init__.py": "", f"lib/{folder}/zoo/base.py": BASE})
    tree.add({"site/zoo.pth": "import _hook\n", "site/_hook.py": INNER[kind].format(tmp_path)})
    environment = this_environment()
    path = (*environment.path, str(tmp_path / "site"))
    (found,) = search(["app/m.py"], environment._replace(path=path), tmp_path).targets
    assert isinstance(found, Target) is (kind in ("setuptools", "hatchling", "deeper"))


@pytest.mark.parametrize("kind", HOOKS)
def test_editable_install(tmp_path: Path, kind: str) -> None:
    """The packages of an import hook are found, and the hook is not run."""
    tree = Tree(
        tmp_path, {"app/m.py": f"from zoo.base import Base\n{LION}", "lib/zoo/base.py": BASE}
    )
    if "namespace" not in kind:
        tree.add({"lib/zoo/__init__.py": ""})
    hook = f"raise SystemExit('executed')\n{HOOKS[kind].format(tmp_path)}"
    tree.add(
        {"site/__editable__.pth": "import os; 1\nimport _hook_of_zoo; _hook_of_zoo.install()\n"}
    )
    tree.add({"site/_hook_of_zoo.py": hook, "site/broken.pth": b"import \xff\nimport absent\n"})
    for environment in (this_environment(), this_environment()._replace(python="/other/python")):
        path = (*environment.path, str(tmp_path / "site"))
        found = search(["app", "zoo.base"], environment._replace(path=path), tmp_path).targets
        texts = [each.text if isinstance(each, Target) else str(each) for each in found]
        assert texts == ["app/m.py:Lion", "zoo.base:Base"]
        for each in found:
            assert isinstance(each, Target)
            assert tmp_path / "lib" in each.roots
