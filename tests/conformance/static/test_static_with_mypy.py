"""Runs of mypy that need their own directory or settings; `test_samples.py` has the verdicts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance.static.support import KNOWN, WHOLE, shorthand, targets_of

from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checking import check

if TYPE_CHECKING:
    from conftest import WarmCache

RETURNS = "class X(Whole):\n    def start(self) -> int: ...\n"
WEAK_SETTINGS = (
    "[mypy]\nignore_missing_imports = True\nignore_errors = True\nfollow_imports = skip\n"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One root for several tests: mypy is fast if its cache is warm."""
    return tmp_path_factory.mktemp("root")


def check_files(directory: Path, cache: Path, *texts: str, **files: str) -> list[str]:
    """Write *files*, and return the shorthand of each report."""
    for name, text in files.items():
        path = directory / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    targets = targets_of(f"{directory}/{text}" for text in texts)
    return [shorthand(report) for report in check(targets, Mypy(), cache)]


@pytest.mark.exhaustive
def test_user_settings(
    root: Path, tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings of the user do not weaken a check, wherever they are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYPY_CACHE_DIR", str(tmp_path / "their cache"))
    monkeypatch.setenv("MYPYPATH", str(tmp_path / "their stubs"))
    for name in ("mypy.ini", "setup.cfg", ".mypy.ini"):
        (tmp_path / name).write_text(WEAK_SETTINGS)
        (root / name).write_text(WEAK_SETTINGS)
    text = f"# mypy: ignore-errors\n{WHOLE}\n{RETURNS}"
    assert check_files(root, cache_home, "settings.py:X", settings=text) == ["BC309"]
    assert not (tmp_path / "their cache").exists()


@pytest.mark.exhaustive
def test_broken_import(root: Path, cache_home: Path) -> None:
    """A target that stops mypy does not cost the others their results."""
    files = {
        "broken": "def (:\n",
        "bad": "import broken\nclass X: ...\n",
        "good": f"{WHOLE}\nclass X(Whole): ...\n",
    }
    good, bad = check_files(root, cache_home, "good.py:X", "bad.py:X", **files)
    assert good == ""
    assert f"{root}/broken.py:1: " in bad


@pytest.mark.exhaustive
def test_files_of_one_name(root: Path, tmp_path: Path, cache_home: Path) -> None:
    """Two files of one name below different roots are not confused."""
    (tmp_path / "mine.py").write_text(f"{WHOLE}\n{RETURNS}")
    (root / "mine.py").write_text(f"{WHOLE}\nclass X(Whole): ...\nclass Empty: ...\n")
    texts = (f"{root}/mine.py:X", f"{tmp_path}/mine.py:X", f"{root}/mine.py:Empty")
    reports = check(targets_of(texts), Mypy(), cache_home)
    assert [shorthand(report) for report in reports] == ["", "BC309", KNOWN["Empty"]]


def test_same_time_and_size(root: Path, warm_cache: WarmCache) -> None:
    """A file with another content is checked anew, even if it has the time and size it had."""
    base = f"{WHOLE}\nclass Base(Whole):\n    def start(self) -> {{}}: ...\n"
    mine = "from base_of import Base\nclass X(Base): ...\n"
    cache = warm_cache([root])
    for result, expected in (("None", ""), ("bool", "BC309"), ("None", "")):
        (root / "base_of.py").write_text(base.format(result))
        os.utime(root / "base_of.py", (0, 0))
        assert check_files(root, cache, "replaced.py:X", replaced=mine) == [expected]


def test_shadowing(tmp_path: Path, warm_cache: WarmCache) -> None:
    """Modules that are called like standard ones change no verdict, and are not run."""
    for name in ("types", "typing", "enum", "abc", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('executed')\n")
    files = {
        "base_of": f"{WHOLE}\n{RETURNS}",
        "mine": "from base_of import X as Y\nclass X(Y): ...",
    }
    assert check_files(tmp_path, warm_cache([tmp_path]), "mine.py:X", **files) == ["BC309"]


@pytest.mark.exhaustive
def test_user_stubs(tmp_path: Path, cache_home: Path) -> None:
    """Stubs of the user that turn a framework into `Any` discard the results."""
    (tmp_path / "grpc.pyi").write_text("from typing import Any\nServicerContext: Any\n")
    text = f"{WHOLE}\nclass X(Whole): ...\n"
    (error,) = check_files(tmp_path, cache_home, "mine.py:X", mine=text)
    assert "failed a built-in self-test (Good/BC501: expected ok, got " in error
