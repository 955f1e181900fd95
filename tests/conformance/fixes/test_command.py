"""``backend-contract check --fix``, with mypy."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.static.checkers.mypy import Mypy

if TYPE_CHECKING:
    from conftest import Main, WarmCache

    from backend_contract._conformance.static.checkers.base import CheckRequest, Diagnostic

BASE = """\
from backend_contract import LocalBackend


class Shared(LocalBackend):
    def stop(self):
        self._started = False

    backend_type = "SHARED"
"""
UNCHECKED = '''\
"""Backends without annotations."""
import threading
from contextlib import contextmanager

from base import Shared


class One(Shared):
    backend_type = "ONE"

    def register_config(self, config):  # merges
        super().register_config(config)


class Two(Shared):
    backend_type = "TWO"

    def start(self):
        self._started = True

    def handle_runtime_context(self, model_id, runtime_context=None, further=17):
        self.last = runtime_context


class Structural:
    backend_type = "STRUCTURAL"

    def __init__(self, config=None):
        self.config = config
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config): raise NotImplementedError
    def start(self): self.is_started = True
    def stop(self): self.is_started = False

    @contextmanager
    def start_lock(self):
        with self.lock:
            yield

    def handle_runtime_context(self, model_id, runtime_context):
        def inner(): return model_id


class Outer:
    class Nested(Shared):
        backend_type = "NESTED"

        @property
        def is_started(self): return self._started
'''
TARGETS = ["backends.py", "backends.py:Structural", "backends.py:Outer.Nested", "base.py"]
VIOLATED = """\
from backend_contract import LocalBackend


class Renamed(LocalBackend):
    backend_type = "RENAMED"

    async def stop(self):
        self._started = False

    def handle_runtime_context(self, model, ctx):
        print(f"{model} {ctx}")


class Required(LocalBackend):
    backend_type = "REQUIRED"

    def __init__(self, config):
        super().__init__(config)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Backends without annotations, and in ``violated.py`` some that violate clauses."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "backends.py").write_text(UNCHECKED)
    (tmp_path / "violated.py").write_text(VIOLATED)
    return tmp_path


def bare(text: str) -> str:
    """Return the code without annotations, imports and ``if TYPE_CHECKING:``."""

    class Remove(ast.NodeTransformer):
        def visit_arg(self, node: ast.arg) -> ast.arg:
            node.annotation = None
            return node

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
            node.returns = None
            self.generic_visit(node)
            return node

    tree = Remove().visit(ast.parse(text))
    imports = (ast.Import, ast.ImportFrom, ast.If)
    tree.body = [statement for statement in tree.body if not isinstance(statement, imports)]
    return ast.unparse(tree)


def test_fix(project: Path, run_main: Main) -> None:
    """Unchecked classes become ok without a change of behaviour; a second run changes nothing."""
    files = [project / "backends.py", project / "base.py"]
    before = [file.read_text() for file in files]
    diff = run_main("check", "--fix", "--diff", *TARGETS)
    assert diff.status == 1
    assert [file.read_text() for file in files] == before
    shown = run_main("check", "--fix", "--output-format=json", *TARGETS)
    assert shown.status == 0, shown.err
    after = [file.read_text() for file in files]
    assert after != before
    assert [bare(text) for text in after] == [bare(text) for text in before]
    verdicts = {f["verdict"] for t in json.loads(shown.out)["reports"] for f in t["findings"]}
    assert verdicts == {"ok"}
    assert "base.py:5: BC309 fixed: `stop`: annotated `-> None`" in shown.err
    assert " in 2 files" in shown.err
    for file, old, new in zip(files, before, after, strict=True):
        texts = old.splitlines(keepends=True), new.splitlines(keepends=True)
        expected = difflib.unified_diff(texts[0], texts[1], file.name, file.name)
        assert "".join(expected) in diff.out
    again = run_main("check", "--fix", *TARGETS)
    assert again.status == 0
    assert "0 fixes in 0 files\n\nbackends.py:One\n" in again.out
    assert [file.read_text() for file in files] == after
    # And it can be imported.
    subprocess.run([sys.executable, "-c", "import backends"], cwd=project, check=True)


@pytest.mark.exhaustive
def test_diff(project: Path, run_main: Main) -> None:
    """A diff keeps tabs, carriage returns and the missing end of a file, but no escape sequence."""
    text = """\
# coding: latin-1
from backend_contract import LocalBackend
class Mine(LocalBackend):
\tbackend_type = "MINE"  # \xe9 \x1b[31m
\tdef stop(self): self._started = False"""
    (project / "mine.py").write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    shown = run_main("check", "--fix", "--diff", "mine.py")
    assert shown.status == 1
    lines = shown.out.replace("\r", "<CR>").splitlines()
    assert ' \tbackend_type = "MINE"  # \xe9 \\x1b[31m<CR>' in lines
    assert lines[-4:] == [
        "-\tdef stop(self): self._started = False",
        "\\ No newline at end of file",
        "+\tdef stop(self) -> None: self._started = False",
        "\\ No newline at end of file",
    ]


@pytest.mark.exhaustive
def test_unsafe_fixes(project: Path, run_main: Main) -> None:
    """Violations are fixed on request only, and then annotated."""
    file = project / "violated.py"
    shown = run_main("check", "--fix", "violated.py")
    assert shown.status == 1
    assert file.read_text() == VIOLATED
    assert "0 fixes in 0 files; 4 more with --unsafe-fixes" in shown.out
    shown = run_main("check", "--fix", "--unsafe-fixes", "violated.py")
    assert shown.status == 0, shown.out
    text = file.read_text()
    assert "    def stop(self) -> None:\n" in text
    assert "self, model_id: str, runtime_context: RuntimeServerContextType\n" in text
    assert 'print(f"{model_id} {runtime_context}")' in text
    assert "def __init__(self, config: aconfig.Config | None = None) -> None:" in text
    shown = run_main("check", "--fix", "--unsafe-fixes", "--diff", "violated.py")
    assert (shown.status, shown.out) == (0, "")


