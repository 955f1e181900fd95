"""The layout of the built site, by the bounding boxes of a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import pytest
from selenium import webdriver

DOCS = Path(__file__).parents[3] / "docs"
WIDTH = 1300

PAIRS = """return Array.from(document.querySelectorAll('.side-by-side'), pair =>
    Array.from(pair.children, e => e.querySelector('pre').getBoundingClientRect().toJSON()))"""
TEXTS = """return Array.from(document.querySelectorAll('.side-by-side'), pair =>
    Array.from(pair.children, e => e.innerText.split('\\n')[0]))"""
# Elements that are wider than the space they have: their ends are hidden behind a scroll bar.
CUT = """return Array.from(document.querySelectorAll('html, pre, .table-wrapper, .side-by-side'))
    .filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => `${e.tagName}: ${e.innerText.slice(0, 60)}`)"""
HEADINGS = """return Array.from(document.querySelectorAll('article h3'), heading =>
    [heading.parentElement.id, heading.firstChild.textContent,
     heading.parentElement.querySelectorAll('.side-by-side pre').length])"""


class Box(TypedDict):
    left: float
    right: float
    top: float
    width: float


def set_width(browser: webdriver.Chrome, width: int) -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def show(browser: webdriver.Chrome, url: str, width: int = WIDTH) -> None:
    set_width(browser, width)
    browser.get(url)
    assert browser.execute_script("return innerWidth") == width


def beside_each_other(first: Box, second: Box) -> bool:
    return first["width"] > 100 and first["right"] < second["left"] and second["width"] > 100


@pytest.mark.parametrize("page", ["contract", "caikit"])
def test_side_by_side(browser: webdriver.Chrome, address: str, page: str) -> None:
    """Both pieces of code of each pair are beside each other, as high as each other."""
    show(browser, f"{address}/{page}.html")
    pairs: list[tuple[Box, Box]] = browser.execute_script(PAIRS)
    assert pairs
    for first, second in pairs:
        assert beside_each_other(first, second)
        assert first["top"] == second["top"]


def test_narrow_screen(browser: webdriver.Chrome, address: str) -> None:
    """On a narrow screen the pairs are below each other."""
    show(browser, f"{address}/contract.html", width=500)
    pairs: list[tuple[Box, Box]] = browser.execute_script(PAIRS)
    assert not any(beside_each_other(first, second) for first, second in pairs)


def test_contract_sections(browser: webdriver.Chrome, address: str) -> None:
    """Each clause has a heading, its anchor at the heading, and its own two examples below."""
    show(browser, f"{address}/contract.html")
    headings = browser.execute_script(HEADINGS)
    assert len(headings) >= 28
    for anchor, title, examples in headings:
        assert (anchor, examples) == (title.lower(), 2)
    assert {tuple(pair) for pair in browser.execute_script(TEXTS)} == {
        ("Violates it:", "Keeps it:")
    }


def test_anchor(browser: webdriver.Chrome, address: str) -> None:
    """A link to a clause scrolls to its heading."""
    show(browser, f"{address}/contract.html#bc404")
    top = browser.execute_script(
        "document.documentElement.style.scrollBehavior = 'auto';"
        "document.getElementById('bc404').scrollIntoView();"
        "return document.querySelector('#bc404 > h3').getBoundingClientRect().top"
    )
    assert 0 <= top < 100
    assert browser.execute_script("return document.querySelector(':target').id") == "bc404"


@pytest.mark.parametrize("page", sorted(path.stem for path in DOCS.glob("*.md")))
def test_nothing_is_cut(browser: webdriver.Chrome, address: str, page: str) -> None:
    """Neither code nor a table is wider than its space."""
    show(browser, f"{address}/{page}.html")
    assert browser.execute_script(CUT) == []


def test_cut_code(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Code that is cut is found."""
    page = tmp_path / "page.html"
    page.write_text(
        f"<pre style='overflow: auto'>short</pre><pre style='overflow: auto'>{'x' * 999}"
    )
    show(browser, page.as_uri())
    assert browser.execute_script(CUT) == [f"PRE: {'x' * 60}"]
