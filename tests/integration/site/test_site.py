"""The built site: its links lead somewhere, and its pictures are shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from selenium import webdriver

DOCS = Path(__file__).parents[3] / "docs"

# Run in the page: every link as the browser resolves it, and every image that did not load.
LINKS = "return Array.from(document.querySelectorAll('a[href]'), a => a.href)"
BROKEN_IMAGES = """return Array.from(document.images)
    .filter(i => !i.complete || i.naturalWidth === 0).map(i => i.src)"""
IDS = "return Array.from(document.querySelectorAll('[id]'), e => e.id)"
ELSEWHERE = """return performance.getEntriesByType('resource')
    .map(e => e.name).filter(n => !n.startsWith(location.origin) && !n.startsWith('data:'))"""


def visit(browser: webdriver.Chrome, start: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Visit every page that can be reached; return the ids of each, and the pages of each link."""
    ids: dict[str, set[str]] = {}
    links: dict[str, set[str]] = {}
    waiting = [start]
    while waiting:
        page = waiting.pop()
        if page in ids:
            continue
        browser.get(page)
        ids[page] = set(browser.execute_script(IDS))
        if browser.execute_script("return document.contentType") != "text/html":
            continue
        for link in browser.execute_script(LINKS):
            links.setdefault(link, set()).add(page)
            target = urldefrag(link).url
            if target.startswith(start.rpartition("/")[0]) and target not in ids:
                waiting.append(target)
    return ids, links


def broken(ids: dict[str, set[str]], links: dict[str, set[str]], origin: str) -> list[str]:
    found = []
    for link, pages in links.items():
        target, anchor = urldefrag(link)
        if target.startswith(origin) and anchor and unquote(anchor) not in ids.get(target, set()):
            found.append(f"{link} (on {', '.join(sorted(pages))})")
    return found


def test_links(browser: webdriver.Chrome, address: str) -> None:
    """Every page can be reached, and every link and anchor resolves."""
    ids, links = visit(browser, f"{address}/index.html")
    pages = {page.rpartition("/")[2] for page in ids}
    assert {f"{path.stem}.html" for path in DOCS.glob("*.md")} <= pages
    assert broken(ids, links, address) == []
    log = browser.get_log("browser")
    errors = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    # A missing page, style or script; a file that is not HTML cannot name its icon.
    assert [error for error in errors if "/favicon.ico " not in error] == []


def test_broken_links(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """A missing anchor and a missing picture are found."""
    (tmp_path / "index.html").write_text(
        "<p id=here><a href='#here'>right</a> <a href='#gone'>wrong</a> "
        "<a href='other.html#gone'>wrong</a> <img src='gone.png'>"
    )
    (tmp_path / "other.html").write_text("<p id=here>")
    start = (tmp_path / "index.html").as_uri()
    ids, links = visit(browser, start)
    origin = start.rpartition("/")[0]
    assert sorted(link.split(" ")[0] for link in broken(ids, links, origin)) == [
        f"{start}#gone",
        f"{origin}/other.html#gone",
    ]
    browser.get(start)
    assert browser.execute_script(BROKEN_IMAGES) == [f"{origin}/gone.png"]


@pytest.mark.parametrize("page", sorted(path.stem for path in DOCS.glob("*.md")))
def test_resources(browser: webdriver.Chrome, address: str, page: str) -> None:
    """Every picture is shown, and nothing is loaded from another server."""
    browser.get(f"{address}/{page}.html")
    assert browser.execute_script(BROKEN_IMAGES) == []
    assert browser.execute_script(ELSEWHERE) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index", "lifecycle"])
def test_diagrams(browser: webdriver.Chrome, address: str, theme: str, page: str) -> None:
    """The diagrams have the color of the text."""
    browser.get(f"{address}/{page}.html")
    drawn, text, ground = browser.execute_script(
        f"document.body.dataset.theme = '{theme}';"
        "const of = (q, p) => getComputedStyle(document.querySelector(q))[p];"
        "return [of('.diagram svg text', 'fill'), of('article', 'color'),"
        " of('body', 'backgroundColor')]"
    )
    assert drawn == text != ground
