"""The built site in a real browser: what is linked is there, and what is shown has been loaded."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

SITE = Path(__file__).parents[3] / "docs/_build"

# In the page itself: every link as the browser resolves it, and every image that did not load.
LINKS = "return Array.from(document.querySelectorAll('a[href]'), a => a.href)"
BROKEN_IMAGES = """return Array.from(document.images)
    .filter(i => !i.complete || i.naturalWidth === 0).map(i => i.src)"""
IDS = "return Array.from(document.querySelectorAll('[id]'), e => e.id)"
ELSEWHERE = """return performance.getEntriesByType('resource')
    .map(e => e.name).filter(n => !n.startsWith(location.origin) && !n.startsWith('data:'))"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert (SITE / "index.html").is_file(), "build it first: nox -s docs"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for argument in (
        "--headless=new",
        "--no-sandbox",  # it runs as root in a container
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing but the loopback
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options, Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"))
    )
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def visit(browser: webdriver.Chrome, start: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """From ``start`` on, all pages: the ids of each, and for each link the pages that have it."""
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


def test_every_link_and_anchor_of_the_site_resolves(
    browser: webdriver.Chrome, address: str
) -> None:
    ids, links = visit(browser, f"{address}/index.html")
    pages = {page.rpartition("/")[2] for page in ids}
    sources = {path.name for path in (SITE.parent).glob("*.md")}
    assert {source.replace(".md", ".html") for source in sources} <= pages
    assert broken(ids, links, address) == []
    log = browser.get_log("browser")
    errors = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    # A page, a style or a script that is not there; but what is no page cannot name its icon.
    assert [error for error in errors if "/favicon.ico " not in error] == []


def test_every_picture_is_shown_and_nothing_is_loaded_from_elsewhere(
    browser: webdriver.Chrome, address: str
) -> None:
    for page in sorted(path.name for path in SITE.glob("*.html")):
        browser.get(f"{address}/{page}")
        assert browser.execute_script(BROKEN_IMAGES) == [], page
        assert browser.execute_script(ELSEWHERE) == [], page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_diagrams_have_the_colour_of_the_text(
    browser: webdriver.Chrome, address: str, theme: str
) -> None:
    for page in ("index.html", "lifecycle.html"):
        browser.get(f"{address}/{page}")
        drawn, text, ground = browser.execute_script(
            f"document.body.dataset.theme = '{theme}';"
            "const of = (q, p) => getComputedStyle(document.querySelector(q))[p];"
            "return [of('.diagram svg text', 'fill'), of('article', 'color'),"
            " of('body', 'backgroundColor')]"
        )
        assert drawn == text != ground


def test_a_link_to_nowhere_would_be_found(browser: webdriver.Chrome, tmp_path: Path) -> None:
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
