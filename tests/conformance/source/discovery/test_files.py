"""The files that a search reads, and those it leaves out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.source.support import IMPORTS, Tree

BACKEND = f"{IMPORTS}class Mine(LocalBackend): ...\n"
FILES = {"a/one.py": BACKEND, "tests/fakes/two.py": BACKEND}
BOTH = ["one:Mine", "two:Mine"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, FILES)


@pytest.mark.parametrize(
    ("glob", "excluded"),
    [
        ("tests", "tests"),
        ("tests/", "tests"),
        ("./tests/**", "tests"),
        ("tests/*/two.py", "tests/fakes/two.py"),
        ("**/two.py", "tests/fakes/two.py"),
        ("**/fakes", "tests/fakes"),
        ("t?sts/[ef]akes", "tests/fakes"),
        ("[!a]*", "tests"),
        ("**/**/fakes/**/**", "tests/fakes"),
        ("tests/**/two.py", "tests/fakes/two.py"),
        ("tests/**/fakes/**/*.py", "tests/fakes/two.py"),
        ("[t-]ests", "tests"),
    ],
)
def test_exclude(tree: Tree, glob: str, excluded: str) -> None:
    """A glob excludes files, and directories with everything below."""
    assert tree.found(exclude=(glob,)) == ["one:Mine"]
    assert tree.search(exclude=(glob,)).excluded == (excluded,)


@pytest.mark.parametrize(
    "glob",
    [
        *("two.py", "fakes", "tests/two.py", "*.py", "TESTS", "t[a-c]sts", "**/fakes/*/two.py"),
        *("tests/**/tests", "[f-a]*", "[]", "[!]", "[", "[]/[!]/[", "**/" * 40 + "x", "*a" * 40),
    ],
)
def test_unused_exclude(tree: Tree, glob: str) -> None:
    """A glob that matches nothing is noted if the whole project was searched."""
    assert tree.found(exclude=(glob,)) == BOTH
    assert not tree.search(exclude=(glob,)).notes
    (note,) = tree.search(exclude=(glob,), whole=True).notes
    assert repr(glob) in note


@pytest.mark.parametrize("glob", ["**", "**/**", "*", "**/*"])
def test_exclude_everything(tree: Tree, glob: str) -> None:
    """A glob may match whatever is there."""
    assert tree.search(exclude=(glob,)).excluded == ("a", "tests")


def test_exclude_is_quick(tree: Tree) -> None:
    """The time to match a long path does not grow with the number of ``**`` in a glob."""
    tree.add({f"{'d/' * 40}two.py": BACKEND})
    assert tree.found(exclude=("**/d/" * 15 + "x",)) == [*BOTH, "two:Mine"]


@pytest.mark.parametrize(
    "text", ["tests", "tests/fakes", "tests/fakes/two.py", "tests/fakes/two.py:Mine"]
)
def test_explicit(tree: Tree, text: str) -> None:
    """What is named explicitly is searched, excluded or not."""
    assert tree.found(text, exclude=("tests/**",)) == ["two:Mine"]


def test_exclude_below_explicit(tree: Tree) -> None:
    """Another glob still applies below an excluded directory that is named."""
    tree.add({"tests/three.py": BACKEND})
    assert tree.found("tests", exclude=("tests", "**/two.py")) == ["three:Mine"]


def test_special_files(tree: Tree) -> None:
    """Only regular files are read; the others are noted."""
    os.mkfifo(tree.directory / "fifo.py")
    (tree.directory / "endless.py").symlink_to("/dev/zero")
    (tree.directory / "broken.py").symlink_to("nowhere")
    (tree.directory / "circle.py").symlink_to("circle.py")
    (tree.directory / "folder.py").mkdir()
    assert tree.found() == BOTH
    notes = tree.search().notes
    for name in ("fifo", "endless", "broken", "circle"):
        assert any(f"{name}.py: " in note for note in notes)
        (line,) = tree.found(f"{name}.py")
        assert line.startswith("! ")


def test_links(tree: Tree) -> None:
    """A link to a directory is not followed, and noted unless it leads into the search."""
    (tree.directory / "a/loop").symlink_to("..")
    assert tree.found() == BOTH
    assert not tree.search().notes
    (tree.directory / "out").symlink_to("/")
    assert tree.found() == BOTH
    (note,) = tree.search().notes
    assert "out: a symbolic link" in note


def test_link_in_package(tree: Tree) -> None:
    """A link out of a package is noted too: Python imports what is there."""
    tree.add({"package/__init__.py": BACKEND})
    (tree.directory / "package/inner").symlink_to(tree.directory / "a")
    (note,) = tree.search("package").notes
    assert "inner: a symbolic link" in note
    (tree.directory / "package/inner").unlink()
    assert not tree.search("package").notes


def test_unreadable_directory(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be read is an error."""
    real: Callable[[str], Iterator[os.DirEntry[str]]] = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "fakes":
            raise PermissionError(13, os.strerror(13), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # the superuser may read every directory
    error, one = sorted(tree.found())
    assert error.endswith("fakes: Permission denied")
    assert one == "one:Mine"


def test_forbidden_directory(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory in which nothing may be looked up ends no search, whoever imports from it."""
    tree.add({"a/one.py": f"from fakes.two import x\nfrom tests.fakes import two\n{BACKEND}"})
    forbidden = str(tree.directory / "tests/fakes")
    real = os.stat

    def stat(path: str | Path, **options: Any) -> os.stat_result:
        if os.fspath(path).startswith(f"{forbidden}/"):
            raise PermissionError(13, os.strerror(13), path)
        return real(path, **options)

    for module in (os, getattr(Path, "_accessor", os)):  # which paths use before Python 3.11
        monkeypatch.setattr(module, "stat", stat)  # the superuser may look up everything
    error, one = sorted(tree.found())
    assert "Permission denied" in error
    assert one == "one:Mine"


def test_vanished_file(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is removed during a search is noted."""
    real = os.open

    def open_file(path: str | Path, flags: int) -> int:
        Path(path).unlink() if Path(path).name == "two.py" else None
        return real(path, flags)

    monkeypatch.setattr(os, "open", open_file)
    assert tree.found() == ["one:Mine"]


@pytest.mark.parametrize("text", ["x" * 300, "x" * 300 + ".py", "x" * 300 + "/y", "x" * 300 + ":Y"])
def test_long_names(tree: Tree, text: str) -> None:
    """A name that no file can have is a one-line error, and hides no other target."""
    error, found = tree.found(text, "a")
    assert error.startswith("! ")
    assert "\n" not in error
    assert found == "one:Mine"


def test_package_below_another_project(tmp_path: Path) -> None:
    """The folder `src` of the current directory counts, whatever is around it."""
    (tmp_path / "setup.cfg").touch()
    tree = Tree(tmp_path / "inner", {"src/pkg/__init__.py": BACKEND})
    assert tree.found("pkg") == ["pkg:Mine"]


def test_private_modules(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package includes the private modules that its public ones import; others are noted."""
    tree.add({"src/pkg/__init__.py": "from pkg._used import Mine\n"})
    for name in ("_used", "_unused", "public", "_inner/__init__", "_inner/more"):
        tree.add({f"src/pkg/{name}.py": BACKEND})
    assert tree.found("pkg") == ["pkg._used:Mine", "pkg.public:Mine"]
    (note,) = tree.search("pkg").notes
    assert note.endswith(": pkg._unused, pkg._inner, pkg._inner.more")
    assert tree.found("pkg._inner") == ["pkg._inner:Mine", "pkg._inner.more:Mine"]
    assert len(tree.found("src")) == 5
