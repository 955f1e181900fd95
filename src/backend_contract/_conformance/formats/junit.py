"""The format ``junit``: JUnit XML, which CI systems show as results of tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from backend_contract._conformance.formats.common import (
    closing,
    details,
    label,
    location,
    printable,
    summarize,
)
from backend_contract._conformance.results import Finding, Outcome, Report, Verdict

_PLURALS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield one document: a suite per target, with a case per clause."""
    root = ET.Element("testsuites", name="backend-contract")
    for report in outcome.checked:
        _add_report(root, report, outcome)
    if outcome.not_checked:
        suite = ET.SubElement(root, "testsuite", name="not checked")
        for each in outcome.not_checked:
            case = _add_case(suite, f"{location(each)}: {each.name}")
            _add_result(case, "skipped" if outcome.lenient else "failure", each.because)
    if outcome.errors:
        suite = ET.SubElement(root, "testsuite", name="could not check")
        for target, problem in outcome.errors:
            _add_result(_add_case(suite, target or "the run"), "error", problem)
    suite = ET.SubElement(root, "testsuite", name="notes")
    ET.SubElement(suite, "system-out").text = "\n".join(map(printable, closing(outcome)))
    _count(root)
    ET.indent(root)
    # References instead of characters that are not ASCII: right in every encoding of the terminal.
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")


def _add_report(root: ET.Element, report: Report, outcome: Outcome) -> None:
    suite = ET.SubElement(root, "testsuite", name=printable(report.target))
    for finding in report.findings:
        case = _add_case(suite, f"{finding.clause.id}: {finding.clause.text}")
        kind = _kind(finding, outcome)
        if kind is not None:
            text = "\n".join(f"{name}: {printable(text)}" for name, text in details(finding))
            _add_result(case, kind, summarize(finding), label(finding), text)


def _kind(finding: Finding, outcome: Outcome) -> str | None:
    """Return the element for a finding; ``None`` if it is simply ok."""
    if outcome.is_failure(finding):
        return "failure"
    return None if finding.verdict is Verdict.OK else "skipped"


def _add_case(suite: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=suite.attrib["name"], name=printable(name))


def _add_result(
    case: ET.Element, kind: str, message: str, of_type: str = "", text: str | None = None
) -> None:
    result = ET.SubElement(case, kind, message=printable(message))
    result.set("type", of_type or str(case.get("classname")))
    result.text = text


def _count(root: ET.Element) -> None:
    """Add the numbers of cases and of their results to the suites and to *root*."""
    for element in (*root, root):
        counts = Counter(each.tag for each in element.iter())
        element.set("tests", str(counts["testcase"]))
        for kind, plural in _PLURALS.items():
            if element is not root or kind != "skipped":
                element.set(plural, str(counts[kind]))
