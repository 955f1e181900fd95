"""The command ``new``: the names it accepts, the files it writes, and those it keeps."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path
from typing import IO, Any

import pytest

from backend_contract._conformance.cli.main import main


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def classes_in(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def value_of(file: Path, attribute: str) -> object:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                if name == attribute:
                    return value
            case _:
                pass
    raise AssertionError(attribute)


@pytest.mark.parametrize("structural", [False, True], ids=["inheriting", "structural"])
@pytest.mark.parametrize(
    ("name", "stem", "backend_type"),
    [
        ("mine", "Mine", "MINE"),
        ("my_backend", "My", "MY_BACKEND"),
        ("vLLM", "VLLM", "VLLM"),
        ("backend", "", "BACKEND"),
        ("a__1_", "A1", "A__1_"),
        ("none", "None", "NONE"),
    ],
)
def test_names(
    name: str,
    stem: str,
    backend_type: str,
    structural: bool,
    directory: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Classes and type are named after the module, and what to run next is printed."""
    assert main(["new", name, *(["--structural"] if structural else [])]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert f"check --run {name}.py:{stem}Backend\n" in shown.out
    assert f"pytest test_{name}.py\n" in shown.out
    assert written(directory) == {f"{name}.py", f"test_{name}.py"}
    assert classes_in(directory / f"{name}.py") == [f"{stem}Engine", f"{stem}Backend"]
    assert classes_in(directory / f"test_{name}.py") == [f"Test{stem}Backend"]
    assert value_of(directory / f"{name}.py", "backend_type") == backend_type
    imports_package = "from backend_contract" in (directory / f"{name}.py").read_text()
    assert imports_package is not structural


@pytest.mark.parametrize("options", [[], ["--structural"]], ids=["inheriting", "structural"])
def test_line_length(options: list[str], directory: Path) -> None:
    """No line is longer than formatters and linters allow by default."""
    assert main(["new", "mine", *options]) == 0
    lines = [line for file in directory.glob("*.py") for line in file.read_text().splitlines()]
    assert max(map(len, lines)) <= 88


def test_directory(directory: Path) -> None:
    """A directory is created; in a package, whose modules hide none, the import is relative."""
    assert main(["new", "mine", "--directory", "src/new"]) == 0
    assert "\nfrom mine import" in (directory / "src/new/test_mine.py").read_text()
    (directory / "package").mkdir()
    (directory / "package/__init__.py").touch()
    assert main(["new", "queue", "--directory", "package"]) == 0
    assert "\nfrom .queue import" in (directory / "package/test_queue.py").read_text()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "NAME must be"),
        ("a-b", "NAME must be"),
        ("mine.py", "NAME must be"),
        ("a/b", "name its folder with --directory"),
        ("1a", "NAME must be"),
        ("_1", "NAME must be"),
        ("mine\n", "NAME must be"),
        ("\x1b[31m", "NAME must be"),
        ("prüfung", "NAME must be"),
        ("test_mine", "collect 'test_mine' as tests"),
        ("mine_test", "collect 'mine_test' as tests"),
        ("class", "'class' is a keyword"),
        ("None", "'None' is a keyword"),
        ("queue", "'queue' would hide"),
        ("pytest", "'pytest' would hide"),
        ("aconfig", "'aconfig' would hide"),
    ],
)
def test_rejected_name(
    name: str, problem: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that is not usable is one line, and nothing is written, not even the directory."""
    assert main(["new", name, "--directory", "new"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert problem in shown.err
    assert shown.err.count("\n") == 1
    assert shown.err.removesuffix("\n").isprintable()
    assert [*directory.iterdir()] == []


def test_existing_package(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A package of that name would be imported in place of the module; a mere folder is not."""
    (directory / "mine").mkdir()
    assert main(["new", "mine"]) == 0
    capsys.readouterr()
    (directory / "other").mkdir()
    (directory / "other/__init__.py").touch()
    assert main(["new", "other"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "other/__init__.py exists" in shown.err
    assert not (directory / "other.py").exists()


@pytest.mark.parametrize("name", ["mine.py", "test_mine.py"])
@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_existing_file(
    name: str, kind: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is overwritten, and the other file is not written either."""
    existing = directory / name
    if kind == "directory":
        existing.mkdir()
    elif kind == "link":
        existing.symlink_to("nowhere")
    else:
        existing.write_text("mine\n")
    assert main(["new", "mine"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert f"{name} exists" in shown.err
    assert [*directory.iterdir()] == [existing]
    assert kind != "file" or existing.read_text() == "mine\n"


def test_unwritable_directory(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that cannot be created is one line."""
    (directory / "file").touch()
    assert main(["new", "mine", "--directory", "file/below"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "file/below" in shown.err


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EEXIST])
def test_failure(
    failure: int,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After a failure none of its files is left, but one that appears meanwhile is."""
    open_file = Path.open

    def fail(self: Path, mode: str = "r", **options: Any) -> IO[Any]:
        if self.name == "test_mine.py" and mode == "x":
            if failure == errno.EEXIST:
                self.touch()
            raise OSError(failure, os.strerror(failure), str(self))
        return open_file(self, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        assert main(["new", "mine"]) == 2
    assert capsys.readouterr().err == (
        f"backend-contract: error: test_mine.py: {os.strerror(failure)}\n"
    )
    assert written(directory) == ({"test_mine.py"} if failure == errno.EEXIST else set())
