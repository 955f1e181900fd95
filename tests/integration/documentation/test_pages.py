"""The pages: their code runs, its types are right, and they are complete."""

from __future__ import annotations

import html
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from integration.documentation.pages import blocks, run_page, write_python

from backend_contract._conformance.formats import FORMATS
from backend_contract._conformance.results import Verdict

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
WITHOUT_CODE = {
    *("api.md", "checkers.md", "contract.md", "examples.md", "index.md", "names.md"),
    *("stability.md", "survey.md"),
}
WITH_CODE = [page.name for page in PAGES if page.name not in WITHOUT_CODE]
PUBLIC_MODULES = (
    "backend_contract",
    "backend_contract.runtime_context",
    "backend_contract.testing",
    "backend_contract.integrations.grpc",
    "backend_contract.integrations.grpc_aio",
    "backend_contract.integrations.fastapi",
    "backend_contract.clauses",
)


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", WITH_CODE)
def test_code(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the page runs, and prints the output that the page shows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    directory = tmp_path / "page"
    directory.mkdir()
    assert run_page(DOCS / page, directory) > 0


@pytest.mark.parametrize("page", sorted(WITHOUT_CODE - {"contract.md"}))
def test_no_code(page: str) -> None:
    """A page that is not run contains no code; that of the contract is tested as examples."""
    assert list(blocks(read(page))) == []


@pytest.mark.parametrize(
    "broken",
    [
        "```python\nassert 1 == 2\n```\n",
        "```python\nimport no_such_module\n```\n",
        "```{code-block} python\n:caption: mine.py\n\nclass Mine(:\n```\n",
        "```console\n$ backend-contract explain BC103\nsomething else\n```\n",
        "```console\n$ backend-contract explain BC103\n...\nsomething else\n```\n",
        "```console\n$ backend-contract explain BC103\n  BC103 violated\n...\n```\n",
        "```console\n$ backend-contract explain BC000\n```\n",
        "```console\n$ python -m pytest -q nowhere.py\n```\n",
        "```{code-block} diff\n:caption: right.py\n\n-absent\n+present\n```\n",
        "```console\n$ rm -r elsewhere\n```\n",
        "```console\noutput of nothing\n```\n",
        "```toml\n[half\n```\n",
        "```fortran\nEND\n```\n",
    ],
)
def test_broken_code(broken: str, tmp_path: Path) -> None:
    """A broken example is found, with its page and line."""
    page = tmp_path / "broken.md"
    (tmp_path / "right.py").touch()
    page.write_text("# A page\n\n```python\nright = 1\n```\n\n" + broken)
    with pytest.raises(AssertionError, match=r"^broken\.md:7: "):
        run_page(page, tmp_path)


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def mypy_strict(files: list[str], directory: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={cache}", *files],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


UNTYPED_PAGES = {
    *("caikit.md", "caikit-runtime.md"),  # need Caikit, which is not installed here
    "check.md",  # shows a violation
    "fixing.md",  # shows what annotations are missing
}
UNTYPED_FILES = {
    "late.py",  # shows a violation
    # The types of a call are unknown without generated code.
    *("over_grpc.py", "over_grpc_aio.py", "authenticated.py"),
}


@pytest.mark.parametrize("page", [page for page in WITH_CODE if page not in UNTYPED_PAGES])
def test_types(page: str, tmp_path: Path, mypy_cache: Path) -> None:
    """The code of the page passes mypy --strict."""
    files = [name for name in write_python(DOCS / page, tmp_path) if name not in UNTYPED_FILES]
    run = mypy_strict(files, tmp_path, mypy_cache)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


def test_wrong_types(tmp_path: Path, mypy_cache: Path) -> None:
    """Code that does not pass mypy --strict is found."""
    page = tmp_path / "page.md"
    page.write_text("```{code-block} python\n:caption: mine.py\n\ndef answer(text): ...\n```\n")
    files = write_python(page, tmp_path)
    assert files == ["mine.py"]
    run = mypy_strict(files, tmp_path, mypy_cache)
    assert run.returncode == 1
    assert "[no-untyped-def]" in run.stdout


def test_contract_page() -> None:
    """The page of the contract is up to date; otherwise run `python docs/contract_pages.py`."""
    assert read("contract.md") == runpy.run_path(str(DOCS / "contract_pages.py"))["contract_page"]()


def check(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend_contract", "check", *arguments],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def test_options(tmp_path: Path) -> None:
    """The page of the command has a row for each option, format and verdict."""
    page = read("check.md")
    options = set(re.findall(r"(?<![\w-])--[\w-]+", check("--help", directory=tmp_path).stdout))
    assert {"--checker", "--no-lenient"} < options
    for option in options - {"--help"}:
        assert re.search(rf"^\| .*`{option}\b", page, re.MULTILINE), option
    for name in FORMATS:
        assert f"\n| `{name}` |" in page
    for verdict in Verdict:
        assert f"\n| *{verdict.value}* |" in page


def test_settings(tmp_path: Path) -> None:
    """The page of the command has a row for each setting."""
    (tmp_path / "pyproject.toml").write_text("[tool.backend-contract]\nunknown = 1\n")
    error = check(directory=tmp_path).stderr
    keys = error.partition("expected one of ")[2].strip().split(", ")
    assert "targets" in keys
    for key in keys:
        assert f"\n| `{key}` |" in read("check.md")


@pytest.mark.parametrize(
    ("shown", "target"),
    [
        ("`mine.py: No such file or directory`", "mine.py:MineBackend"),
        ("`no class 'MineBackend'`", "there/mine.py:MineBackend"),
        ("`put one colon before the class`", "mine.py::MineBackend"),
        ("`no targets`", ""),
        ("*not checked*", "there"),
    ],
)
def test_symptoms(shown: str, target: str, tmp_path: Path) -> None:
    """The first page explains messages of the command that it prints."""
    (tmp_path / "there").mkdir()
    structural = next(block.text for block in blocks(read("structural.md")))
    (tmp_path / "there/mine.py").write_text(structural)
    run = check(*filter(None, [target]), directory=tmp_path)
    assert shown in read("start.md").partition("## If something else happens")[2]
    assert shown.strip("`*") in run.stdout + run.stderr


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_names(module: str) -> None:
    """The page of names has each public name, below its module."""
    _, _, section = read("names.md").partition(f"| **`{module}`** | |\n")
    listed = set(re.findall(r"`(\w+)`", re.split(r"\| \*\*", section)[0]))
    assert set(importlib.import_module(module).__all__) <= listed


def test_extras() -> None:
    """Every extra that a page installs is declared."""
    declared = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES:
        for extras in re.findall(r"backend-contract\[([\w,]+)\]", page.read_text(encoding="utf-8")):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[$", declared, re.MULTILINE), (page.name, extra)


def test_picture() -> None:
    """The picture of a report shows the output of the example of the page of the command."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", read("report.svg")))
    (example,) = [
        block.text for block in blocks(read("check.md")) if "check greeter.py" in block.text
    ]
    assert " ".join(example.split()) in " ".join(text.split())
    loaded = re.findall(r"(?:href|src)=\"([^\"]*)|url\(([^)]*)", read("report.svg"))
    assert loaded
    assert all("".join(address).startswith("#") for address in loaded)
