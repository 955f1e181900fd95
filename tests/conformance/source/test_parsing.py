"""Source files that are unusual, or hostile."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance.source.support import IMPORTS, Tree
from support import mostly_exhaustive

from backend_contract._conformance.source import parsing
from backend_contract._conformance.source.discovery import search
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target

BACKEND = f"{IMPORTS}class Mine(LocalBackend): ...\n"
READABLE: dict[str, str | bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + BACKEND.encode(),
    "encoding": b"# coding: latin-1\n# \xe9\n" + BACKEND.encode(),
    "form feed": "\f" + BACKEND.replace("\n", "\n\f"),
    "carriage return": BACKEND.replace("\n", "\r").encode(),
    "sum": f"{BACKEND}x = {'1+' * 900}1\n",
    "attributes": f"{BACKEND}class Other(a{'.b' * 900}): ...\n",
    "decorator": f"{BACKEND}@a{'.b()' * 800}\nclass Other: ...\n",
    "decorator of one line": f"{BACKEND}@a{'.b()' * 800}\ndef short(): ...\n",
    "annotation": f"{IMPORTS}class Mine(LocalBackend):\n    def stop(self) -> {'a | ' * 900}b: ...",
    "arguments": f"{BACKEND}x = {'f(k=' * 150}1{')' * 150}\n",
    "strings": BACKEND
    + "".join(f"x = {'f(' * n}f'{{a:>{{b}}}}'{')' * n}\n" for n in range(90, 101)),
    "branches": f"{BACKEND}if a: ...\n{'elif b: ...' * 0}" + "elif b: ...\n" * 800,
    "aliases": f"{IMPORTS}A0 = LocalBackend\n"
    + "".join(f"A{n + 1} = A{n}\n" for n in range(1000))
    + "class Mine(A1000): ...\n",
    "circles": f"{BACKEND}a = b\nb = a\nx = x.y\nclass P(a): ...\nclass Q(x): ...\n"
    "class R(S): ...\n"
    "class S(R): ...\nclass T(T): ...\n",
    "names": f"{IMPORTS}import {'a' * 300}\nfrom {'b.' * 500}c import D\n"
    "class Mine(D, LocalBackend): ...\n",
}
if sys.version_info >= (3, 14):
    READABLE["templates"] = str(READABLE["strings"]).replace("f'", "t'")
UNREADABLE: dict[str, str | bytes] = {
    "null": f"{BACKEND}\0",
    "parentheses": f"{BACKEND}x = {'(' * 1000}1{')' * 1000}\n",
    "not": f"{BACKEND}x = {'not ' * 20000}1\n",
    "classes": BACKEND + "".join(f"{' ' * n}class A{n}:\n" for n in range(200)),
    "coding": f"# coding: nonsense\n{BACKEND}",
    "long": f"{BACKEND}#".encode() + b"#" * parsing.MAX_BYTES,
}


@pytest.mark.parametrize("kind", READABLE)
def test_readable(tmp_path: Path, kind: str) -> None:
    """A valid file is read, however unusual it is."""
    assert_readable(tmp_path, READABLE[kind])


def assert_readable(tmp_path: Path, text: str | bytes) -> None:
    tree = Tree(tmp_path, {"mine.py": text})
    assert tree.found()[0] == "mine:Mine"
    (target, *_) = tree.search("mine.py:Mine").targets
    assert isinstance(target, Target)
    assert target.source.known_lineage
    for node in ast.walk(target.source.module.tree):
        assert not isinstance(node, ast.expr) or ast.unparse(node)


NODES = """
global a, b
@c.d
def f(e, /, g=1, *h: int, i, j=None, **k) -> None:
    nonlocal l
    return {**m, 'n': [o for o in p if not o]}, f"{q!r}", (r := lambda: -s), None, u"t", 1.5
match u.v:
    case W(x, y=1) | {"z": [_, *_], **rest}: a[1:2] += await b or 3 < 4
    case None: from c import d as e
