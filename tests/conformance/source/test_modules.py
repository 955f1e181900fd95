from __future__ import annotations

import ast
import os
import sys
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from backend_contract._conformance.source import members
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.modules import ClassSource
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract.errors import CouldNotCheckError

FILES = {
    "package/__init__.py": "from .inner import Direct as Renamed\nfrom .star import *\n",
    "package/inner.py": """\
import package.star as module
from external import Unknown
from package import star

class Direct:
    plain = 1
    annotated: int
    if True:
        conditional = 2

    def __init__(this):
        this.on_instance = 3

    def method(self, first, second: int = 0, *rest: str) -> None: ...

    class Nested:
        pass

class Child(Direct):
    pass

class Stranger(Unknown, Direct):
    pass

class OfModule(module.Starred): ...
class OfPackage(star.Starred): ...

Alias = Child
Alias.attribute = 1
Again = Direct
value = 3
made = type("made", (), {})
def function(): ...
class Circle(Circle): ...
class Generic(Direct[int]): ...
""",
    "package/star.py": "try:\n    class Starred: ...\nexcept ImportError:\n    Starred = None\n",
    "package/broken.py": "def (:\n",
    "mine.py": "class Never: ...\nclass Near: ...\n",
    "gap/__init__.py": "",
    "gap/none/inner/__init__.py": "",
    "gap/none/inner/mine.py": "class Mine: ...\n",
    "circular.py": "from circular import Round\n",
    "namespace/module.py": "class Below: ...\n",
    "namespace/nested/deep.py": "class Deepest: ...\n",
    "of_deepest.py": "from namespace.nested.deep import Deepest\nclass Child(Deepest): ...\n",
    "namespace/relative.py": "from .module import Below\nclass Child(Below): ...\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    os.mkfifo(tmp_path / "pipe.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def find(text: str) -> Target:
    (target,) = find_targets([text])
    if isinstance(target, CouldNotCheckError):
        raise target
    return target


def source(text: str) -> ClassSource:
    return find(text).source


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
def test_a_class_is_found_where_it_is_written(tree: Path, text: str, name: str, file: str) -> None:
    found = source(text)
    assert found.node.name == name
    assert found.module.path == tree / file


@pytest.mark.parametrize(
    ("text", "module", "root"),
    [
        ("package.inner:Direct", "package.inner", "."),
        ("package/inner.py:Direct", "package.inner", "."),
        ("package/__init__.py:Renamed", "package", "."),
        ("namespace/module.py:Below", "module", "namespace"),
        ("gap/none/inner/mine.py:Mine", "inner.mine", "gap/none"),
        ("backend_contract:LocalBackend", "backend_contract", None),
    ],
)
def test_a_target_knows_how_it_is_imported(
    tree: Path, text: str, module: str, root: str | None
) -> None:
    target = find(text)
    assert target.module == module
    assert target.root == (root and (tree / root).absolute())


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
        ("package/:Class", "Is a directory"),
        ("package.inner:Drect", "no class 'Drect'; did you mean 'Direct'?"),
        ("mine.py:Neer", "no class 'Neer'; did you mean 'Never'?"),
        ("package.inner:Direct.Netsed", "class 'Direct' has no class 'Netsed'"),
        ("package.inner:function", "'function' is a function; expected a class"),
        ("package.inner:function.Nested", "'function' is a function; expected a class"),
        ("package.inner:value", "'value' is no class statement; expected a class"),
        ("package.inner:made", "'made' is no class statement; expected a class"),
        ("package.inner:Unknown", "no source of a class 'external.Unknown'"),
        ("package.inner:star", "no class 'star'"),
        ("package.broken:Class", "broken.py:1: "),
        ("circular:Round", "Round leads back to itself"),
        ("namespace/relative.py:Child", "name it as package.module:Class"),
        ("pipe.py:Class", "is neither a file nor a directory"),
    ],
)
def test_what_is_no_class_is_one_clear_line(tree: Path, text: str, message: str) -> None:
    with pytest.raises(CouldNotCheckError) as caught:
        find(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("did you mean") <= 1


@pytest.mark.parametrize("name", ["my-backend.py", "class.py", "1.py", "typing.py", "json.py"])
def test_a_file_that_cannot_be_imported_by_its_name_is_refused(tree: Path, name: str) -> None:
    (tree / name).write_text("class Mine: ...\n")
    with pytest.raises(CouldNotCheckError, match="rename"):
        find(f"{name}:Mine")


def test_a_package_that_cannot_be_imported_by_its_name_is_refused(tree: Path) -> None:
    (tree / "json").mkdir()
    (tree / "json/__init__.py").touch()
    (tree / "json/mine.py").write_text("class Mine: ...\n")
    with pytest.raises(CouldNotCheckError, match=r"rename it; .* the standard module 'json'"):
        find("json/mine.py:Mine")


@pytest.mark.parametrize("name", ["mine.py", "Mine.py"])
def test_a_relative_import_needs_a_package(tree: Path, name: str) -> None:
    for directory in ("package", "namespace"):
        (tree / directory / name).write_text("from . import star\nclass Mine(star.Starred): ...\n")
    assert not source(f"package/{name}:Mine").has_unknown_base
    with pytest.raises(CouldNotCheckError, match="imports relatively"):
        find(f"namespace/{name}:Mine")


@pytest.mark.parametrize(
    "content",
    [b"\x00", b"\xff\xfe\xfa", b"# coding: nonsense\n", b"(" * 5000, b"x = '\n"],
    ids=["null", "not utf-8", "coding", "deep", "quote"],
)
def test_a_file_that_cannot_be_parsed_is_named(tree: Path, content: bytes) -> None:
    (tree / "mine.py").write_bytes(content)
    with pytest.raises(CouldNotCheckError, match=r"mine\.py"):
        find("mine.py:Mine")


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError])
def test_what_is_too_much_for_the_parser_is_named(
    tree: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(content: bytes) -> ast.AST:
        raise error("too deep")  # how deep that is differs from Python to Python

    monkeypatch.setattr(ast, "parse", parse)
    with pytest.raises(CouldNotCheckError, match=r"inner\.py: cannot be parsed: too deep"):
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
def test_whether_all_bases_are_known(tree: Path, text: str, known: bool) -> None:
    (tree / "mine.py").write_text(text)
    assert source("mine.py:Mine").has_unknown_base is not known


def test_a_base_that_is_imported_relatively_from_outside_a_package_is_unknown(tree: Path) -> None:
    (tree / "base.py").write_text("from . import Base\nclass Middle(Base): ...")
    (tree / "mine.py").write_text("from base import Middle\nclass Mine(Middle): ...")
    assert source("mine.py:Mine").has_unknown_base


def test_a_module_of_a_package_may_be_called_as_a_standard_one(tree: Path) -> None:
    (tree / "package/json.py").write_text("class Mine: ...\n")
    assert find("package/json.py:Mine").module == "package.json"


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
def test_relative_imports_start_from_the_package(tree: Path, statement: str, name: str) -> None:
    (tree / "package/sub").mkdir()
    (tree / "package/sub/__init__.py").write_text("class Beside: ...\n")
    (tree / "package/sub/beside.py").write_text("class Beside: ...\n")
    (tree / "package/sub/deep.py").write_text(f"{statement}\nclass Mine({name}): ...\n")
    mine = source("package/sub/deep.py:Mine")
    assert not mine.has_unknown_base
    expected = {"Renamed": "Direct"}.get(name, name)
    assert mine.known_lineage[1].node.name == expected


@pytest.mark.parametrize("file", ["Mine.py", "package/sub/__init__.py", "package/Mine.py"])
def test_what_a_module_is_below_is_where_its_name_starts(tree: Path, file: str) -> None:
    (tree / file).parent.mkdir(exist_ok=True)
    (tree / file).write_text("class Mine: ...\n")
    assert find(f"{file}:Mine").root == tree


def test_only_what_is_assigned_to_self_is_a_member(tree: Path) -> None:
    body = "        this.mine = other.others = zoo.animal = local = 3\n        list[0] = 4\n"
    (tree / "mine.py").write_text(f"class Mine:\n    def method(this, other, zoo):\n{body}")
    assert list(source("mine.py:Mine").on_self) == ["mine"]


def test_one_mistake_does_not_hide_the_other_targets(tree: Path) -> None:
    found = find_targets(["absent:Class", "package.inner:Direct", "package:Class"])
    assert [type(each) for each in found] == [CouldNotCheckError, Target, CouldNotCheckError]


def test_what_stands_beside_a_file_is_found_from_anywhere(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (tree / "mine.py").write_text("from circular import Beside\nclass Mine(Beside): ...\n")
    (tree / "circular.py").write_text("class Beside: ...\n")
    assert not source(f"{tree}/mine.py:Mine").has_unknown_base
    with pytest.raises(CouldNotCheckError, match="no Python source of a module 'circular'"):
        find("circular:Beside")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Once", None),
        ("Once.Twice", None),
        ("Once.Other", None),
        ("Twice", "2, 4"),
        ("Twice.Inner", "2, 4"),
        ("Once.Several", "8, 9, 11"),
        ("Renamed", "2, 4"),
    ],
)
def test_a_class_has_to_be_the_only_one_of_its_name(
    tree: Path, name: str, lines: str | None
) -> None:
    (tree / "mine.py").write_text("""\
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


def test_nothing_is_imported(tree: Path) -> None:
    (tree / "mine.py").write_text("raise SystemExit('executed')\nclass Mine: ...\n")
    assert source("mine.py:Mine").node.lineno == 2
    assert source("mine:Mine").node.lineno == 2


def test_a_base_is_found_in_a_nested_namespace_package(tree: Path) -> None:
    lineage = [each.node.name for each in source("of_deepest.py:Child").known_lineage]
    assert lineage == ["Child", "Deepest"]


def test_a_class_that_comes_twice_stands_where_python_has_it(tree: Path) -> None:
    (tree / "mine.py").write_text(
        "class Common: ...\nclass A(Common): ...\nclass B(Common): ...\nclass Mine(A, B): ...\n"
    )
    lineage = [each.node.name for each in source("mine.py:Mine").known_lineage]
    assert lineage == ["Mine", "A", "B", "Common"]


def test_a_class_that_comes_twice_in_a_row_comes_once(tree: Path) -> None:
    (tree / "mine.py").write_text("class B: ...\nclass A(B): ...\nclass Mine(A, B): ...\n")
    lineage = [each.node.name for each in source("mine.py:Mine").lineage if each]
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
def test_what_makes_types_gives_no_member(tree: Path, text: str, lineage: list[str]) -> None:
    (tree / "package/abc.py").write_text("class ABC: ...\n")
    (tree / "package/mine.py").write_text(text)
    mine = source("package.mine:Mine")
    assert [each.node.name for each in mine.known_lineage] == lineage
    assert not mine.has_unknown_base


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
def test_a_base_is_found_by_what_imports_it(
    tree: Path, statement: str, base: str, found: bool
) -> None:
    (tree / "mine.py").write_text(f"{statement}\nclass Mine({base}): ...\n")
    names = [each.node.name for each in source("mine.py:Mine").known_lineage]
    assert names == (["Mine", "Starred"] if found else ["Mine"])
    assert source("mine.py:Mine").has_unknown_base is not found


def test_modules_that_take_everything_from_each_other_have_an_end(tree: Path) -> None:
    for one in "abc":
        others = [f"from package.{other} import *\n" for other in "abc" if other != one]
        (tree / f"package/{one}.py").write_text("".join(others))
    with pytest.raises(CouldNotCheckError, match="no class 'Mine'"):
        find("package.a:Mine")
    (tree / "package/c.py").write_text("class Mine: ...\n")
    assert source("package.a:Mine").module.name == "package.c"


class Hook:
    """Finds `hooked` as an editable install does, where no path leads."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        return spec_from_file_location(name, self.file) if name == "hooked" else None


def test_what_a_hook_finds_is_of_this_environment_alone(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere/hidden.py").write_text("class Mine: ...\n")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Hook(tree / "elsewhere/hidden.py")])
    assert source("hooked:Mine").module.path == tree / "elsewhere/hidden.py"
    other = this_environment()._replace(python="/other/python")
    for text, environment in [("package.hooked:Mine", None), ("hooked:Mine", other)]:
        (error,) = find_targets([text], environment)
        assert "no Python source of a module" in str(error)


def test_what_this_process_has_loaded_is_no_source(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "loaded", ModuleType("loaded"))
    (error,) = find_targets(["loaded:Mine"])
    assert "no Python source of a module 'loaded'" in str(error)


@pytest.mark.parametrize("name", ["OfModule", "OfPackage"])
def test_bases_are_followed_through_modules(tree: Path, name: str) -> None:
    lineage = [each.node.name for each in source(f"package.inner:{name}").known_lineage]
    assert lineage == [name, "Starred"]


@pytest.mark.parametrize(
    ("name", "unknown"),
    [("Direct", False), ("Child", False), ("Stranger", True), ("Circle", True), ("Generic", False)],
)
def test_a_base_that_was_not_found_is_known_to_be_missing(
    tree: Path, name: str, unknown: bool
) -> None:
    assert source(f"package.inner:{name}").has_unknown_base is unknown


@pytest.mark.parametrize(
    ("member", "line", "words"),
    [
        ("plain", 6, "plain = 1"),
        ("annotated", 7, "annotated: int"),
        ("conditional", 9, "conditional = 2"),
        ("on_instance", 12, "this.on_instance = 3"),
        ("method", 14, "def method(self, first, second: int=0, *rest: str) -> None"),
        ("absent", 5, "no `absent`"),
    ],
)
def test_a_member_is_placed_and_described(tree: Path, member: str, line: int, words: str) -> None:
    direct = source("package.inner:Direct")
    assert members.place(direct, member) == (tree / "package/inner.py", line)
    assert members.describe(direct, member) == words


def test_an_inherited_member_is_placed_in_the_same_file_and_says_where_it_is_from(
    tree: Path,
) -> None:
    child = source("package.inner:Child")
    assert members.place(child, "plain")[1] == 6
    assert members.describe(child, "plain") == "plain = 1  (from package.inner.Direct)"


def test_a_member_from_another_file_is_placed_at_the_class(tree: Path) -> None:
    (tree / "mine.py").write_text("from package.inner import Direct\n\nclass Mine(Direct): ...\n")
    assert members.place(source("mine.py:Mine"), "plain") == (tree / "mine.py", 3)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("result", None),
        ("parameter 1", "parameter `first` of `method` has no annotation"),
        ("parameter 2", None),
        ("parameter 3", None),
    ],
)
def test_a_missing_annotation_is_named(tree: Path, part: str, words: str | None) -> None:
    direct = source("package.inner:Direct")
    assert members.missing_annotation(direct, "method", part) == words


