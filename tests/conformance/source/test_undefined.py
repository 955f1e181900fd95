"""Names that nothing binds when a class statement or a constructor reads them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from conformance.source.support import source_of

from backend_contract._conformance.source.construction.constructors import find_defect

HEAD = """\
import sys
from typing import TYPE_CHECKING, ClassVar, Optional
from backend_contract import LocalBackend
if TYPE_CHECKING:
    import grpc
else:
    fastapi = None
"""


def reason(directory: Path, text: str) -> str:
    (directory / "mine.py").write_text(f"{HEAD}{text}\n")
    found = find_defect(source_of(f"{directory}/mine.py:Mine"))
    return found.reason if found is not None else ""


def of_body(*lines: str) -> str:
    return "class Mine(LocalBackend):\n" + "".join(f"    {line}\n" for line in lines)


def of_init(*lines: str) -> str:
    init = "def __init__(self, config=None):"
    return of_body(init, *(f"    {line}" for line in lines), "    super().__init__(config)")


ANNOTATED = {
    "parameter": ("grpc", of_body("def f(self, x: grpc.Context): ...")),
    "union": ("grpc", of_body("def f(self, *x: fastapi.Request | grpc.Context): ...")),
    "result": ("grpc", of_body("async def f(self) -> Optional[grpc.Context]: ...")),
    "attribute": ("grpc", of_body("x: ClassVar[grpc.Context]")),
    "class itself": ("Mine", of_body("def f(self) -> Mine: ...")),
    "nowhere": ("Nothing", of_body("def f(self, *, x: Nothing = 1): ...")),
    "class below": ("Later", f"{of_body('def f(self) -> Later: ...')}class Later: ..."),
}


@pytest.mark.parametrize("name", ANNOTATED)
def test_annotations(tmp_path: Path, name: str) -> None:
    """A name of an annotation counts if the checked Python evaluates it with the class."""
    undefined, text = ANNOTATED[name]
    is_evaluated = sys.version_info < (3, 14)
    assert (f"`{undefined}` is not defined" in reason(tmp_path, text)) is is_evaluated
    (tmp_path / "later").mkdir()
    lazily = f"from __future__ import annotations\n{HEAD}{text}"
    (tmp_path / "later" / "mine.py").write_text(lazily)
    assert find_defect(source_of(f"{tmp_path}/later/mine.py:Mine")) is None


@pytest.mark.parametrize(
    "text",
    [
        of_body("x = undefined"),
        of_body("x: int = undefined or 3"),
        of_body("@undefined.wraps", "def f(self): ..."),
        of_body("def f(self, x=undefined): ..."),
        of_body("def f(self, *, x=undefined): ..."),
        f"@undefined\n{of_body('x = 1')}",
        "class Mine(LocalBackend, undefined.Base): ...",
        of_init("size = undefined"),
        of_init("size = f'{undefined.size}'"),
        of_init("self.size = len(undefined)"),
        of_init("undefined.append(self)"),
        of_init("size = undefined", "undefined = 3"),
        of_init("self.prepare()") + "    def prepare(self): return undefined",
        f"def prepare(me): return undefined\n{of_init('prepare(self)')}",
    ],
)
def test_undefined(tmp_path: Path, text: str) -> None:
    """A name that is read whenever the class is made has to be bound."""
    assert re.search("`undefined`.* is not defined", reason(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        of_body("def f(self, x: fastapi.Request, y: 'grpc.Context') -> 'Mine': ..."),
        of_body("class Inner: ...", "def f(self) -> Inner: ...", "x = [name for name in ()]"),
        of_body("x = 3", "y = x", "z = __name__, __qualname__, __file__", "f = lambda: later"),
        "from unknown import *\n" + of_body("def f(self) -> grpc.Context: ...", "x = undefined"),
        "globals().update(size=1)\n" + of_body("x = size"),
        "if (x := 3) and sys.platform:\n    import one\n" + of_body("y = x", "z = one or two"),
        "try:\n    import one\nexcept ImportError as error:\n    two = 3\n"
        + of_body("x = one, two"),
        "for each in (1, 2): ...\nwith open('x') as (f, *rest): ...\n" + of_body("x = each, rest"),
        "match sys.argv:\n    case [one, *two]: ...\n    case {'x': three, **four}: ...\n"
        + of_body("x = one, two, three, four"),
        "def f():\n    global size\n    size = 1\nf()\n" + of_body("x = size"),
        "if sys.version_info >= (3, 8):\n    one = 1\nelse:\n    two = 2\n" + of_body("x = one"),
        "x = _('text')\n" + of_body("x = _('text')"),
        of_init("size = later") + "later = 3",
        of_init("size: grpc.Context = config"),
        of_init("self.size: Mine = config"),
        of_init("assert config is None or size, undefined"),
        of_init("if config:", "    raise undefined"),
        of_init("size = config or undefined"),
        of_init("try:", "    size = undefined", "except NameError:", "    size = 3"),
        of_init("size = 0", "size = size + 1", "del size"),
        of_init("sizes = sorted((), key=lambda each: each.size)"),
        of_init("sizes = {key: each for key, each in ()}"),
        of_init("for name in ('a', 'b'):", "    print(name)", "print(name)"),
        of_init("import json as j, os.path", "x = j, os", "from os import sep", "x = sep"),
        of_init("if (found := config) is None: ...", "x = found"),
        of_init("def later(): ...", "x = later", "x = __class__"),
    ],
)
def test_defined(tmp_path: Path, text: str) -> None:
    """Names that are bound, or may be, are not reported, nor are those that may not be read."""
    assert reason(tmp_path, text) == ""
