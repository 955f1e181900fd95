"""Members as the source of a class defines them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conformance.source.support import source_of

from backend_contract._conformance.source import members
from backend_contract._conformance.source.classes import ClassSource


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("class OfA:\n\n    member = 1\n")
    (tmp_path / "z.py").write_text("class OfZ:\n\n    member = 1\n")
    return tmp_path


def mine(directory: Path, text: str) -> ClassSource:
    """Write a file, and return its class `Mine`."""
    (directory / "mine.py").write_text(text)
    return source_of(f"{directory}/mine.py:Mine")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from a import OfA\nclass Mine(OfA): ...", 2),
        ("from z import OfZ\nclass Mine(OfZ): ...", 2),
        ("class Base:\n    member = 1\nclass Mine(Base): ...", 2),
        ("class Base: ...\nclass Mine(Base):\n    member = 1", 3),
        ("import mine\nclass Base:\n    member = 1\nclass Mine(mine.Base): ...", 3),
        ("class Mine: ...", 1),
    ],
)
def test_location(directory: Path, text: str, line: int) -> None:
    """A member is located in the file of the class, or at the class."""
    assert members.location_of(mine(directory, text), "member") == (directory / "mine.py", line)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class Mine:\n    def member(self): ...", "def member(self)"),
        ("class Mine:\n    async def member(self) -> int: ...", "async def member(self) -> int"),
        (
            "class Mine:\n    @staticmethod\n    @of.mine(1)\n    def member(*, a): ...",
            "@staticmethod @of.mine(1) def member(*, a)",
        ),
        ("class Mine:\n    member: int = 1", "member: int = 1"),
        ("class Mine:\n    member = [\n        1,\n        2,\n    ]", "member = [1, 2]"),
        ("from a import OfA\nclass Mine(OfA): ...", "member = 1  (from a.OfA)"),
        ("class Mine: ...", "no `member`"),
        (
            "from nowhere import Base\nclass Mine(Base): ...",
            "no `member` in the part of its source that was found",
        ),
    ],
)
def test_description(directory: Path, text: str, words: str) -> None:
    """A member is described as it is written, on one line."""
    assert members.describe(mine(directory, text), "member") == words


PARTS = """\
class Mine:
    def plain(self, first: int, second, third: str = "") -> bool: ...
    def only(self, first: int, /, second: bytes): ...
    def rest(self, first: int, *rest: str, key: bytes) -> None: ...
    def untyped_rest(self, first, *rest): ...
    def key(self, *, key: bytes) -> None: ...
    @staticmethod
    def static(first: int, second: bytes) -> None: ...
    @zoned
    def decorated(self, first: int) -> None: ...
    @classmethod
    def of_class(cls, first: int) -> None: ...
    @other
    @staticmethod
    def static_too(first: int) -> None: ...
    async def later(self) -> str: ...
    value: int = 1
    assigned = 1
    def __init__(self): self.made = 1
