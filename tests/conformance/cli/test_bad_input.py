"""Unusual targets and arguments: a verdict or one line with the reason, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support import mostly_exhaustive

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.targets import Target
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import WarmCache

A_BACKEND = (
    'from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): backend_type = "MINE"\n'
)
FILES: dict[str, bytes] = {
    "empty.py": b"",
    "binary.py": bytes(range(256)),
    "latin.py": "# é\nclass Mine: ...\n".encode("latin-1"),
    "broken.py": b"class Mine(:\n",
    "directory.py/mine.py": b"",
    "kinds.py": (
        A_BACKEND + "import typing\n\ndef function(): ...\ninstance = Mine()\nAlias = Mine\n"
        "TypeAlias: typing.TypeAlias = Mine\nUnion = Mine | None\nfrom mine import Mine as Other\n"
        "text = 'Mine'\nDeclared: type[Mine]\n"
    ).encode(),
    "mine.py": A_BACKEND.encode(),
    "shadow/typing.py": A_BACKEND.encode(),
    "spaces/mine.py": A_BACKEND.encode(),
    "quo'te\".py": A_BACKEND.encode(),
    "new\nline.py": A_BACKEND.encode(),
    "class.py": A_BACKEND.encode(),
    "we'ird \"dir\\\n${HOME} é/mine.py": A_BACKEND.encode(),
}
BAD = {
    "empty.py:Mine": "'Mine'",
    "empty.py": "empty.py",
    "binary.py:Mine": "binary.py",
    "latin.py:Mine": "latin.py",
    "broken.py:Mine": "broken.py:1: ",
    "directory.py:Mine": "Is a directory",
    "loop.py:Mine": "Too many levels of symbolic links",
    "loop.py": "Too many levels of symbolic links",
    ":Mine": "expected package.module:Class",
    "mine.py:": "expected package.module:Class",
    "kinds.py:function": "'function'",
    "kinds.py:instance": "'instance'",
    "kinds.py:Union": "'Union'",
    "kinds.py:Declared": "'Declared'",
    "kinds.py:text": "'text'",
    "shadow/typing.py:Mine": "'typing'",
    "quo'te\".py:Mine": "rename",
    "new\nline.py:Mine": "rename",
    "class.py:Mine": "rename",
    "mine.py:Mine\nimport os": "expected package.module:Class",
    "mine.py:Mine'); import os; ('": "expected package.module:Class",
    'mine.py:Mine"""': "expected package.module:Class",
    "mine:Mine as Other": "expected package.module:Class",
    "spaces:Mine": "'spaces'",
    "": "got ''",
    "\0": "got '\\x00'",
    "nowhere/": "No such file or directory",
    "/dev/null:Mine": "/dev/null",
    "~:Mine": "expected package.module:Class",
    "-": "expected package.module:Class",
    "x" * 5000: "",
    "x/" * 3000 + ".py:Mine": "",
}
GOOD = [
    [
        "kinds.py:Alias",
        "kinds.py:TypeAlias",
        "kinds.py:Other",
        "spaces/mine.py:Mine",
        "we'ird \"dir\\\n${HOME} é",
    ],
    ["spaces", "we'ird \"dir\\\n${HOME} é/mine.py:Mine"],
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (directory / "loop.py").symlink_to("loop.py")
    return directory


def contents(directory: Path) -> dict[str, bytes | None]:
    return {str(p): p.read_bytes() if p.is_file() else None for p in directory.rglob("*")}


@pytest.fixture(autouse=True)
def nothing_is_written(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(directory)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = contents(directory)
    yield
    assert contents(directory) == before
    assert contents(tmp_path) == {}


def shown_of(target: str) -> str:
    return repr(target)[:40]


@pytest.mark.parametrize("target", BAD, ids=shown_of)
def test_bad_target(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A target that is not a backend class is one line on standard error."""
    assert main(["check", "--no-cache", "--", target]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("backend-contract: error: ")
    assert BAD[target] in shown.err


@pytest.mark.parametrize("targets", mostly_exhaustive(zip(GOOD, strict=True), 1))
def test_unusual_targets(
    targets: list[str],
    directory: Path,
    cache_home: Path,
    warm_cache: WarmCache,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unusual names of backend classes are checked like any others."""
    warm_cache([directory, *(path for path in directory.iterdir() if path.is_dir())])
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    assert main(["check", *targets]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("\n10 ok (layer S") == len(targets)
    assert shown.err == ""


def test_unreadable_file(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error names a file that may not be read."""
    real = os.open

    def open_file(path: str | Path, flags: int) -> int:
        if Path(path).name == "mine.py":
            raise PermissionError(13, os.strerror(13), str(path))
        return real(path, flags)

    monkeypatch.setattr(os, "open", open_file)  # to the superuser, each file is readable
    assert main(["check", "mine.py:Mine"]) == 2
    assert capsys.readouterr().err.endswith("mine.py: Permission denied\n")
    monkeypatch.undo()


@pytest.mark.exhaustive
def test_many_classes(
    tmp_path_factory: pytest.TempPathFactory,
    cache_home: Path,
    warm_cache: WarmCache,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All classes of a file are checked in one run, however many there are."""
    directory = tmp_path_factory.mktemp("many")
    warm_cache([directory])
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    classes = "".join(f"class C{n}(LocalBackend): backend_type = 'C{n}'\n" for n in range(150))
    (directory / "many.py").write_text(f"from backend_contract import LocalBackend\n{classes}")
    assert main(["check", str(directory / "many.py")]) == 0
    assert capsys.readouterr().out.count("10 ok (layer S") == 150


arguments = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(":./'\"\n-"), max_size=20
)


@pytest.mark.exhaustive
@given(
    st.lists(arguments, max_size=2),
    st.lists(
        st.sampled_from(["--lenient", "--output-format", "json", "--checker", "x", "--python"])
    ),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_arguments(targets: list[str], options: list[str]) -> None:
    """Arguments without a valid target are status 2, and never a traceback."""
    assert main(["check", *options, *(f" {target}:" for target in targets)]) == 2


words = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from(":./'\"\n"), max_size=30
)


@pytest.mark.exhaustive
@given(words | words.map(lambda text: f"{text}.py:X") | words.map(lambda text: f"{text}:X"))
@settings(max_examples=200)
def test_any_target(text: str) -> None:
    """Any text is a target with importable names, or an error."""
    assume(not Path(text).is_dir())  # may be the whole disk
    (found,) = find_targets([text])
    if isinstance(found, Target):
        assert all(part.isidentifier() for part in f"{found.module}.{found.qualname}".split("."))
    else:
        assert isinstance(found, CouldNotCheckError)


@pytest.mark.exhaustive
@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_any_content(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A file with any content has the class, or is an error on one line."""
    path = tmp_path_factory.getbasetemp() / "any_content.py"
    path.write_bytes(content)
    (found,) = find_targets([f"{path}:X"])
    assert isinstance(found, Target) or "\n" not in str(found)
