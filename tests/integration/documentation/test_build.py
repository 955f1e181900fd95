"""The built site: no warning, every clause under a heading, public names only."""

from __future__ import annotations

import html
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend_contract.clauses import CLAUSES

DOCS = Path(__file__).parents[3] / "docs"
PUBLIC_MODULES = (
    "backend_contract",
    "backend_contract.runtime_context",
    "backend_contract.testing",
    "backend_contract.integrations.grpc",
    "backend_contract.integrations.grpc_aio",
    "backend_contract.integrations.fastapi",
    "backend_contract.clauses",
)


def build(source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(source), str(output)],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("site")
    run = build(DOCS, output)
    assert (run.returncode, run.stderr) == (0, "")
    return output


def read(site: Path, page: str) -> str:
    return (site / page).read_text(encoding="utf-8")


def test_headings(site: Path) -> None:
    """Each clause has a heading, with its anchor at the heading and its own examples below."""
    page = read(site, "contract.html")
    sections = dict(re.findall(r'<section id="(bc\d+)">\n(<h3>.*?)</section>', page, re.DOTALL))
    assert list(sections) == [clause.lower() for clause in CLAUSES]
    for clause in CLAUSES.values():
        assert page.count(f'id="{clause.id.lower()}"') == 1
        section = sections[clause.id.lower()]
        assert section.startswith(f"<h3>{clause.id}<")
        code = [
            html.unescape(re.sub(r"<[^>]+>", "", text))
            for text in re.findall(r"<pre>(.*?)</pre>", section, re.DOTALL)
        ]
        assert code == [clause.bad, clause.good]


def test_contents(site: Path) -> None:
    """The table of contents has every clause, in order."""
    _, _, contents = read(site, "contract.html").partition('<div class="toc-tree">')
    found = re.findall(r'href="#(bc\d+)">(BC\d+)<', contents.partition("</aside>")[0])
    assert found == [(clause.lower(), clause) for clause in CLAUSES]


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_names(site: Path, module: str) -> None:
    """Each public name is documented under the name that users import."""
    ids = set(re.findall(r'id="(backend_contract\.[\w.]+)"', read(site, "api.html")))
    elsewhere = {  # documented once, where users import them first
        "backend_contract.runtime_context.RuntimeServerContextType",
        "backend_contract.testing.Clause",
        "backend_contract.integrations.grpc_aio.add_health",
    }
    names = {f"{module}.{name}" for name in importlib.import_module(module).__all__}
    assert names - elsewhere <= ids


def test_private_names(site: Path) -> None:
    """Neither text nor tooltips contain a private name, or the module that defines a name."""
    page = read(site, "api.html")
    shown = re.sub(r"<[^>]+>", "", page) + " ".join(re.findall(r'title="([^"]*)"', page))
    for hidden in (
        *("_conformance", "_NamedOnTheClass", "_from_", "~collections", "&lt;function"),
        *("backend_contract.base", "backend_contract.protocol", "backend_contract.registry"),
        *("backend_contract.local", "backend_contract.notification", "backend_contract.errors"),
    ):
        assert hidden not in shown
    assert "Bases: Backend, ABC" in re.sub(r"<[^>]+>", "", page)


def test_schema(site: Path) -> None:
    """The page of the command links to the JSON schema, which is part of the site."""
    (link,) = re.findall(r'href="([^"]*report-1\.schema\.json)"', read(site, "check.html"))
    assert '"title": "Report of backend-contract check' in (site / link).read_text()


def test_broken_link(tmp_path: Path) -> None:
    """A link to a clause that does not exist fails the build."""
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("conf.py", "api_pages.py", "contract.md"):
        shutil.copy(DOCS / name, source)
    shutil.copytree(DOCS / "_static", source / "_static")
    index = "# Here\n\n[a clause](contract.md#{})\n\n```{{toctree}}\ncontract\n```\n"
    (source / "index.md").write_text(index.format("bc501"))
    assert build(source, tmp_path / "right").returncode == 0
    (source / "index.md").write_text(index.format("bc999"))
    run = build(source, tmp_path / "wrong")
    assert run.returncode == 1
    assert "bc999" in run.stderr
