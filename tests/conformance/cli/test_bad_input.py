"""Whatever is named: exit 2 or a verdict, one clear line, no traceback, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.static.checkers import CHECKERS

A_BACKEND = "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
FILES: dict[str, bytes] = {
    "empty.py": b"",
    "binary.py": bytes(range(256)),
    "latin.py": "# é\nclass Mine: ...\n".encode("latin-1"),
    "broken.py": b"class Mine(:\n",
    "directory.py/mine.py": b"",
    "kinds.py": (
        A_BACKEND + "import typing\n\ndef function(): ...\ninstance = Mine()\nAlias = Mine\n"
        "TypeAlias: typing.TypeAlias = Mine\nUnion = Mine | None\nfrom mine import Mine as Other\n"
        "text = 'Mine'\n"
    ).encode(),
    "mine.py": A_BACKEND.encode(),
    "shadow/typing.py": A_BACKEND.encode(),
    "spaces/mine.py": A_BACKEND.encode(),
    "quo'te\".py": A_BACKEND.encode(),
    "new\nline.py": A_BACKEND.encode(),
    "class.py": A_BACKEND.encode(),
    "we'ird \"dir\\\n${HOME} é/mine.py": A_BACKEND.encode(),
}
ROOM = {
    "empty.py:Mine": "no class 'Mine'",
    "empty.py": "no backend in it",
    "binary.py:Mine": "binary.py",
    "latin.py:Mine": "latin.py",
    "broken.py:Mine": "broken.py:1: ",
    "directory.py:Mine": "Is a directory",
    "loop.py:Mine": "Too many levels of symbolic links",
    "loop.py": "Too many levels of symbolic links",
    ":Mine": "expected package.module:Class",
    "mine.py:": "expected package.module:Class",
    "kinds.py:function": "'function' is a function",
    "kinds.py:instance": "'instance' is no class statement",
    "kinds.py:Union": "'Union' is no class statement",
    "kinds.py:TypeAlias": "'TypeAlias' is no class statement",
    "kinds.py:text": "'text' is no class statement",
    "shadow/typing.py:Mine": "no checker reads what shadows the standard module",
    "quo'te\".py:Mine": "is no name that can be imported",
    "new\nline.py:Mine": "is no name that can be imported",
    "class.py:Mine": "is no name that can be imported",
    "mine.py:Mine\nimport os": "expected package.module:Class",
    "mine.py:Mine'); import os; ('": "expected package.module:Class",
    'mine.py:Mine"""': "expected package.module:Class",
    "mine:Mine as Other": "expected package.module:Class",
    "spaces:Mine": "no Python source of a module 'spaces'",
    "": "a directory or a package, got ''",
    "\0": "got '\\x00'",
    "nowhere/": "No such file or directory",
    "/dev/null:Mine": "is neither a file nor a directory",
    "~:Mine": "expected package.module:Class",
    "-": "expected package.module:Class",
    "x" * 5000: "",
    "x/" * 3000 + ".py:Mine": "",
}
GOOD = [
    "kinds.py:Alias",
    "kinds.py:Other",
    "spaces/mine.py:Mine",
    "spaces",
    "we'ird \"dir\\\n${HOME} é/mine.py:Mine",
    "we'ird \"dir\\\n${HOME} é",
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


@pytest.mark.parametrize("target", ROOM, ids=lambda target: repr(target)[:40])
def test_what_is_no_backend_is_one_clear_line(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--no-cache", "--", target]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("backend-contract: error: ")
    assert ROOM[target] in shown.err


@pytest.mark.parametrize("target", GOOD, ids=lambda target: repr(target)[:40])
def test_what_looks_strange_and_is_right_has_a_verdict(
    target: str,
    cache_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    assert main(["check", target]) == 0
    shown = capsys.readouterr()
    assert "8 ok (layer S" in shown.out
    assert shown.err == ""


def test_a_file_that_may_not_be_read_is_named(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == "mine.py":
            raise PermissionError(13, os.strerror(13), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)  # to the superuser, no file is unreadable
    assert main(["check", "mine.py:Mine"]) == 2
    assert capsys.readouterr().err.endswith("mine.py: Permission denied\n")
    monkeypatch.undo()


def test_five_hundred_classes_in_a_file(
    tmp_path_factory: pytest.TempPathFactory,
    cache_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    directory = tmp_path_factory.mktemp("many")
    classes = "".join(f"class C{n}(LocalBackend): ...\n" for n in range(500))
    (directory / "many.py").write_text(f"from backend_contract import LocalBackend\n{classes}")
    assert main(["check", str(directory / "many.py")]) == 0
    assert capsys.readouterr().out.count("8 ok (layer S") == 500


words = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(":./'\"\n-"), max_size=20
)


@given(
    st.lists(words, max_size=2),
    st.lists(
        st.sampled_from(["--strict", "--output-format", "json", "--checker", "x", "--python"])
    ),
)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_arguments_end_in_a_status_and_not_in_a_traceback(
    targets: list[str], options: list[str]
) -> None:
    class Never(type(CHECKERS["mypy"])):  # type: ignore[misc] # which class it is does not matter
        """mypy that is not started: no target here is one."""

        def load(self) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHECKERS, "mypy", Never())
        assert main(["check", *options, *(f" {target}:" for target in targets)]) == 2