def test_not_fixed(project: Path, run_main: Main, warm_cache: WarmCache) -> None:
    """A value and members outside the project are not fixed, and the output says so."""
    inner = project / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").touch()
    (inner / "mine.py").write_text("""\
from base import Shared

class Mine(Shared):
    backend_type = "MINE"
    def start(self):
        return 1
""")
    (inner / "base.py").symlink_to("../base.py")
    before = (inner / "mine.py").read_text()
    warm_cache([inner])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inner)
        shown = run_main("check", "--fix", "mine.py")
    assert (project / "base.py").read_text() == BASE
    assert (inner / "mine.py").read_text() == before
    assert "BC309 not fixed: its source does not show that `start` returns only `None`" in shown.out
    assert "BC309 not fixed: `stop` (from base.Shared) is not below" in shown.out


@pytest.mark.exhaustive
@pytest.mark.parametrize("is_installed", [False, True], ids=["search path", "installed"])
def test_other_roots(
    project: Path,
    run_main: Main,
    is_installed: bool,
    warm_cache: WarmCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A base in another root is fixed too, and so is a file that a link of the project names.

    Every check, also of copies, finds a filled cache.
    """
    warm_cache([project, project / "lib"])
    check, are_filled = Mypy.check, list[bool]()

    def watched_check(self: Mypy, request: CheckRequest) -> list[Diagnostic]:
        are_filled.append(request.cache.is_dir())
        return check(self, request)

    monkeypatch.setattr(Mypy, "check", watched_check)
    if is_installed:
        monkeypatch.syspath_prepend(project / "lib")
        monkeypatch.setenv("PYTHONPATH", str(project / "lib"))
    else:
        (project / "pyproject.toml").write_text('[tool.backend-contract]\nsearch-path = ["lib"]\n')
    (project / "lib").mkdir()
    base = (project / "base.py").rename(project / "lib/base.py")
    (project / "package").mkdir()
    (project / "package/__init__.py").touch()
    linked = project / "package/linked.py"
    linked.symlink_to("../lib/real.py")
    linked.write_text(BASE.replace("Shared", "Real").replace("SHARED", "REAL"))
    shown = run_main("check", "--fix", "backends.py:One", "package/linked.py")
    assert shown.status == 0, shown.out
    assert "lib/base.py:5: BC309 fixed: `stop`" in shown.out
    assert "lib/real.py:5: BC309 fixed: `stop`" in shown.out
    assert base.read_text() == BASE.replace("(self):", "(self) -> None:")
    assert linked.is_symlink()
    assert "    def stop(self) -> None:\n" in linked.read_text()
    assert len(are_filled) > 2
    assert all(are_filled)


@pytest.mark.exhaustive
def test_spared(project: Path, run_main: Main) -> None:
    """Neither expected violations nor clauses that are not selected are fixed, in any round."""
    (project / "pyproject.toml").write_text("""\
[[tool.backend-contract.expected-violations]]
target = "backends.py:Structural"
clause = "BC309"
reason = "later"
""")
    shown = run_main("check", "--fix", "--ignore=BC202", "backends.py:Structural")
    assert shown.status == 0, shown.out
    text = (project / "backends.py").read_text()
    assert "    def handle_runtime_context(\n" in text
    assert "    def register_config(self, config): raise" in text
    assert "    def start(self): self" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fix", "--select=BC9"], "select: 'BC9' matches no clause"),
        (["--fix", "--time-limit=3"], "--time-limit requires --run"),
        (["--unsafe-fixes"], "--unsafe-fixes requires --fix"),
        (["--diff"], "--diff requires --fix"),
        (["--fix", "--diff", "--output-format=json"], "omit --output-format"),
    ],
)
def test_options(project: Path, run_main: Main, options: list[str], message: str) -> None:
    """Wrong options, or some without the one that they need, are an error; nothing is fixed."""
    shown = run_main("check", "base.py", *options)
    assert shown.status == 2
    assert (project / "base.py").read_text() == BASE
    assert shown.err.startswith("backend-contract: error: ")
    assert message in shown.err


def test_without_libcst(project: Path, run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libcst, one line names the extra; a check needs none."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "libcst" else find_spec(name)
    )
    shown = run_main("check", "--fix", "base.py")
    assert (shown.status, shown.out) == (2, "")
    assert shown.err.count("\n") == 1
    assert "backend-contract[fix]" in shown.err


def test_libcst_is_not_loaded() -> None:
    """A check without ``--fix`` does not load libcst."""
    script = """
import sys
from backend_contract._conformance.cli.main import main
main(["check", "nowhere.py"])
assert "libcst" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.exhaustive
def test_read_only(project: Path, run_main: Main) -> None:
    """A file that cannot be written is one line, and nothing is lost."""
    (project / "base.py").chmod(0o444)
    shown = run_main("check", "--fix", "base.py", "backends.py:One")
    assert shown.status == 2
    assert shown.err.splitlines()[-1].startswith("backend-contract: error: ")
    assert "base.py: cannot be fixed: it is read-only" in shown.err
    assert (project / "base.py").read_text() == BASE
    assert (project / "backends.py").read_text() == UNCHECKED
