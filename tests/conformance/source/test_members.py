"""What the source says of a member; `test_sources.py` has how the source is found."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from backend_contract._conformance.source import members
from backend_contract._conformance.source.modules import ClassSource
from backend_contract._conformance.source.targets import Target, find_targets


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("class OfA:\n\n    member = 1\n")
    (tmp_path / "z.py").write_text("class OfZ:\n\n    member = 1\n")
    return tmp_path


def mine(directory: Path, text: str) -> ClassSource:
    """The class ``Mine`` in a file of that text."""
    (directory / "mine.py").write_text(text)
    (target,) = find_targets([f"{directory}/mine.py:Mine"])
    assert isinstance(target, Target), target
    return target.source


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
def test_a_member_is_placed_in_the_file_of_the_class(directory: Path, text: str, line: int) -> None:
    assert members.place(mine(directory, text), "member") == (directory / "mine.py", line)


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
def test_a_member_is_described_as_it_is_written(directory: Path, text: str, words: str) -> None:
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
def test_the_annotation_of_a_part_of_a_member(
    directory: Path, member: str, part: str, annotation: str | None, missing: str | None
) -> None:
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
def test_a_union_with_any_is_told_from_others(
    directory: Path, imported: str, annotation: str, expected: bool
) -> None:
    source = mine(directory, f"{imported}\nclass Mine:\n    member: {annotation}\n    other = 1")
    assert members.is_any_in_part(source, "member", "") is expected
    assert not members.is_any_in_part(source, "other", "")
    assert not members.is_any_in_part(source, "absent", "")


@pytest.mark.parametrize(("origin", "expected"), [("typing", True), (".typing", False)])
def test_any_of_a_module_of_ones_own_is_another(
    directory: Path, origin: str, expected: bool
) -> None:
    (directory / "package").mkdir()
    (directory / "package/__init__.py").touch()
    (directory / "package/typing.py").write_text("class Any: ...\n")
    text = f"from {origin} import Any\nclass Mine:\n    member: int | Any\n"
    source = mine(directory / "package", text)
    assert members.is_any_in_part(source, "member", "") is expected


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
def test_a_union_with_object_is_told_from_others(
    directory: Path, annotation: str, expected: bool
) -> None:
    source = mine(directory, f"class Mine:\n    def member(self, a: {annotation}, b): ...")
    assert members.is_object(source, "member", "parameter 1") is expected
    assert not members.is_object(source, "member", "parameter 2")
    assert not members.is_object(source, "absent", "parameter 1")


def test_an_annotation_knows_the_imports_it_uses(directory: Path) -> None:
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
def test_a_protocol_is_one_that_says_so_itself(directory: Path, bases: str, expected: bool) -> None:
    text = f"class Base(Protocol): ...\nclass Mine({bases}): ..."
    assert members.is_protocol(mine(directory, text)) is expected


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("    member = 7", 7),
        ("    member: str = None", None),
        ("    member = 'X'", "X"),
        ("    member = int()", ...),
        ("    member: int", ...),
        ("    def member(self): ...", ...),
        ("    def __init__(self): self.member = 7", ...),
        ("    absent = 7", ...),
    ],
)
def test_a_literal_is_one_that_the_body_gives(directory: Path, body: str, value: object) -> None:
    found = members.constant(
        mine(directory, f"class Base:\n{body}\nclass Mine(Base): ..."), "member"
    )
    assert (... if found is None else found.value) == value


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
        ("Lacks", "    def __init__(self): self.member = 1", True),
    ],
)
def test_what_an_unseen_base_may_give(directory: Path, bases: str, body: str, hidden: bool) -> None:
    text = "from nowhere import Unknown\nclass Gives:\n    member = 1\nclass Lacks: ...\n"
    source = mine(directory, f"{text}class Mine({bases}):\n{body}")
    assert members.is_hidden(source, "member") is hidden


BOTH, CLASS, NOWHERE = {"the class", "an instance"}, {"the class"}, set[str]()


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("@conforms\nclass Mine:\n    name: str", BOTH),
        ("@bc.conforms\n@typing.final\nclass Mine:\n    name: str", BOTH),
        ("@final\n@other\nclass Mine:\n    name: str", NOWHERE),
        ("@other.dataclass\nclass Mine:\n    name: str", CLASS),
        ("@dataclass.other\nclass Mine:\n    name: str", NOWHERE),
        ("class Mine(metaclass=ABCMeta):\n    name: str", BOTH),
        ("class Mine(metaclass=abc.ABCMeta):\n    name: str", BOTH),
        ("class Mine(metaclass=abc.Zoo):\n    name: str", NOWHERE),
        ("class Mine(metaclass=abc.ABC):\n    name: str", NOWHERE),
        ("class Mine(metaclass=abc.AMeta):\n    name: str", NOWHERE),
        ("class Mine(metaclass=ABCMeta.other):\n    name: str", NOWHERE),
        ("class Mine(option=ABCMeta):\n    name: str", NOWHERE),
        ("class Mine(abstract=ABCMeta):\n    name: str", NOWHERE),
        ("class Mine(zone=ABCMeta):\n    name: str", NOWHERE),
        ("class Mine(**options):\n    name: str", NOWHERE),
        ("class Mine:\n    name: str\nMine.name = 'X'", NOWHERE),
        ("class Mine:\n    name: str\nMine.other = 'X'", BOTH),
        ("class Mine:\n    name: str\nOther.name = 'X'", BOTH),
        ("class Mine:\n    name: str\n    def __init_subclass__(cls): ...", NOWHERE),
        (
            "class Base:\n    def __init_subclass__(cls): ...\nclass Mine(Base):\n    name: str",
            NOWHERE,
        ),
        (
            "class Base:\n    name: str\n    def f(self): self.name = 1\nclass Mine(Base): ...",
            CLASS,
        ),
        ("@dataclass\nclass Base:\n    name: str\nclass Mine(Base): ...", CLASS),
        (
            "class B:\n    name = 1\nclass Mine(B):\n    @abstractmethod\n    def name(self): ...",
            BOTH,
        ),
        (
            "class B:\n    @abstractmethod\n    def name(self): ...\nclass Mine(B):\n    name = 1",
            NOWHERE,
        ),
        (
            "class Base:\n    name = 'X'\nclass Mine(Base):\n    name: str\n    other: str",
            NOWHERE,
        ),
        ("class Mine:\n    @abc.abstractproperty\n    def name(self): ...", BOTH),
        ("class Mine:\n    @first\n    @abstractmethod\n    async def name(self): ...", BOTH),
    ],
)
def test_where_a_declared_member_has_no_value(
    directory: Path, text: str, lacking: set[str]
) -> None:
    assert members.without_value(mine(directory, text), "name") == lacking
