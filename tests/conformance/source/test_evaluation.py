"""Branches, bindings and values, as the source alone shows them."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from conformance.source.support import source_of

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.evaluation.inference import kinds_of
from backend_contract._conformance.source.evaluation.instances import why_other_class
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.evaluation.names import name_opinion
from backend_contract._conformance.source.evaluation.opinions import opinion_on
from backend_contract._conformance.source.scopes import decides, read_scope


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("sys.version_info >= (3, 11)", True),
        ("sys.version_info > (3, 11)", True),
        ("sys.version_info <= (3, 11)", False),
        ("sys.version_info == (3, 11)", False),
        ("sys.version_info < (3, 12)", True),
        ("sys.version_info >= (3, 11, 4)", None),
        ("sys.version_info >= (3, 10, 4)", True),
        ("sys.version_info[:2] == (3, 11)", True),
        ("sys.version_info[0] == 2", False),
        ("sys.version_info.minor >= 12", False),
        ("sys.version_info[2] > 3", None),
        (f"sys.platform == {sys.platform!r}", True),
        (f"sys.platform.startswith({sys.platform[:3]!r})", True),
        ("sys.platform in ('beos', 'amiga')", False),
        ("os.name == 'other'", False),
        ("TYPE_CHECKING", False),
        ("not typing.TYPE_CHECKING", True),
        ("unknown and TYPE_CHECKING", False),
        ("unknown or not TYPE_CHECKING", True),
        ("unknown and not TYPE_CHECKING", None),
        ("unknown", None),
        ("os.environ.get('X')", None),
        ("sys.version_info >= 3", None),
        ("0", False),
    ],
)
def test_condition(test: str, expected: bool | None) -> None:
    """Conditions on the version and the platform are decided, and no others."""
    assert decides((3, 11))(ast.parse(test, mode="eval").body) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x = 1", ["1"]),
        ("x = 1; x = 2", ["2"]),
        ("x = 1\nif a: x = 2", ["2", "1"]),
        ("if a: x = 2", ["2", None]),
        ("if TYPE_CHECKING: x = 2\nelse: x = 3", ["3"]),
        ("x = 1; del x", [None]),
        ("try: x = 1\nexcept E: x = 2", ["1", "2"]),
        ("try: x = 1\nexcept E: raise", ["1"]),
        ("try: x = 1\nfinally: x = 2", ["2"]),
        ("x = 1\nfor x in y: pass", ["1", "?"]),
        ("while a: x = 1", [None, "1"]),
        ("with a as x: pass", ["?"]),
        ("import x", ["?"]),
        ("a, (x, b) = 1, (2, 3)", ["2"]),
        ("a, x = y", ["?"]),
        ("*x, a = 1, 2", ["[]"]),
        ("a, *b, x = 1, 2, 3, 4", ["4"]),
        ("a = x = 5", ["5"]),
        ("x = 'a'\nx += 'b'", ["'a' + 'b'"]),
        ("if (x := 3): pass", ["3"]),
        ("x: int", []),
        ("x: int = 4", ["4"]),
        ("match a:\n    case 1: x = 1", [None, "1"]),
    ],
)
def test_scope(body: str, expected: list[str | None]) -> None:
    """The last binding counts; a condition that is not decided leaves several."""
    scope = read_scope(ast.parse(body).body, decides((3, 11)))
    values = [
        each and (ast.unparse(each.value) if each.value is not None else "?")
        for each in scope.bindings.get("x", ())
    ]
    assert values == expected


HEAD = """\
import enum, functools, os, sys, threading
from typing import ClassVar, Literal, Optional, Union
def typed() -> str: ...
def inferred(): return 3
def untyped(x): return x
class Kind(enum.Enum):
    A = 1
class Text(str): ...
class Thing:
    size: int = 3
    @property
    def label(self) -> ClassVar[str]: ...
    def get(self): return self.size
class Described:
    def __get__(self, instance, owner) -> str: ...
NAME = "X"
TABLE = {"a": 1}
def local():
    name = "x"
    return name
def several(given):
    name = "x"
    name, other = given
    return name
def optional() -> "Optional[str]": ...
def either() -> Union[str, int]: ...
def literal() -> Literal["x"]: ...
def thing() -> Thing: ...
async def later(): ...
def generator(): yield 1
class Base:
    backend_type: str
    is_started: bool
    def start(self) -> None: ...
