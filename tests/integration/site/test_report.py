"""The page of `check --output-format html` in a real browser, light and dark, wide and narrow."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from support import make_finding

from backend_contract._conformance.formats import render
from backend_contract._conformance.results import Outcome, Report, Verdict
from backend_contract.clauses import CLAUSES

BACKENDS, CLAUSE_COUNT = 30, 12

WIDE = "return document.documentElement.scrollWidth - innerWidth"
CELLS = """return Array.from(document.querySelectorAll('td a'), e => {
    const box = e.getBoundingClientRect(); return [box.width, box.height] })"""
TABLE_WIDTH = "return document.querySelector('table').getBoundingClientRect().width"
# The contrast of text and background of each kind of cell, as WCAG defines it.
CONTRASTS = """
const luminance = color => { const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b }
const page = getComputedStyle(document.body).backgroundColor
const back = e => { const c = getComputedStyle(e).backgroundColor
    return c === 'rgba(0, 0, 0, 0)' ? page : c }
return Array.from(document.querySelectorAll('td a, .badge, h1, .quiet, dt, dd'), e => {
    const [a, b] = [luminance(getComputedStyle(e).color), luminance(back(e))]
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) })"""
RESOURCES = "return performance.getEntriesByType('resource').map(e => e.name)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    verdicts = cycle([*Verdict, Verdict.OK, Verdict.OK])
    clauses = list(CLAUSES)[:CLAUSE_COUNT]
    reports = [
        Report(
            target=f"src/my_package/engine_{number}.py:TextGenerationBackend{number}",
            findings=tuple(make_finding(clause, next(verdicts)) for clause in clauses),
        )
        for number in range(BACKENDS)
    ]
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text("\n".join(render(Outcome(reports=reports), "html", color=False)))
    return file.as_uri()


def show(browser: webdriver.Chrome, url: str, width: int, scheme: str) -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get("about:blank")
    browser.get(url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_readable(browser: webdriver.Chrome, page: str, width: int, scheme: str) -> None:
    """All cells have a size to click on and enough contrast; the page itself does not scroll."""
    show(browser, page, width, scheme)
    cells = browser.execute_script(CELLS)
    assert len(cells) == BACKENDS * CLAUSE_COUNT
    assert all(min(size) >= 24 for size in cells)
    assert browser.execute_script(WIDE) <= 0
    assert min(browser.execute_script(CONTRASTS)) >= 4.5
    assert browser.execute_script(RESOURCES) == []
    if width == 1300:
        assert browser.execute_script(TABLE_WIDTH) < width
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(255, 255, 255)") is (scheme == "light")


def test_keyboard(browser: webdriver.Chrome, page: str) -> None:
    """A cell is reached by keyboard, shows its finding, and leads back."""
    show(browser, page, 1300, "light")
    cell = browser.find_element(By.ID, "cell-backend-3-bc201")
    assert cell.get_attribute("title")
    browser.execute_script("arguments[0].focus()", cell)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    finding = browser.find_element(By.CSS_SELECTOR, ":target")
    assert finding.get_attribute("id") == "backend-3-bc201"
    assert "BC201" in finding.text
    box = "return arguments[0].getBoundingClientRect().top"
    assert 0 <= browser.execute_script(box, finding) < 900
    back = finding.find_element(By.CSS_SELECTOR, "[aria-label='back to the table']")
    back.send_keys(Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, ":target").get_attribute(
        "id"
    ) == cell.get_attribute("id")


def test_without_scripts(page: str) -> None:
    """The page contains no script."""
    assert "<script" not in Path(page.removeprefix("file://")).read_text()
