"""Targets as they are named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.source.support import find, source_of

from backend_contract.errors import CouldNotCheckError


@pytest.mark.parametrize(
    ("text", "module", "root"),
    [
        ("package.inner:Direct", "package.inner", "."),
        ("package/inner.py:Direct", "package.inner", "."),
        ("package/__init__.py:Renamed", "package", "."),
        ("namespace/module.py:Below", "module", "namespace"),
        ("gap/none/inner/mine.py:Mine", "inner.mine", "gap/none"),
        ("namespace/relative.py:Child", "namespace.relative", "."),
        ("backend_contract:LocalBackend", "backend_contract", None),
    ],
)
def test_import(modules_tree: Path, text: str, module: str, root: str | None) -> None:
    """A target knows the module it is imported from, and the folder of that module."""
    target = find(text)
    assert target.module == module
    assert target.root == (root and (modules_tree / root).absolute())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "a directory or a package, got ''",
        ),
        (":Class", "expected package.module:Class"),
        ("package:", "expected package.module:Class"),
        ("package:not a name", "expected package.module:Class"),
        ("package:X\nimport os", "expected package.module:Class"),
        ("package:class", "expected package.module:Class"),
        ("pack age:Class", "expected package.module:Class"),
        ("package..inner:Direct", "expected package.module:Class"),
        ("absent:Class", "no Python source of a module 'absent'"),
        ("package.absent:Class", "no Python source of a module 'package.absent'"),
        ("namespace:Below", "no Python source of a module 'namespace'"),
        ("math:Class", "no Python source of a module 'math'"),
        ("x" * 300 + ".py:Class", "File name too long"),
        ("absent.py:Class", "No such file or directory"),
        ("a\0b.py:Class", "expected package.module:Class"),
        ("package.inner.Direct", "put a colon before the class, as in package.inner:Direct"),
        ("package.inner.Direct.Nested", "as in package.inner:Direct.Nested"),
        ("package.inner.Absent", "no Python source of a module 'package.inner.Absent'"),
        ("package/inner.py::Direct", "put one colon before the class, as in package/inner.py:Dir"),
        ("package.inner::Direct::Nested", "as in package.inner:Direct.Nested"),
        ("::Direct", "expected package.module:Class"),
        ("mine.py::", "expected package.module:Class"),
        ("package/:Class", "Is a directory"),
        ("package.inner:Drect", "no class 'Drect'; did you mean 'Direct'?"),
        ("mine.py:Neer", "no class 'Neer'; did you mean 'Never'?"),
        ("package.inner:Direct.Netsed", "class 'Direct' has no class 'Netsed'"),
        ("package.inner:function", "'function' is a function; expected a class"),
        ("package.inner:function.Nested", "'function' is a function; expected a class"),
        ("package.inner:value", "'value' is not a class; expected a class statement"),
        ("package.inner:made", "'made' is not a class; expected a class statement"),
        ("package.inner:Unknown", "no source of a class 'external.Unknown'"),
        ("package.inner:star", "no class 'star'"),
        ("package.inner:star", "; classes in the module: Direct"),
        ("package.broken:Class", "broken.py:1: "),
        ("circular:Round", "Round refers to itself"),
        ("pipe.py:Class", "pipe.py: not a regular file"),
    ],
)
def test_bad_target(modules_tree: Path, text: str, message: str) -> None:
    """A target that does not name a class is a one-line error."""
    with pytest.raises(CouldNotCheckError) as caught:
        find(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("did you mean") <= 1


@pytest.mark.parametrize("name", ["my-backend.py", "class.py", "1.py", "typing.py", "json.py"])
def test_unimportable_file(modules_tree: Path, name: str) -> None:
    """A file that cannot be imported by its name is rejected."""
    (modules_tree / name).write_text("class Mine: ...\n")
    with pytest.raises(CouldNotCheckError, match="rename"):
        find(f"{name}:Mine")


def test_shadowing_package(modules_tree: Path) -> None:
    """A package that shadows a standard module is rejected."""
    (modules_tree / "json").mkdir()
    (modules_tree / "json/__init__.py").touch()
    (modules_tree / "json/mine.py").write_text("class Mine: ...\n")
    with pytest.raises(CouldNotCheckError, match=r"shadows the standard module 'json'.*rename it"):
        find("json/mine.py:Mine")


@pytest.mark.parametrize("name", ["mine.py", "Mine.py"])
def test_relative_import_without_package(modules_tree: Path, name: str) -> None:
    """Relative imports need a module at the place where they lead."""
    for directory in ("package", "namespace"):
        (modules_tree / directory / name).write_text(
            "from . import star\nclass Mine(star.Starred): ...\n"
        )
    assert not source_of(f"package/{name}:Mine").has_unknown_base
    with pytest.raises(CouldNotCheckError, match="relative imports"):
        find(f"namespace/{name}:Mine")


def test_shadowing_in_package(modules_tree: Path) -> None:
    """A module in a package may be called like a standard one."""
    (modules_tree / "package/json.py").write_text("class Mine: ...\n")
    assert find("package/json.py:Mine").module == "package.json"


@pytest.mark.parametrize("file", ["Mine.py", "package/sub/__init__.py", "package/Mine.py"])
def test_root(modules_tree: Path, file: str) -> None:
    """The root is the folder that contains the outermost package."""
    (modules_tree / file).parent.mkdir(exist_ok=True)
    (modules_tree / file).write_text("class Mine: ...\n")
    assert find(f"{file}:Mine").root == modules_tree


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Once", None),
        ("Once.Twice", None),
        ("Once.Other", None),
        ("Twice", None),
        ("Twice.Inner", "2, 4"),
        ("Once.Several", "8, 9, 11"),
        ("Renamed", None),
    ],
)
def test_one_definition(modules_tree: Path, name: str, lines: str | None) -> None:
    """A nested class must be the only one of its name, and so must the classes around it."""
    (modules_tree / "mine.py").write_text("""\
class Another: ...
class Twice:
    class Inner: ...
class Twice:
    class Inner: ...
class Once:
    class Twice: ...
    class Several: ...
    class Several: ...
    if True:
        class Several: ...
    class Other:
        class Several: ...
Renamed = Twice
""")
    if lines is None:
        assert find(f"mine.py:{name}").qualname == name
    else:
        with pytest.raises(CouldNotCheckError, match=f"defined on lines {lines};"):
            find(f"mine.py:{name}")
