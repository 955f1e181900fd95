"""Type checkers on direct_use.py: lines are compared, never wording."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "direct_use.py"


def mypy(path: Path, cwd: Path) -> set[int]:
    """What mypy --strict reports, without any configuration of this repository."""
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--output=json", str(path)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return {row["line"] for row in rows if row["severity"] == "error"}


def pyright(path: Path, cwd: Path) -> set[int]:
    """What pyright reports by default, as in an editor that nobody has configured."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pyright",
            "--outputjson",
            "--pythonpath",
            sys.executable,
            str(path),
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = json.loads(run.stdout)["generalDiagnostics"]
    return {row["range"]["start"]["line"] + 1 for row in rows if row["severity"] == "error"}


CHECKERS: dict[str, Callable[[Path, Path], set[int]]] = {"mypy": mypy, "pyright": pyright}


def marked_lines(checker: str) -> list[set[int]]:
    """The lines of which one each has to be reported: alone, or those of a tag together."""
    lines: dict[str, set[int]] = {}
    for number, line in enumerate(CORPUS.read_text().splitlines(), start=1):
        mark = re.search(r"  # E(\[\w+\])?((?: \w+)*)$", line)
        if mark is not None and checker not in mark[2].split():
            lines.setdefault(mark[1] or str(number), set()).add(number)
    return list(lines.values())


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_marked_line_is_reported_and_no_other(checker: str, tmp_path: Path) -> None:
    reported = CHECKERS[checker](CORPUS, tmp_path)
    marked = marked_lines(checker)
    assert [lines for lines in marked if not lines & reported] == []
    assert sorted(reported - set().union(*marked)) == []


def test_the_corpus_has_marks() -> None:
    assert len(marked_lines("no checker")) > 15