"""


def test_nodes() -> None:
    """The children of a node and its text are those of the standard library, but for contexts."""
    for node in ast.walk(ast.parse(NODES)):
        found = (
            each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr_context)
        )
        assert [*parsing.children(node)] == [*found]
        assert parsing.unparse(node) == ast.unparse(node)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable(tmp_path: Path, kind: str) -> None:
    """A file that cannot be parsed is an error of one line if it mentions the package."""
    assert_unreadable(tmp_path, UNREADABLE[kind])


def assert_unreadable(tmp_path: Path, content: str | bytes) -> None:
    tree = Tree(tmp_path, {"broken.py": content, "mine.py": BACKEND})
    error, mine = tree.found()
    assert error.startswith(f"! {tmp_path}/broken.py")
    assert "\n" not in error
    assert mine == "mine:Mine"
    other = content.encode() if isinstance(content, str) else content
    tree.add({"broken.py": other.replace(b"backend_contract", b"zoo")})
    assert tree.found() == ["mine:Mine"]
    (note,) = tree.search().notes
    assert note.startswith(f"skipped {tmp_path}/broken.py")
    (explicit,) = tree.found("broken.py")
    assert explicit.startswith("! ")


def _can_parse(text: str) -> bool:
    """Return whether this Python can; its limit differs, and since 3.14 depends on the stack."""
    try:
        ast.parse(text)
    except RecursionError:
        return False
    return True


# Python 3.10 has no limit, and crashes.
@pytest.mark.parametrize(
    "depth",
    mostly_exhaustive([(20_000,), *([(200_000,)] if sys.version_info >= (3, 11) else [])], 1),
)
def test_long_sum(tmp_path: Path, depth: int) -> None:
    """A long sum is read if this Python can parse it, and is an error of one line otherwise."""
    text = f"{BACKEND}x = {'1+' * depth}1\n"
    (assert_readable if _can_parse(text) else assert_unreadable)(tmp_path, text)


NEWER = "type X = int\n"
"""Valid from Python 3.12 on."""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python can parse it")
@pytest.mark.parametrize(("can_parse", "message"), [(True, "Python 3.99 can"), (False, "invalid")])
def test_newer_syntax(
    tmp_path: Path, can_parse: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error says if only the Python of the other environment can parse a file."""
    asked: list[bytes] = []

    def answer(_: Environment, content: bytes) -> bool:
        asked.append(content)
        return can_parse

    monkeypatch.setattr(Environment, "can_parse", answer)
    (tmp_path / "mine.py").write_text(f"{BACKEND}{NEWER}")
    newer = this_environment()._replace(python="/other/python", version=(3, 99))
    (error,) = search(["mine.py"], newer, tmp_path).targets
    assert f"{tmp_path}/mine.py:3: " in str(error)
    assert message in str(error)
    assert len(asked) == 1
    (error,) = search(["mine.py"], this_environment(), tmp_path).targets
    assert "can: install" not in str(error)
    assert len(asked) == 1


def test_can_parse() -> None:
    """An interpreter says whether it can parse a text, and runs nothing."""
    environment = this_environment()
    assert environment.can_parse(b"raise SystemExit(1)\n")
    assert not environment.can_parse(b"def (:\n")
    assert not environment._replace(python="/absent/python").can_parse(b"")


def _star_layers(size: int) -> dict[str, str]:
    files = {
        f"l{layer}_{n}.py": "".join(f"from l{layer + 1}_{m} import *\n" for m in range(4))
        for layer in range(size)
        for n in range(4)
    }
    return {
        **files,
        "mine.py": f"{IMPORTS}from l0_0 import *\nclass Mine(Base, LocalBackend): ...\n",
    }


def _star_circle(size: int) -> dict[str, str]:
    files = {
        f"s{n}.py": "".join(f"from s{m} import *\n" for m in range(size) if m != n)
        for n in range(size)
    }
    return {**files, "mine.py": f"{IMPORTS}from s0 import *\nclass Mine(Base, LocalBackend): ...\n"}


def _diamonds(size: int) -> dict[str, str]:
    text = f"{IMPORTS}from zoo import Base\nclass A0(Base): ...\nclass B0(Base): ...\n"
    for n in range(size):
        text += f"class A{n + 1}(A{n}, B{n}): ...\nclass B{n + 1}(A{n}, B{n}): ...\n"
    return {"mine.py": f"{text}class Mine(A{size}, LocalBackend): ...\n"}


def _chain(size: int) -> dict[str, str]:
    text = f"{IMPORTS}class C0(LocalBackend): ...\n"
    text += "".join(f"class C{n + 1}(C{n}): ...\n" for n in range(size))
    return {"mine.py": f"{text}class Mine(C{size}): ...\n"}


@pytest.mark.parametrize("make", [_star_layers, _star_circle, _diamonds, _chain])
def test_growth(tmp_path: Path, make: Callable[[int], dict[str, str]]) -> None:
    """The work grows with the size of the source, and no faster."""

    def count_calls(size: int) -> float:
        files = make(size)
        directory = tmp_path / str(size)
        tree = Tree(directory, files)
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            (target,) = tree.search("mine.py:Mine").targets
            assert isinstance(target, Target)
            assert len(target.source.lineage) > 1
        finally:
            sys.setprofile(None)
        return calls / sum(map(len, files.values()))

    assert count_calls(32) < 3 * count_calls(8)
