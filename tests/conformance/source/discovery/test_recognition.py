"""Classes that are backends, look like one, or are abstract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance.source.support import IMPORTS, Tree, structural

if TYPE_CHECKING:
    from conftest import Main

FOUR = "class Mine{}:\n    backend_type = 'X'\n    is_started = True\n    start = stop = None\n"
LEFT_OUT = {
    "all members": (structural("Mine"), "Mine"),
    "five": (f"{FOUR.format('')}    def start_lock(self): ...\n", "Mine"),
    "through self": (
        (
            "class Mine:\n    def __init__(self):\n        self.backend_type = self.is_started = 1"
            "\n    def start(self): ...\n    def stop(self): ...\n    def start_lock(self): ...\n"
        ),
        "Mine",
    ),
    "inherited": (
        (
            f"{FOUR.format('').replace('Mine', 'Base')}"
            "class Mine(Base):\n    def start_lock(self): ...\n"
        ),
        "Mine",
    ),
    "unknown base": ("from zoo import Base\nclass Mine(Base):\n    backend_type = 'X'\n", "Mine"),
    "unknown base of a base": (
        "import zoo\nclass Base(zoo.Base): ...\nclass Mine(Base):\n    backend_type = 'X'\n",
        "Mine",
    ),
    "two telling members": (
        (
            "from zoo import Base\nclass Mine(Base):\n    def register_config(self, config): ...\n"
            "    def start_lock(self): ...\n"
        ),
        "Mine",
    ),
    "in a function": ("def f():\n    class Mine(LocalBackend): ...\n", "f.<locals>.Mine"),
    "other meaning": ("class Mine(LocalBackend): ...\nfrom zoo import Mine\n", "Mine"),
}
NEITHER = {
    "four": FOUR.format(""),
    "one telling member": (
        "from zoo import Base\nclass Mine(Base):\n    def register_config(self, config): ...\n"
        "    def start(self): ...\n"
    ),
    "no unknown base": "class Mine:\n    backend_type = 'X'\n",
    "typing base": "import typing\nclass Mine(typing.Generic[T]):\n    backend_type = 'X'\n",
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_left_out(tmp_path: Path, kind: str) -> None:
    """A class that looks like a backend and is not checked is named, with its line."""
    text, name = LEFT_OUT[kind]
    tree = Tree(tmp_path, {"mine.py": f"{IMPORTS}{text}"})
    assert tree.found() == [f"? {name}"]
    (left_out,) = tree.search().not_checked
    assert left_out.path == tmp_path / "mine.py"
    assert left_out.path.read_text().splitlines()[left_out.line - 1].strip().startswith("class")


@pytest.mark.parametrize("kind", NEITHER)
def test_neither(tmp_path: Path, kind: str) -> None:
    """A class that has little of a backend is not named."""
    (line,) = Tree(tmp_path, {"mine.py": f"{IMPORTS}{NEITHER[kind]}"}).found()
    assert line.startswith("! .: found no")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("sys.version_info >= (3, 10)", ["mine:Mine"]),
        ("not sys.version_info < (3, 10)", ["mine:Mine"]),
        ("sys.platform != 'nowhere'", ["mine:Mine"]),
        ("os.environ.get('NEW')", ["mine:Mine", "? Mine"]),
        ("not TYPE_CHECKING", ["mine:Mine", "? Mine"]),
    ],
)
def test_other_branch(tmp_path: Path, condition: str, found: list[str]) -> None:
    """A definition for another Python or platform is not left out: it is never executed."""
    text = (
        f"{IMPORTS}import os, sys\nfrom typing import TYPE_CHECKING\n"
        f"if {condition}:\n    class Mine(LocalBackend): ...\n"
        "else:\n    class Mine(LocalBackend): ...\n"
    )
    assert sorted(Tree(tmp_path, {"mine.py": text}).found(), reverse=True) == found


@pytest.mark.parametrize("name", ["'Mine'", "label"])
@pytest.mark.parametrize(
    "call",
    [
        *("type({}, (LocalBackend,), {{}})", "type({}, (dict, LocalBackend), {{}})"),
        *("types.new_class({}, (LocalBackend,))", "new_class({}, (LocalBackend,), {{}}, fill)"),
        *("abc.ABCMeta({}, (LocalBackend,), {{}})", "register(type({}, (LocalBackend,), {{}}))"),
        *(
            "types.new_class({}, bases=(LocalBackend,))",
            "new_class(name={}, bases=(LocalBackend,))",
        ),
    ],
)
def test_made_by_call(tmp_path: Path, name: str, call: str) -> None:
    """A backend that a call makes is named, and other classes and calls are not."""
    text = f"{IMPORTS}def make(label):\n    return {call.format(name)}\n"
    others = "Other = type('Other', (dict,), {})\nisinstance(Other, (LocalBackend, int))\n"
    tree = Tree(tmp_path, {"mine.py": text + others})
    assert tree.found() == [f"? {name.strip(chr(39))}"]
    (left_out,) = tree.search().not_checked
    assert left_out.line == len(IMPORTS.splitlines()) + 2
    assert "write a class statement" in left_out.because


@pytest.mark.parametrize(
    ("alias", "is_found"),
    [
        *(("A = LocalBackend", True), ("B = A = LocalBackend", True)),
        *(("A: TypeAlias = LocalBackend", True), ("A: type[Base[int]] = Base[int]", True)),
        *(("A = Base[int]", True), ("B: 'TypeAlias' = Base[int]; A = B", True)),
        *(("A: type[LocalBackend]", False), ("A = A[int]", False), ("A = make()[int]", False)),
        *(("A = {}; A['x'] = LocalBackend", False), ("A = B[0]; B = A[0]", False)),
    ],
)
def test_alias(tmp_path: Path, alias: str, is_found: bool) -> None:
    """A base is followed through an alias, annotated or with type arguments."""
    text = f"{IMPORTS}class Base(LocalBackend, Generic[T]): ...\n{alias}\n"
    tree = Tree(tmp_path, {"mine.py": f"{text}class Mine(A):\n    backend_type = 'X'\n"})
    assert tree.found() == ["mine:Base", "mine:Mine" if is_found else "? Mine"]


def test_named_explicitly(tmp_path: Path) -> None:
    """A class that is named as a target is not left out."""
    tree = Tree(tmp_path, {"mine.py": structural("Mine") + structural("Other")})
    assert tree.found(".", "mine.py:Mine") == ["mine:Mine", "? Other"]


def test_reason(tmp_path: Path) -> None:
    """The reason names the base that was not found."""
    text = "import zoo\nclass Mine(zoo.Base):\n    backend_type = 'X'\n"
    (left_out,) = Tree(tmp_path, {"mine.py": text}).search().not_checked
    assert "`zoo.Base`" in left_out.because
    assert "`backend_type`" in left_out.because


@pytest.mark.parametrize(
    ("bases", "is_abstract"),
    [
        ("BackendBase, abc.ABC", True),
        ("LocalBackend, abc.ABC", False),
        ("Backend, typing.Protocol", True),
        ("Backend", False),
    ],
)
def test_abstract(tmp_path: Path, bases: str, is_abstract: bool) -> None:
    """A class that is declared abstract, and cannot be made, is noted, and does not fail a run."""
    text = (
        f"{IMPORTS}import abc, typing\nclass Mine({bases}): ...\nclass Other(LocalBackend): ...\n"
    )
    tree = Tree(tmp_path, {"mine.py": text})
    assert tree.found() == [*([] if is_abstract else ["mine:Mine"]), "mine:Other"]
    notes = tree.search().notes
    assert any("mine.py:Mine" in note for note in notes) is is_abstract


def test_conforming_base(tmp_path: Path) -> None:
    """A class that inherits from one under `@conforms` is checked as well."""
    text = f"{IMPORTS}@conforms\nclass Mine: ...\nclass Child(Mine): ...\n"
    assert Tree(tmp_path, {"mine.py": text}).found() == ["mine:Mine", "mine:Child"]


def test_exit_status(tmp_path: Path, run_main: Main) -> None:
    """A class that is left out fails a run, unless that is lenient or its file is excluded."""
    (tmp_path / "mine.py").unlink()
    Tree(tmp_path, {"good.py": f"{IMPORTS}class Good(LocalBackend):\n    backend_type = 'GOOD'\n"})
    Tree(tmp_path, {"left/mine.py": structural("Stranger")})
    for options, status in (((), 1), (("--lenient",), 0)):
        shown = run_main("check", ".", "--output-format", "concise", *options)
        assert (shown.status, shown.err) == (status, "")
        assert "left/mine.py:2: Stranger" in shown.out
    (tmp_path / "pyproject.toml").write_text("[tool.backend-contract]\nexclude = ['left']\n")
    shown = run_main("check", ".")
    assert shown.status == 0
    assert "Stranger" not in shown.out
    assert "excluded" in shown.out.splitlines()[-1]
