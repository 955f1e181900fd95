"""Modules and classes, read from their source."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conformance.source.support import find, names_of, source_of

from backend_contract._conformance.source import members
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.targets import Target
from backend_contract.errors import CouldNotCheckError


@pytest.mark.parametrize(
    ("text", "name", "file"),
    [
        ("package.inner:Direct", "Direct", "package/inner.py"),
        ("package/inner.py:Direct", "Direct", "package/inner.py"),
        ("package.inner:Direct.Nested", "Nested", "package/inner.py"),
        ("package.inner:Alias", "Child", "package/inner.py"),
        ("package:Renamed", "Direct", "package/inner.py"),
        ("package/__init__.py:Renamed", "Direct", "package/inner.py"),
        ("package:Renamed.Nested", "Nested", "package/inner.py"),
        ("package.inner:Again.Nested", "Nested", "package/inner.py"),
        ("package:Starred", "Starred", "package/star.py"),
        ("namespace.module:Below", "Below", "namespace/module.py"),
        ("namespace/module.py:Below", "Below", "namespace/module.py"),
        ("namespace.nested.deep:Deepest", "Deepest", "namespace/nested/deep.py"),
        ("namespace.relative:Below", "Below", "namespace/module.py"),
    ],
)
def test_find_class(modules_tree: Path, text: str, name: str, file: str) -> None:
    """A class is found in the file that defines it, through imports and aliases."""
    found = source_of(text)
    assert found.node.name == name
    assert found.module.path == modules_tree / file


@pytest.mark.parametrize(
    "content",
    [b"\x00", b"\xff\xfe\xfa", b"# coding: nonsense\n", b"(" * 5000, b"x = '\n"],
    ids=["null", "not utf-8", "coding", "deep", "quote"],
)
def test_unparsable(modules_tree: Path, content: bytes) -> None:
    """A file that cannot be parsed is named."""
    (modules_tree / "mine.py").write_bytes(content)
    with pytest.raises(CouldNotCheckError, match=r"mine\.py"):
        find("mine.py:Mine")


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError])
def test_parser_limits(
    modules_tree: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that exceeds the limits of the parser is named."""

    def parse(*_: object) -> ast.AST:
        raise error("too deep")  # how deep that is differs from Python to Python

    monkeypatch.setattr(ast, "parse", parse)
    with pytest.raises(CouldNotCheckError, match=r"inner\.py: cannot be parsed: .*deep"):
        find("package/inner.py:Direct")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("import abc\nclass Mine(abc.ABC): ...", True),
        ("import abc, other\nclass Mine(other.Base): ...", False),
        ("import typing, other\nclass Mine(other.Base): ...", False),
        ("import other as abc\nclass Mine(abc.ABC): ...", False),
        ("import typing as abc\nclass Mine(abc.Protocol): ...", True),
        ("from abc import ABC\nclass Mine(ABC): ...", True),
        ("from other import ABC\nclass Mine(ABC): ...", False),
        ("class Mine(object): ...", True),
        ("class object: ...\nclass Mine(object): ...", True),
        ("class Mine(ABC): ...", False),
        ("class Mine(zoo): ...", False),
        ("ABC = 3\nclass Mine(ABC): ...", False),
        ("from package.star.deeper import Base\nclass Mine(Base): ...", False),
    ],
)
def test_unknown_base(modules_tree: Path, text: str, known: bool) -> None:
    """A base counts as known if its source was found, or if it adds no member."""
    (modules_tree / "mine.py").write_text(text)
    assert source_of("mine.py:Mine").has_unknown_base is not known


