"""The entry point of the command loads mypy in the background if a check may need it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance import cli
from backend_contract._conformance.static.checkers import MYPY

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("arguments", "status", "preloaded"),
    [
        (["check", "nothing.py:Mine"], 2, True),
        (["check", "--no-cache", "nothing.py:Mine"], 2, True),
        (["check", "--checker=ty", "nothing.py:Mine"], 2, False),
        (["check", "--checker", "mypy", "nothing.py:Mine"], 2, False),
        (["clauses"], 0, False),
        (["explain", "BC101"], 0, False),
        (["explain", "check"], 2, False),
        ([], 2, False),
    ],
    ids=str,
)
def test_preloading(
    arguments: list[str], status: int, preloaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a check by the default checker loads mypy, and the status is that of the command."""
    blocks: list[str] = []

    @contextmanager
    def record() -> Iterator[None]:
        blocks.append("entered")
        yield
        blocks.append("left")

    monkeypatch.setattr(MYPY, "preloaded", record)
    monkeypatch.setattr(sys, "argv", ["backend-contract", *arguments])
    assert cli.run_command() == status
    assert blocks == (["entered", "left"] if preloaded else [])
