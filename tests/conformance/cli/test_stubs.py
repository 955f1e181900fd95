"""The command ``stubs``: what it writes, keeps and removes, and the settings that it prints."""

from __future__ import annotations

import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from backend_contract._conformance.cli.main import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
FILES = {
    "grpc": {"grpc/__init__.pyi", "grpc/aio/__init__.pyi", "grpc/experimental/__init__.pyi"},
    "fastapi": {"fastapi/__init__.pyi"},
    "starlette": {
        "starlette/__init__.pyi",
        "starlette/datastructures.pyi",
        "starlette/exceptions.pyi",
        "starlette/requests.pyi",
    },
    "aconfig": {"aconfig/__init__.pyi", "aconfig/aconfig.pyi"},
}
ALL = frozenset().union(*FILES.values())


class Shown(NamedTuple):
    """The exit status of the command, and its output."""

    status: int
    out: str
    err: str


Stubs = Callable[..., Shown]


class Bare:
    """An environment in which nothing is installed, and things that can be put into it."""

    def __init__(self, directory: Path) -> None:
        venv.create(directory, symlinks=True)
        self.python = str(directory / "bin/python")
        (self.packages,) = directory.glob("lib/python*/site-packages")

    def add_types(self, *names: str) -> None:
        for name in names:
            (self.packages / f"{name}-stubs").mkdir()


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    return Bare(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def stubs(
    tmp_path: Path,
    bare: Bare,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Stubs:
    """Run the command in ``tmp_path``, for the environment without packages."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Shown:
        return Shown(main(["stubs", "--python", bare.python, *arguments]), *capsys.readouterr())

    return run


def files(directory: Path) -> dict[str, str]:
    """Return the files below a directory with their texts."""
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }


def settings(shown: str) -> dict[str, object]:
    """Return the printed settings."""
    return tomllib.loads(shown[shown.index("\n# ") :])


def test_writes_what_is_untyped(stubs: Stubs, tmp_path: Path) -> None:
    """Every package without types gets stubs, in which other names are `Any`."""
    run = stubs()
    assert (run.status, run.err) == (0, "")
    found = files(tmp_path)
    assert found.keys() == {f"typings/{name}" for name in ALL}
    for path, text in found.items():
        assert f"wrote {path}\n" in run.out
        assert text.startswith("# Written by `backend-contract stubs`")
        assert "\ndef __getattr__(name: str) -> " in text
    assert "class ServicerContext(" in found["typings/grpc/__init__.pyi"]
    assert "class ServicerContext(" not in found["typings/grpc/aio/__init__.pyi"]


@pytest.mark.parametrize("typed", FILES)
def test_only_what_is_untyped(typed: str, bare: Bare, stubs: Stubs, tmp_path: Path) -> None:
    """A package with types gets none; a package that is installed without types does."""
    bare.add_types(typed)
    for name in FILES:
        (bare.packages / name).mkdir()
        (bare.packages / name / "__init__.py").touch()
    run = stubs("here")
    assert files(tmp_path / "here").keys() == ALL - FILES[typed]
    assert f"typed in this environment: {typed}\n" in run.out


def test_nothing_is_untyped(bare: Bare, stubs: Stubs, tmp_path: Path) -> None:
    """If all have types, no directory is made and no setting printed."""
    bare.add_types(*FILES)
    run = stubs()
    assert (run.status, run.err) == (0, "")
    assert run.out == "typed in this environment: aconfig, fastapi, grpc, starlette\n"
    assert not (tmp_path / "typings").exists()


def test_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ``--python`` it is about this environment, which has a stub package of aconfig."""
    monkeypatch.chdir(tmp_path)
    assert main(["stubs"]) == 0
    assert "typed in this environment: aconfig" in capsys.readouterr().out
    assert not (tmp_path / "typings/aconfig").exists()


@pytest.mark.parametrize(
    ("given", "path"),
    [("typings", "typings"), ("./typings/", "typings"), ("a b/é", "a b/é"), ('q"\n', 'q"\n')],
)
def test_settings(given: str, path: str, stubs: Stubs) -> None:
    """The settings name the directory, for pyright only if it is not its default."""
    pyright = {} if path == "typings" else {"pyright": {"stubPath": path}}
    expected = {
        "mypy": {"mypy_path": path},
        "pyrefly": {"search-path": [path]},
        "ty": {"environment": {"extra-paths": [path]}},
    }
    run = stubs(given)
    assert settings(run.out) == {"tool": expected | pyright}
    assert run.out.isprintable() or all(line.isprintable() for line in run.out.split("\n"))
    for name in ("mypy", "pyright", "pyrefly", "ty", "zuban"):
        assert name in run.out


def test_settings_of_absolute_path(stubs: Stubs, tmp_path: Path) -> None:
    """A directory below the current one is named relative to it, another one as it is."""
    assert 'mypy_path = "inner/typings"\n' in stubs(str(tmp_path / "inner/typings")).out
    other = tmp_path.parent / "other typings"
    assert f'mypy_path = "{other}"\n' in stubs(str(other)).out


def test_second_run(stubs: Stubs, tmp_path: Path) -> None:
    """A second run writes nothing and prints the settings again."""
    first = stubs()
    before = files(tmp_path)
    second = stubs()
    assert files(tmp_path) == before
    assert "wrote" not in second.out
    assert settings(second.out) == settings(first.out)


@pytest.mark.parametrize("path", sorted(ALL))
@pytest.mark.parametrize("text", ["", "x: int\n", "# Written by `backend-contract stubs`, 12.\n"])
def test_other_file(path: str, text: str, stubs: Stubs, tmp_path: Path) -> None:
    """A file that differs is kept and named; the other packages get their stubs."""
    file = tmp_path / "typings" / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    run = stubs()
    assert run.status == 0
    assert file.read_text() == text
    assert f"kept typings/{path}: " in run.err
    package = path.partition("/")[0]
    missing = {f"typings/{name}" for name in ALL - FILES[package]} - files(tmp_path).keys()
    assert missing == set()


@pytest.mark.parametrize("path", ["grpc.pyi", "grpc/__init__.pyi"])
def test_other_package(path: str, stubs: Stubs, tmp_path: Path) -> None:
    """A package that the user describes gets no file at all: none of ours could hide theirs."""
    file = tmp_path / "typings" / path
    file.parent.mkdir(parents=True)
    file.write_text("x: int\n")
    run = stubs()
    assert run.err.count("kept") == 1
    found = {name for name in files(tmp_path / "typings") if name.startswith("grpc")}
    assert found == {path}


def test_edited_file(bare: Bare, stubs: Stubs, tmp_path: Path) -> None:
    """A stub that was edited is neither replaced nor removed."""
    stubs()
    file = tmp_path / "typings/grpc/__init__.pyi"
    file.write_text(edited := file.read_text() + "x: int\n")
    for _ in range(2):
        run = stubs()
        assert run.status == 0
        assert run.err == "kept typings/grpc/__init__.pyi: it was edited\n"
        assert file.read_text() == edited
        bare.add_types(*FILES.keys() - {path.name[:-6] for path in bare.packages.iterdir()})
    assert files(tmp_path).keys() == {"typings/grpc/__init__.pyi"}


def test_line_endings(bare: Bare, stubs: Stubs, tmp_path: Path) -> None:
    """A stub with the line endings of another system is not an edited one."""
    stubs()
    for file in (tmp_path / "typings").rglob("*.pyi"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert stubs().err == ""
    bare.add_types(*FILES)
    assert stubs().err == ""
    assert files(tmp_path) == {}


def test_older_stub(stubs: Stubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub of another version is replaced."""
    from backend_contract._conformance.cli import stubs as module

    monkeypatch.setattr(module, "read_stubs", lambda name: {f"{name}/__init__.pyi": "x: int\n"})
    stubs()
    assert "x: int\n" in (tmp_path / "typings/grpc/__init__.pyi").read_text()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    run = stubs()
    assert "wrote typings/grpc/__init__.pyi\n" in run.out
    assert "class ServicerContext(" in (tmp_path / "typings/grpc/__init__.pyi").read_text()


def test_removes_what_is_typed(bare: Bare, stubs: Stubs, tmp_path: Path) -> None:
    """Stubs that are not needed any more are removed, other files are not."""
    (tmp_path / "typings/mine").mkdir(parents=True)
    (tmp_path / "typings/mine/__init__.pyi").touch()
    (tmp_path / "typings/grpc_health").mkdir()
    stubs()
    (tmp_path / "typings/starlette/routing.pyi").touch()
    bare.add_types("grpc", "starlette")
    run = stubs()
    assert "removed typings/grpc/__init__.pyi\n" in run.out
    assert files(tmp_path / "typings").keys() == {
        *FILES["fastapi"],
        *FILES["aconfig"],
        "mine/__init__.pyi",
        "starlette/routing.pyi",
    }
    assert not (tmp_path / "typings/grpc").exists()
    assert (tmp_path / "typings/grpc_health").is_dir()


def put(path: Path, content: str | Path | None = "mine") -> None:
    """Put a file, a link, or for ``None`` a FIFO there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    elif content is None:
        os.mkfifo(path)
    else:
        path.symlink_to(content)


IN_THE_WAY: dict[str, Callable[[Path], None]] = {
    "a file": lambda place: put(place),
    "a file above": lambda place: put(place.parent),
    "a fifo": lambda place: put(place, None),
    "a broken link": lambda place: put(place, Path("nowhere")),
    "a link to itself": lambda place: put(place, Path(place.name)),
    "a file for a package": lambda place: put(place / "grpc"),
    "a directory for a file": lambda place: put(place / "grpc/__init__.pyi/mine"),
    "a fifo for a file": lambda place: put(place / "grpc/__init__.pyi", None),
    "a device for a file": lambda place: put(place / "grpc.pyi", Path("/dev/zero")),
}


@pytest.mark.parametrize("kind", IN_THE_WAY)
def test_unusable_directory(kind: str, stubs: Stubs, tmp_path: Path) -> None:
    """An obstacle is reported on one line, with exit status 2."""
    IN_THE_WAY[kind](tmp_path / "inner/place")
    run = stubs("inner/place")
    assert run.status == 2
    (line,) = run.err.splitlines()
    assert line.startswith("backend-contract: error: ")
    assert "inner" in line


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("a\0b", "a\\x00b"),
        ("x" * 300, "name too long"),
        ("/proc/nowhere", "/proc/nowhere"),
        ("file\x1b[31m\n::error::", "file\\x1b[31m\\n::error::"),
    ],
    ids=["empty", "nul", "long", "unwritable", "escapes"],
)
def test_unusable_name(text: str, named: str, stubs: Stubs, tmp_path: Path) -> None:
    """A name that cannot be a directory is one line, with escapes made visible, exit status 2."""
    (tmp_path / "file\x1b[31m\n::error::").touch()
    run = stubs(text)
    assert (run.status, run.out) == (2, "")
    (line,) = run.err.splitlines()
    assert named in line


def test_unusable_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interpreter that does not answer is one line, exit status 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert main(["stubs", "--python", "no/python"]) == 2
    assert capsys.readouterr().err.startswith("backend-contract: error: --python no/python: ")
    assert files(tmp_path) == {}


def test_full_disk(stubs: Stubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file is not left behind."""

    def write(self: Path, *_: object, **__: object) -> int:
        self.touch()
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write)
        run = stubs()
    assert run.status == 2
    assert "No space left on device" in run.err
    assert files(tmp_path) == {}
    assert stubs().status == 0