BOTH, CLASS, NOWHERE = {"the class", "an instance"}, {"the class"}, set[str]()


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("class Mine:\n    name: str", BOTH),
        ("class Mine:\n    name: str = 'X'", NOWHERE),
        ("class Mine:\n    name = 'X'", NOWHERE),
        ("class Mine:\n    name: str\n    def __init__(self): self.name = 'X'", CLASS),
        ("class Mine:\n    def __init__(self): self.name = 'X'", NOWHERE),
        ("class Base:\n    name: str\nclass Mine(Base): ...", BOTH),
        ("class Base:\n    name: str\nclass Mine(Base):\n    name = 'X'", NOWHERE),
        ("class Base:\n    name = 'X'\nclass Mine(Base):\n    name: str", NOWHERE),
        ("from abc import ABC\nclass Mine(ABC):\n    name: str", BOTH),
        ("@dataclass\nclass Mine:\n    name: str", CLASS),
        ("@dataclass(frozen=True)\nclass Mine:\n    name: str = 'X'", NOWHERE),
        ("@register('X')\nclass Mine:\n    name: str", NOWHERE),
        ("class Mine(metaclass=Naming):\n    name: str", NOWHERE),
        ("from elsewhere import Base\nclass Mine(Base):\n    name: str", NOWHERE),
        ("class Mine:\n    @property\n    def name(self): ...", NOWHERE),
        ("class Mine:\n    @property\n    @abstractmethod\n    def name(self): ...", BOTH),
        ("class Mine: ...", NOWHERE),
    ],
)
def test_a_declaration_without_a_value_is_seen(
    tmp_path: Path, text: str, lacking: set[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert members.without_value(source(f"{path}:Mine"), "name") == lacking