"""


@pytest.mark.parametrize(
    ("member", "part", "annotation", "missing"),
    [
        ("plain", "parameter 1", "int", None),
        ("plain", "parameter 2", None, "parameter `second` of `plain` has no annotation"),
        ("plain", "parameter 3", "str", None),
        ("plain", "parameter 4", None, None),
        ("plain", "result", "bool", None),
        ("only", "parameter 1", "int", None),
        ("only", "parameter 2", "bytes", None),
        ("only", "parameter 3", None, None),
        ("only", "result", None, "`only` has no return annotation"),
        ("rest", "parameter 1", "int", None),
        ("rest", "parameter 2", "str", None),
        ("rest", "parameter 3", "str", None),
        (
            "untyped_rest",
            "parameter 2",
            None,
            "parameter `rest` of `untyped_rest` has no annotation",
        ),
        ("key", "parameter 1", None, None),
        ("static", "parameter 1", "int", None),
        ("static", "parameter 2", "bytes", None),
        ("static", "parameter 3", None, None),
        ("decorated", "parameter 1", "int", None),
        ("of_class", "parameter 1", "int", None),
        ("static_too", "parameter 1", "int", None),
        ("later", "result", "str", None),
        ("value", "", "int", None),
        ("value", "parameter 1", None, None),
        ("value", "result", "int", None),
        ("assigned", "", None, None),
        ("made", "", None, "`made` has no annotation"),
        ("absent", "", None, None),
        ("absent", "result", None, None),
        ("absent", "parameter 1", None, None),
    ],
)
def test_annotation(
    directory: Path, member: str, part: str, annotation: str | None, missing: str | None
) -> None:
    """A part of a member has its own annotation, or a named missing one."""
    source = mine(directory, PARTS)
    found = members.annotation(source, member, part)
    assert (found and ast.unparse(found)) == annotation
    assert members.missing_annotation(source, member, part) == missing


@pytest.mark.parametrize(
    ("imported", "annotation", "expected"),
    [
        ("from typing import Any", "Any", True),
        ("from typing import Any", "int | Any", True),
        ("from typing import Any", "Any | int", True),
        ("from typing import Any", "int | str | Any | None", True),
        ("from typing import Any", "Union[int, Any]", True),
        ("from typing import Any", "Optional[Any]", True),
        ("from typing import Any", "Union[int, Optional[int | Any]]", True),
        ("from typing import Union, Any as Whatever", "int | Whatever", True),
        ("from typing_extensions import Any", "Any", True),
        ("import typing", "typing.Any | None", True),
        ("import typing as t", "int | t.Any", True),
        ("import typing_extensions", "typing_extensions.Any", True),
        ("from typing import Any", "list[Any]", False),
        ("from typing import Any", "int & Any", False),
        ("from typing import Any", "Literal[Any]", False),
        ("from typing import Any, Union", "Union", False),
        ("from typing import Any as Whatever", "Any", False),
        ("from typing import List as Any", "Any", False),
        ("from typing import AbstractSet as Any", "Any", False),
        ("from typing import Any as Whatever, List as Many", "Many", False),
        ("from mine import Any", "Any", False),
        ("from abc import Any", "Any", False),
        ("from zoo import Any", "Any", False),
        ("class Any: ...", "Any", False),
        ("import Any", "Any", False),
        ("import zoo", "zoo.Any", False),
        ("import typing", "typing.List", False),
        ("import typing", "typing.Zoo", False),
        ("", "int", False),
        ("", "None", False),
    ],
)
def test_contains_any(directory: Path, imported: str, annotation: str, expected: bool) -> None:
    """`Any` and unions with it are recognized under any imported name."""
    source = mine(directory, f"{imported}\nclass Mine:\n    member: {annotation}\n    other = 1")
    assert members.contains_any(source, "member", "") is expected
    assert not members.contains_any(source, "other", "")
    assert not members.contains_any(source, "absent", "")


@pytest.mark.parametrize(("origin", "expected"), [("typing", True), (".typing", False)])
def test_own_typing_module(directory: Path, origin: str, expected: bool) -> None:
    """`Any` of a module that is only called typing does not count."""
    (directory / "package").mkdir()
    (directory / "package/__init__.py").touch()
    (directory / "package/typing.py").write_text("class Any: ...\n")
    text = f"from {origin} import Any\nclass Mine:\n    member: int | Any\n"
    source = mine(directory / "package", text)
    assert members.contains_any(source, "member", "") is expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("object", True),
        ("'object'", True),
        ("int | object", True),
        ("Optional[object]", True),
        ("int", False),
        ("zoo", False),
        ("list[object]", False),
        ("typing.object", False),
    ],
)
def test_accepts_everything(directory: Path, annotation: str, expected: bool) -> None:
    """`object` and unions with it accept everything."""
    source = mine(directory, f"class Mine:\n    def member(self, a: {annotation}, b): ...")
    assert members.accepts_everything(source, "member", "parameter 1") is expected
    assert not members.accepts_everything(source, "member", "parameter 2")
    assert not members.accepts_everything(source, "absent", "parameter 1")


def test_imports(directory: Path) -> None:
    """An annotation leads to the imports of the names in it."""
    (directory / "base.py").write_text("""\
import one
from two import Two, Unused
import unused

class Base:
    def member(self, a: one.One | list[Two] | int, b): ...
