from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environments.documentation.pages import blocks, run_page

from backend_contract.clauses import CLAUSES

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
WITHOUT_CODE = {"index.md", "api.md", "checkers.md", "contract.md", "examples.md", "stability.md"}


@pytest.mark.parametrize("page", [page.name for page in PAGES if page.name not in WITHOUT_CODE])
def test_the_code_of_a_page_does_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "page"
    place.mkdir()
    assert run_page(DOCS / page, place) > 0


@pytest.mark.parametrize("page", sorted(WITHOUT_CODE))
def test_a_page_that_is_said_to_have_no_code_has_none(page: str) -> None:
    assert list(blocks((DOCS / page).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "broken",
    [
        "```python\nassert 1 == 2\n```\n",
        "```python\nimport no_such_module\n```\n",
        "```{code-block} python\n:caption: mine.py\n\nclass Mine(:\n```\n",
        "```console\n$ backend-contract explain BC103\nsomething else\n```\n",
        "```console\n$ backend-contract explain BC000\n```\n",
        "```console\n$ rm -r elsewhere\n```\n",
        "```console\noutput of nothing\n```\n",
        "```toml\n[half\n```\n",
        "```fortran\nEND\n```\n",
    ],
)
def test_a_broken_example_is_found_with_its_line(broken: str, tmp_path: Path) -> None:
    page = tmp_path / "broken.md"
    page.write_text("# A page\n\n```python\nright = 1\n```\n\n" + broken)
    with pytest.raises(AssertionError, match=r"^broken\.md:7: "):
        run_page(page, tmp_path)


def test_every_extra_that_a_page_installs_is_declared() -> None:
    declared = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES:
        for extra in re.findall(r"backend-contract\[(\w+)\]", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{extra} = \[$", declared, re.MULTILINE), (page.name, extra)


def test_the_picture_shows_what_check_prints() -> None:
    text = re.sub(r"<[^>]+>|&#160;", " ", (DOCS / "report.svg").read_text(encoding="utf-8"))
    shown = " ".join(text.split())
    assert "2 violated (layer S, by mypy" in shown
    for verdict in ("BC309 violated", "BC501 violated", "BC401 ok"):
        assert verdict in shown
    assert "http" not in text.replace("http://www.w3.org/", "")  # it loads nothing


def build(source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(source), str(output)],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def test_the_site_has_an_anchor_for_every_clause_and_is_built_without_a_warning(
    tmp_path: Path,
) -> None:
    run = build(DOCS, tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    contract = (tmp_path / "contract.html").read_text(encoding="utf-8")
    for clause in CLAUSES.values():
        assert f'id="{clause.id.lower()}"' in contract


def test_a_link_to_a_clause_that_is_not_there_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("conf.py", "contract_pages.py", "contract.md"):
        shutil.copy(DOCS / name, source)
    shutil.copytree(DOCS / "_static", source / "_static")
    index = "# Here\n\n[a clause](contract.md#{})\n\n```{{toctree}}\ncontract\n```\n"
    (source / "index.md").write_text(index.format("bc501"))
    assert build(source, tmp_path / "right").returncode == 0
    (source / "index.md").write_text(index.format("bc999"))
    run = build(source, tmp_path / "wrong")
    assert run.returncode == 1
    assert "bc999" in run.stderr