"""


def mine(tmp_path: Path, text: str) -> ClassSource:
    file = tmp_path / "mine.py"
    file.write_text(f"{HEAD}{text}\n")
    return source_of(f"{file}:Mine")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A module with the definitions above."""
    source = mine(tmp_path_factory.mktemp("head"), "class Mine: ...")
    return Context(source.module, source.modules)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'x'", ["str"]),
        ("f'{x}'", ["str"]),
        ("None", ["NoneType"]),
        ("NAME", ["str"]),
        ("NAME + '_X'", ["str"]),
        ("NAME.lower().split()", ["list"]),
        ("typed()", ["str"]),
        ("inferred()", ["int"]),
        ("untyped(1)", None),
        ("unknown", None),
        ("Kind.A", ["enum"]),
        ("Kind.A.value", ["int"]),
        ("Kind.A.name", ["str"]),
        ("Text('x')", ["Text"]),
        ("os.environ.get('X')", ["str", "NoneType"]),
        ("os.environ.get('X', 'Y')", ["str"]),
        ("os.environ.get('X') or 'Y'", ["str"]),
        ("os.environ['X']", ["str"]),
        ("threading.Event()", ["threading.Event"]),
        ("'x' if unknown else 3", ["str", "int"]),
        ("'x' if sys.version_info > (3,) else 3", ["str"]),
        ("not unknown", ["bool"]),
        ("unknown is None", ["bool"]),
        ("len('x') > 3", ["bool"]),
        ("unknown == 3", ["bool"]),
        ("[]", ["list"]),
        ("3 / 2", ["float"]),
        ("-3", ["int"]),
        ("True & False", ["bool"]),
        ("3 + True", ["int"]),
        ("'x' * 3", ["str"]),
        ("'%d' % 3", ["str"]),
        ("'x' + 3", None),
        ("(x := 'y')", ["str"]),
        ("(lambda: 3)()", ["int"]),
        ("('x', 3)[1]", ["int"]),
        ("TABLE['a']", ["int"]),
        ("local()", ["str"]),
        ("several(3)", None),
        ("optional()", ["str", "NoneType"]),
        ("either()", ["str", "int"]),
        ("literal()", ["str"]),
        ("later()", ["coroutine"]),
        ("generator()", ["generator"]),
        ("thing()", ["Thing"]),
        ("thing().size", ["int"]),
        ("Thing().label", ["str"]),
        ("Thing().other", None),
    ],
)
def test_kinds(head: Context, expression: str, expected: list[str] | None) -> None:
    """The kinds of a value follow from literals, annotations and known functions."""
    kinds = kinds_of(ast.parse(expression, mode="eval").body, head)
    assert (None if kinds is None else [kind.name for kind in kinds]) == expected


OK, VIOLATED, UNCHECKED = Verdict.OK, Verdict.VIOLATED, Verdict.UNCHECKED


