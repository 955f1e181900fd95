"""The message of a failed test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.pytest_summary import failure_message
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES

CLAUSE = CLAUSES["BC303"]
FINDING = Finding(
    clause=CLAUSE,
    verdict=Verdict.VIOLATED,
    path=Path("mine.py"),
    line=7,
    found="is_started is True",
    because=("one\ntwo", "three"),
)


SAMPLE = {"address": "here"}
WITH_CONFIG = (
    "import aconfig\nconfig = aconfig.Config({config}, override_env_vars=False)\n"
    "make = lambda *given: Mine(*(given or (config,)))"
)


def script(name: str, config: dict[str, object] | None = None) -> str:
    """Return the code to run, without the lines that show the violation."""
    _, text = failure_message(FINDING, name, config).split("to reproduce it without the kit:\n\n")
    lines = [line.removeprefix("    ") for line in text.splitlines()]
    make, _, rest = "\n".join(lines).partition(BEHAVIOURS["BC303"].reproduce.rstrip())
    assert rest.strip() == ""
    return make.rstrip("\n")


def test_order() -> None:
    """A message has all parts, in order."""
    lines = failure_message(FINDING, "package.mine:Mine").splitlines()
    assert lines[0] == f"BC303 violated: {CLAUSE.text}"
    assert lines[1] == ""
    labels = [line.split()[0] for line in lines[2:] if line[:1].strip()]
    assert labels == ["expected", "found", "because", "at", "fix", "to"]
    assert "found     is_started is True" in lines
    place = lines.index("because   one")
    assert lines[place : place + 4] == [
        "because   one",
        "          two",
        "          three",
        "at        mine.py:7",
    ]


def test_empty_part() -> None:
    """An empty part has no line."""
    lines = failure_message(replace(FINDING, because=()), "package.mine:Mine").splitlines()
    assert not any(line.startswith("because") for line in lines)
    assert any(line.startswith("found") for line in lines)


@pytest.mark.parametrize(
    ("name", "config", "code"),
    [
        ("package.mine:Mine", None, "from package.mine import Mine\nmake = Mine"),
        (
            "package.mine:Mine",
            SAMPLE,
            f"from package.mine import Mine\n{WITH_CONFIG.format(config=SAMPLE)}",
        ),
        ("mine:Mine", {}, f"from mine import Mine\n{WITH_CONFIG.format(config={})}"),
        ("mine:Outer.Mine", None, "from mine import Outer\nmake = Outer.Mine"),
        (
            "mine:TestMine.make_backend",
            None,
            "from mine import TestMine\nsuite = TestMine()\nmake = suite.make_backend",
        ),
        (
            "mine:Outer.TestMine.make_backend",
            {"address": "here"},  # the suite passes it
            "from mine import Outer\nsuite = Outer.TestMine()\nmake = suite.make_backend",
        ),
        ("mine:make_backend", None, "from mine import make_backend\nmake = make_backend"),
        ("mine:Outer.made", None, "from mine import Outer\nmake = Outer.made"),
        ("mine:Outer.other", None, "from mine import Outer\nmake = Outer.other"),
        ("Mine:Mine", None, "from Mine import Mine\nmake = Mine"),
        ("mine:<lambda>", None, "make = ...  # <lambda>, of mine"),
        ("mine:test.<locals>.Mine", None, "make = ...  # test.<locals>.Mine, of mine"),
        ("__main__:Mine", None, "make = ...  # Mine, of __main__"),
    ],
)
def test_factory_code(name: str, config: dict[str, object] | None, code: str) -> None:
    """The reproduction creates the backend as the suite did."""
    assert script(name, config) == code


def test_config_without_literal() -> None:
    """A configuration that has no literal is left to the reader."""
    code = script("mine:Mine", {"path": Path("here")})
    assert "config = ...  # the config of the suite\n" in code


def test_fixtures() -> None:
    """The reproduction names the fixtures that a suite needs."""
    text = failure_message(FINDING, "mine:TestMine.make_backend", None, ["engine", "_connect"])
    assert "suite = TestMine()  # set what its fixtures set: engine, _connect" in text