def test_relative_base_without_package(modules_tree: Path) -> None:
    """A base that is imported relatively outside of a package is unknown."""
    (modules_tree / "base.py").write_text("from . import Base\nclass Middle(Base): ...")
    (modules_tree / "mine.py").write_text("from base import Middle\nclass Mine(Middle): ...")
    assert source_of("mine.py:Mine").has_unknown_base


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("from ..inner import Direct", "Direct"),
        ("from .. import Renamed", "Renamed"),
        ("from . import Beside", "Beside"),
        ("from .beside import Beside", "Beside"),
        ("from ..inner import Stranger, Child", "Child"),
        ("from ..inner import Child, Stranger, Direct as Renamed", "Renamed"),
    ],
)
def test_relative_imports(modules_tree: Path, statement: str, name: str) -> None:
    """Relative imports start from the package of the module."""
    (modules_tree / "package/sub").mkdir()
    (modules_tree / "package/sub/__init__.py").write_text("class Beside: ...\n")
    (modules_tree / "package/sub/beside.py").write_text("class Beside: ...\n")
    (modules_tree / "package/sub/deep.py").write_text(f"{statement}\nclass Mine({name}): ...\n")
    mine = source_of("package/sub/deep.py:Mine")
    assert not mine.has_unknown_base
    expected = {"Renamed": "Direct"}.get(name, name)
    assert mine.known_lineage[1].node.name == expected


def test_assigned_to_self(modules_tree: Path) -> None:
    """Only attributes assigned through self are members."""
    body = "        this.mine = other.others = zoo.animal = local = 3\n        list[0] = 4\n"
    (modules_tree / "mine.py").write_text(f"class Mine:\n    def method(this, other, zoo):\n{body}")
    assert list(source_of("mine.py:Mine").on_self) == ["mine"]


def test_several_targets(modules_tree: Path) -> None:
    """An error in one target does not hide the others."""
    found = find_targets(["absent:Class", "package.inner:Direct", "package:Class"])
    assert [type(each) for each in found] == [CouldNotCheckError, Target, CouldNotCheckError]


