"""Which files may be changed, and how they are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend_contract._conformance.fixes.writing import copy_root, refuse, replace_files
from backend_contract.errors import CouldNotCheckError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project, with files and links inside and outside of it."""
    project = tmp_path / "project"
    for name in (
        "mine.py",
        "src/mine.py",
        "lib/site-packages/mine.py",
        "env/pyvenv.cfg",
        "env/mine.py",
        "../outside/mine.py",
    ):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    (project / "file.py").symlink_to("../outside/mine.py")
    (project / "linked").symlink_to("../outside")
    (project / "inside.py").symlink_to("src/mine.py")
    return project


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mine.py", None),
        ("src/mine.py", None),
        ("inside.py", None),
        ("lib/site-packages/mine.py", "is installed in"),
        ("env/mine.py", "is installed in"),
        ("../outside/mine.py", "is not below"),
        ("file.py", "is not below"),
        ("linked/mine.py", "is not below"),
    ],
)
def test_refuse(folder: Path, name: str, reason: str | None) -> None:
    """Only files of the project itself may be changed, also by way of links."""
    answer = refuse(folder / name, folder)
    assert answer is None if reason is None else reason in str(answer)


def test_project_in_an_environment(folder: Path) -> None:
    """A project may itself be inside of an environment, or reached by a link."""
    assert refuse(folder / "env/mine.py", folder / "env") is None
    (folder.parent / "link").symlink_to("project")
    assert refuse(folder.parent / "link/mine.py", folder) is None
    assert refuse(folder / "mine.py", folder.parent / "link") is None


def test_replace(folder: Path) -> None:
    """Each file has its new content and its old mode; a link stays a link."""
    first, second = folder / "mine.py", folder / "inside.py"
    first.chmod(0o755)
    before = {first: b"x = 1\n", second: b"x = 1\n"}
    replace_files({first: b"x = 2\n", second: b"x = 3\r\n"}, before)
    assert (first.read_bytes(), (folder / "src/mine.py").read_bytes()) == (b"x = 2\n", b"x = 3\r\n")
    assert first.stat().st_mode & 0o777 == 0o755
    assert second.is_symlink()
    assert not [*folder.rglob(".fix-*")]


@pytest.mark.parametrize("problem", ["changed", "read-only", "gone", "full"])
def test_nothing_lost(folder: Path, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one file cannot be replaced, none is, and nothing is left behind."""
    first, second = folder / "mine.py", folder / "src/mine.py"
    if problem == "changed":
        second.write_text("x = 9\n")
    elif problem == "read-only":
        second.chmod(0o444)
    elif problem == "gone":
        second.unlink()
    else:

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device", str(second))

        monkeypatch.setattr("os.fdopen", fail)
    left = second.read_bytes() if second.exists() else None
    with pytest.raises(CouldNotCheckError, match=r"mine\.py"):
        replace_files(
            {first: b"x = 2\n", second: b"x = 2\n"}, dict.fromkeys((first, second), b"x = 1\n")
        )
    assert first.read_bytes() == b"x = 1\n"
    assert (second.read_bytes() if second.exists() else None) == left
    assert not [*folder.rglob(".fix-*")]


def test_copy_of_links(folder: Path, tmp_path: Path) -> None:
    """A file may be given by the name of a link to it, and the root may be a link."""
    (folder.parent / "root").symlink_to("project")
    root = folder.parent / "root"
    copy_root(root, tmp_path / "copy", {root / "inside.py": b"x = 2\n", root / "mine.py": b""})
    assert (tmp_path / "copy/inside.py").read_text() == "x = 2\n"
    assert (tmp_path / "copy/mine.py").read_text() == ""
    assert (tmp_path / "copy/src/mine.py").read_text() == "x = 1\n"
    assert (folder / "src/mine.py").read_text() == "x = 1\n"


def test_copy(folder: Path, tmp_path: Path) -> None:
    """A copy has the new contents, and links to everything else."""
    copy = tmp_path / "copy"
    for text in (b"x = 2\n", b"x = 3\n"):
        copy_root(folder, copy, {folder / "src/mine.py": text})
        assert (copy / "src/mine.py").read_bytes() == text
    assert (folder / "src/mine.py").read_text() == "x = 1\n"
    assert (copy / "mine.py").readlink() == folder / "mine.py"
    assert (copy / "linked/mine.py").read_text() == "x = 1\n"