@pytest.mark.parametrize(
    ("member", "text", "expected"),
    [
        ("backend_type", "class Mine(Base):\n    backend_type = typed()", OK),
        ("backend_type", "class Mine(Base):\n    backend_type = inferred()", VIOLATED),
        ("backend_type", "class Mine(Base):\n    backend_type = untyped(1)", UNCHECKED),
        ("backend_type", "class Mine(Base):\n    backend_type: str = untyped(1)", OK),
        ("backend_type", "class Mine:\n    backend_type = untyped(1)", None),
        (
            "backend_type",
            "class Mine:\n    @classmethod\n    @property\n    def backend_type(cls): return ''",
            UNCHECKED,
        ),
        (
            "backend_type",
            (
                "class Mine:\n    @property\n    @classmethod\n    @abc.abstractmethod\n"
                "    def backend_type(cls): ..."
            ),
            None,  # the checker sees that it is abstract
        ),
        ("backend_type", "class Mine(Base): ...\nMine.backend_type = 3", VIOLATED),
        ("backend_type", "class Mine(Base): ...\nMine.backend_type = 'X'", OK),
        ("backend_type", "class Mine(Base): ...\nsetattr(Mine, 'backend_type', 3)", VIOLATED),
        (
            "is_started",
            "class Mine(Base):\n    def f(self): self.is_started = threading.Event()",
            VIOLATED,
        ),
        ("is_started", "class Mine(Base):\n    def f(self): self.is_started = not 0", None),
        ("is_started", "class Mine(Base):\n    def f(self): self.other = None", None),
        ("start", "class Mine(Base):\n    start = None", VIOLATED),
        ("start", "class Mine(Base):\n    def f(self): self.start = None", VIOLATED),
        ("start", "class Mine(Base):\n    def f(self): self.start = self.f", UNCHECKED),
        ("start", "class Mine(Base):\n    def start(self) -> None: ...\n    del start", OK),
        (
            "start",
            "class Mine:\n    def start(self) -> None: ...\n    def start(self, x) -> None: ...",
            VIOLATED,
        ),
        (
            "start",
            "class Mine:\n    def start(self, x): ...\n    def start(self) -> None: ...",
            OK,
        ),
        (
            "start",
            "def d(cls):\n    cls.start = 3\n    return cls\n@d\nclass Mine(Base): ...",
            VIOLATED,
        ),
        (
            "start",
            "def d(cls):\n    cls.other = 3\n    return cls\n@d\nclass Mine(Base): ...",
            None,
        ),
        ("start", "@unknown\nclass Mine(Base): ...", UNCHECKED),
        ("start", "class Mine(Base):\n    locals()['start'] = 3", VIOLATED),
        ("backend_type", "class Mine(Base):\n    backend_type = Described()", OK),
        ("backend_type", "class Mine(Base):\n    backend_type = thing()", VIOLATED),
        *(
            (
                "handle_runtime_context",
                (
                    f"def handle(self, {parameters}) -> None: ...\nclass Mine(Base): ...\n"
                    "Mine.handle_runtime_context = handle"
                ),
                expected,
            )
            for parameters, expected in (
                ("model_id: str, runtime_context: object", OK),
                ("model_id: int, runtime_context: object", VIOLATED),
                ("model_id, runtime_context", UNCHECKED),
                ("model_id: unknown, runtime_context: object", UNCHECKED),
                ("name: str, runtime_context: object", VIOLATED),
            )
        ),
        *(
            (
                "start_lock",
                f"def lock(self){returns}: ...\nclass Mine(Base): ...\nMine.start_lock = lock",
                expected,
            )
            for returns, expected in (
                (" -> threading.Lock", OK),
                (" -> str", VIOLATED),
                (" -> Thing", UNCHECKED),
                ("", VIOLATED),
            )
        ),
    ],
)
def test_opinion(tmp_path: Path, member: str, text: str, expected: Verdict | None) -> None:
    """The source decides what a checker does not see, and leaves the rest to the checker."""
    opinion = opinion_on(mine(tmp_path, text), member, "mypy")
    assert (opinion and opinion.verdict) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("backend_type = 'X'", OK),
        ("backend_type = NAME", OK),
        ("backend_type = NAME.lower()", VIOLATED),
        ("backend_type = ' X'", VIOLATED),
        ("backend_type = ''", VIOLATED),
        ("backend_type = 'x'", VIOLATED),
        ("backend_type = 'X' if unknown else 'x'", UNCHECKED),
        ("backend_type = 'x-{}'.format('y')", VIOLATED),
        ("backend_type = 'X'.ljust(9_000_000_000)", None),
        ("backend_type = 'X{:>9000000000}'.format('Y')", None),
        ("backend_type = typed()", None),
        ("backend_type = 3", None),
        ("pass", None),
    ],
)
def test_name(tmp_path: Path, body: str, expected: Verdict | None) -> None:
    """The literal name of a class is judged; without a literal there is no opinion."""
    opinion = name_opinion(mine(tmp_path, f"class Mine(Base):\n    {body}"))
    assert (opinion and opinion.verdict) == expected


@pytest.mark.parametrize(
    ("text", "literal", "reason"),
    [
        ("TEXT = 'X'\nclass Mine:\n    backend_type = TEXT", True, None),
        ("TEXT = 'X'\nfrom other import *\nclass Mine:\n    backend_type = TEXT", False, None),
        ("from other import *\nTEXT = 'X'\nclass Mine:\n    backend_type = TEXT", True, None),
        ("class Mine:\n    backend_type = 'X'\nfrom other import *", True, "a later `import *`"),
        ("class Mine:\n    backend_type = 'X'\nMine = wrap(Mine)", True, None),
        ("class Mine:\n    backend_type = 'X'\nif a:\n    Mine = B", True, None),
    ],
)
def test_bound_again(tmp_path: Path, text: str, literal: bool, reason: str | None) -> None:
    """A star import may bind a name again, of a value as of the class itself."""
    (tmp_path / "other.py").write_text("TEXT = 'x'\nclass Mine: ...\n")
    source = mine(tmp_path, text)
    assert (name_opinion(source) is not None) == literal
    found = why_other_class(source)
    assert found is None if reason is None else found is not None and found.startswith(reason)


STUB = "class Mine:\n    backend_type: str\n    def start(self) -> None: ...\n"


@pytest.mark.parametrize(
    ("body", "member", "expected"),
    [
        ("def start(self): ...", "start", None),
        ("async def start(self): ...", "start", VIOLATED),
        ("def start(self, now): ...", "start", VIOLATED),
        ("def start(self, now=None): ...", "start", UNCHECKED),
        ("other = 3", "start", UNCHECKED),
        ("backend_type = 'X'", "backend_type", OK),
        ("backend_type = 3", "backend_type", VIOLATED),
        ("def stop(self): ...", "stop", UNCHECKED),
    ],
)
def test_stub(tmp_path: Path, body: str, member: str, expected: Verdict | None) -> None:
    """A member that a stub beside the module declares differently is not taken for checked."""
    (tmp_path / "mine.pyi").write_text(STUB)
    opinion = opinion_on(mine(tmp_path, f"class Mine:\n    {body}"), member, "mypy")
    assert (opinion and opinion.verdict) == expected