def test_other_directory(
    modules_tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules beside the file of a target are found from any current directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (modules_tree / "mine.py").write_text("from circular import Beside\nclass Mine(Beside): ...\n")
    (modules_tree / "circular.py").write_text("class Beside: ...\n")
    assert not source_of(f"{modules_tree}/mine.py:Mine").has_unknown_base
    with pytest.raises(CouldNotCheckError, match="no Python source of a module 'circular'"):
        find("circular:Beside")


def test_no_import(modules_tree: Path) -> None:
    """Nothing is imported."""
    (modules_tree / "mine.py").write_text("raise SystemExit('executed')\nclass Mine: ...\n")
    assert source_of("mine.py:Mine").node.lineno == 2
    assert source_of("mine:Mine").node.lineno == 2


def test_namespace_package(modules_tree: Path) -> None:
    """A base is found in a nested namespace package."""
    lineage = names_of("of_deepest.py:Child")
    assert lineage == ["Child", "Deepest"]


def test_diamond(modules_tree: Path) -> None:
    """A class that is inherited twice keeps its last place."""
    (modules_tree / "mine.py").write_text(
        "class Common: ...\nclass A(Common): ...\nclass B(Common): ...\nclass Mine(A, B): ...\n"
    )
    lineage = names_of("mine.py:Mine")
    assert lineage == ["Mine", "A", "B", "Common"]


def test_repeated_base(modules_tree: Path) -> None:
    """A class that is inherited twice in a row is listed once."""
    (modules_tree / "mine.py").write_text("class B: ...\nclass A(B): ...\nclass Mine(A, B): ...\n")
    lineage = [each.node.name for each in source_of("mine.py:Mine").lineage if each]
    assert lineage == ["Mine", "A", "B"]


@pytest.mark.parametrize(
    ("text", "lineage"),
    [
        ("import abc\nclass Mine(abc.ABC): ...", ["Mine"]),
        ("import abc, typing\nclass Mine(typing.Generic[T]): ...", ["Mine"]),
        ("import typing as t\nclass Mine(t.Protocol): ...", ["Mine"]),
        ("from abc import ABC\nclass Mine(ABC): ...", ["Mine"]),
        ("from .inner import Direct as ABC\nclass Mine(ABC): ...", ["Mine", "Direct"]),
        ("from .abc import ABC\nclass Mine(ABC): ...", ["Mine", "ABC"]),
        ("import package.star as abc\nclass Mine(abc.Starred): ...", ["Mine", "Starred"]),
    ],
)
def test_typing_bases(modules_tree: Path, text: str, lineage: list[str]) -> None:
    """`ABC`, `Generic` and `Protocol` are not part of a lineage; namesakes are."""
    (modules_tree / "package/abc.py").write_text("class ABC: ...\n")
    (modules_tree / "package/mine.py").write_text(text)
    assert names_of("package.mine:Mine") == lineage
    assert not source_of("package.mine:Mine").has_unknown_base


@pytest.mark.parametrize(
    ("statement", "base", "found"),
    [
        ("import package.star", "package.star.Starred", True),
        ("import package", "package.star.Starred", True),
        ("import package.inner as a, package.star as m", "m.Starred", True),
        ("import package.inner as z, package.star as m", "m.Starred", True),
        ("import package.inner as a, package.star as m", "a.Starred", False),
        ("import package", "package", False),
        ("import nowhere", "nowhere", False),
        ("from package.star import Other", "Starred", False),
        ("from package.inner import *\nfrom package.star import *", "Starred", True),
        ("from package.star import *\nfrom package.inner import *", "Starred", True),
        ("from package.inner import *", "Starred", False),
        ("Starred = Starred.inner", "Starred", False),
    ],
)
def test_imported_base(modules_tree: Path, statement: str, base: str, found: bool) -> None:
    """A base is found through the import that binds its name."""
    (modules_tree / "mine.py").write_text(f"{statement}\nclass Mine({base}): ...\n")
    names = names_of("mine.py:Mine")
    assert names == (["Mine", "Starred"] if found else ["Mine"])
    assert source_of("mine.py:Mine").has_unknown_base is not found


def test_circular_star_imports(modules_tree: Path) -> None:
    """Star imports in a circle end, and do not hide a class."""
    for one in "abc":
        others = [f"from package.{other} import *\n" for other in "abc" if other != one]
        (modules_tree / f"package/{one}.py").write_text("".join(others))
    with pytest.raises(CouldNotCheckError, match="no class 'Mine'"):
        find("package.a:Mine")
    (modules_tree / "package/c.py").write_text("class Mine: ...\n")
    assert source_of("package.a:Mine").module.name == "package.c"


def test_loaded_module(modules_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded module without a file has no source."""
    monkeypatch.setitem(sys.modules, "loaded", ModuleType("loaded"))
    (error,) = find_targets(["loaded:Mine"])
    assert "no Python source of a module 'loaded'" in str(error)


@pytest.mark.parametrize("name", ["OfModule", "OfPackage"])
def test_base_in_module(modules_tree: Path, name: str) -> None:
    """A base that is an attribute of a module is found."""
    lineage = names_of(f"package.inner:{name}")
    assert lineage == [name, "Starred"]


@pytest.mark.parametrize(
    ("name", "unknown"),
    [("Direct", False), ("Child", False), ("Stranger", True), ("Circle", True), ("Generic", False)],
)
def test_missing_base(modules_tree: Path, name: str, unknown: bool) -> None:
    """A base that is not found, and a circular one, makes the lineage incomplete."""
    assert source_of(f"package.inner:{name}").has_unknown_base is unknown


@pytest.mark.parametrize(
    ("member", "line", "text"),
    [
        ("plain", 6, "plain = 1"),
        ("annotated", 7, "annotated: int"),
        ("conditional", 9, "conditional = 2"),
        ("on_instance", 12, "this.on_instance = 3"),
        ("method", 14, "def method(self, first, second: int=0, *rest: str) -> None"),
    ],
)
def test_find_member(modules_tree: Path, member: str, line: int, text: str) -> None:
    """A member is found in the body, below an `if`, through self, and in a base."""
    for name in ("Direct", "Child"):
        found = source_of(f"package.inner:{name}").find(member)
        assert found is not None
        owner, statement = found
        assert (owner.node.name, statement.lineno) == ("Direct", line)
        assert members.describe(owner, member) == text
    assert source_of("package.inner:Direct").find("absent") is None