""")
    source = mine(directory, "from base import Base\nclass Mine(Base): ...")
    file = (directory / "base.py").resolve()
    assert members.imports_of_annotation(source, "member", "parameter 1") == {(file, 1), (file, 2)}
    assert members.imports_of_annotation(source, "member", "parameter 2") == set()
    assert members.imports_of_annotation(source, "absent", "parameter 1") == set()


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        ("Protocol", True),
        ("typing.Protocol", True),
        ("int, Protocol[T]", True),
        ("", False),
        ("Generic[T]", False),
        ("Zoo", False),
        ("Base", False),
        ("Protocol.Inner", False),
        ("Generic[Protocol]", False),
    ],
)
def test_protocol(directory: Path, bases: str, expected: bool) -> None:
    """A class is a Protocol only if Protocol is among its own bases."""
    text = f"class Base(Protocol): ...\nclass Mine({bases}): ..."
    assert members.is_protocol(mine(directory, text)) is expected


@pytest.mark.parametrize(
    ("bases", "body", "hidden"),
    [
        ("Unknown", "    member = 1", False),
        ("Unknown", "    def __init__(self): self.member = 1", True),
        ("Unknown, Gives", "    pass", True),
        ("Gives, Unknown", "    pass", False),
        ("Lacks, Unknown", "    pass", True),
        ("Gives", "    pass", True),
        ("Gives", "    member = 1", False),
        ("Elsewhere", "    pass", True),
        ("Elsewhere", "    member = 1", False),
        ("Lacks", "    def __init__(self): self.member = 1", True),
    ],
)
def test_hidden(directory: Path, bases: str, body: str, hidden: bool) -> None:
    """A base that cannot be read may hide the members of later bases."""
    (directory / "elsewhere.py").write_text("class Elsewhere:\n    member = 1\n")
    text = "from nowhere import Unknown\nclass Gives:\n    member = 1\nclass Lacks: ...\n"
    text += "from elsewhere import Elsewhere\n"
    source = mine(directory, f"{text}class Mine({bases}):\n{body}")
    assert members.may_be_hidden(source, "member") is hidden


NEITHER, ONLY_INSTANCE, BOTH = (False, False), (False, True), (True, True)
"""Whether the class, and an instance, has a value, or may have one."""


@pytest.mark.parametrize(
    ("text", "has_value"),
    [
        ("class Mine:\n    name: str", NEITHER),
        ("class Mine:\n    name: str = 'X'", BOTH),
        ("class Mine:\n    name = 'X'", BOTH),
        ("class Mine:\n    name: str\n    def __init__(self): self.name = 'X'", ONLY_INSTANCE),
        ("class Mine:\n    def __init__(self): self.name = 'X'", BOTH),
        ("class Base:\n    name: str\nclass Mine(Base): ...", NEITHER),
        ("class Base:\n    name: str\nclass Mine(Base):\n    name = 'X'", BOTH),
        ("class Base:\n    name = 'X'\nclass Mine(Base):\n    name: str", BOTH),
        ("from abc import ABC\nclass Mine(ABC):\n    name: str", NEITHER),
        ("@dataclass\nclass Mine:\n    name: str", ONLY_INSTANCE),
        ("@dataclass(frozen=True)\nclass Mine:\n    name: str = 'X'", BOTH),
        ("@register('X')\nclass Mine:\n    name: str", BOTH),
        ("class Mine(metaclass=Naming):\n    name: str", BOTH),
        ("from elsewhere import Base\nclass Mine(Base):\n    name: str", BOTH),
        ("class Mine:\n    @property\n    def name(self): ...", BOTH),
        ("class Mine:\n    @property\n    @abstractmethod\n    def name(self): ...", NEITHER),
        ("class Mine: ...", BOTH),
        ("@conforms\nclass Mine:\n    name: str", NEITHER),
        ("@bc.conforms\n@typing.final\nclass Mine:\n    name: str", NEITHER),
        ("@final\n@other\nclass Mine:\n    name: str", BOTH),
        ("@other.dataclass\nclass Mine:\n    name: str", ONLY_INSTANCE),
        ("@dataclass.other\nclass Mine:\n    name: str", BOTH),
        ("class Mine(metaclass=ABCMeta):\n    name: str", NEITHER),
        ("class Mine(metaclass=abc.ABCMeta):\n    name: str", NEITHER),
        ("class Mine(metaclass=abc.Zoo):\n    name: str", BOTH),
        ("class Mine(metaclass=abc.ABC):\n    name: str", BOTH),
        ("class Mine(metaclass=abc.AMeta):\n    name: str", BOTH),
        ("class Mine(metaclass=ABCMeta.other):\n    name: str", BOTH),
        ("class Mine(option=ABCMeta):\n    name: str", BOTH),
        ("class Mine(abstract=ABCMeta):\n    name: str", BOTH),
        ("class Mine(zone=ABCMeta):\n    name: str", BOTH),
        ("class Mine(**options):\n    name: str", BOTH),
        ("class Mine:\n    name: str\nMine.name = 'X'", BOTH),
        ("class Mine:\n    name: str\nMine.other = 'X'", NEITHER),
        ("class Mine:\n    name: str\nOther.name = 'X'", NEITHER),
        ("class Mine:\n    name: str\n    def __init_subclass__(cls): ...", BOTH),
        (
            "class Base:\n    def __init_subclass__(cls): ...\nclass Mine(Base):\n    name: str",
            BOTH,
        ),
        (
            "class Base:\n    name: str\n    def f(self): self.name = 1\nclass Mine(Base): ...",
            ONLY_INSTANCE,
        ),
        ("@dataclass\nclass Base:\n    name: str\nclass Mine(Base): ...", ONLY_INSTANCE),
        (
            "class B:\n    name = 1\nclass Mine(B):\n    @abstractmethod\n    def name(self): ...",
            NEITHER,
        ),
        (
            "class B:\n    @abstractmethod\n    def name(self): ...\nclass Mine(B):\n    name = 1",
            BOTH,
        ),
        (
            "class Base:\n    name = 'X'\nclass Mine(Base):\n    name: str\n    other: str",
            BOTH,
        ),
        ("class Mine:\n    @abc.abstractproperty\n    def name(self): ...", NEITHER),
        ("class Mine:\n    @first\n    @abstractmethod\n    async def name(self): ...", NEITHER),
    ],
)
def test_value(directory: Path, text: str, has_value: tuple[bool, bool]) -> None:
    """A declared member without a value is told from one with a value, or possibly with one."""
    source = mine(directory, text)
    on_class = not members.lacks_value(source, "name", on_class=True)
    assert (on_class, not members.lacks_value(source, "name")) == has_value
