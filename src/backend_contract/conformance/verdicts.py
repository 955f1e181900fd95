"""What is said of a clause and a class, whichever layer looked."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import NamedTuple

from backend_contract.clauses import Clause
from backend_contract.errors import ContractError

__all__ = ["CouldNotCheckError", "Finding", "Report", "Verdict"]


class CouldNotCheckError(ContractError):
    """There is no verdict; the message says, in one line, why and what to do."""


class Verdict(enum.Enum):
    """The four things that can be said of one clause."""

    OK = "ok"
    VIOLATED = "violated"
    UNCHECKED = "unchecked"
    """Nothing was seen to be wrong, and nothing was shown to be right."""
    BLOCKED = "blocked"
    """Another clause has to hold first."""


class Finding(NamedTuple):
    """The verdict on one clause."""

    clause: Clause
    verdict: Verdict
    path: Path
    line: int
    found: str = ""
    """The member, as the source has it."""
    because: tuple[str, ...] = ()
    """What was said against it; why it is unchecked; the id of the clause that blocks it."""


class Report(NamedTuple):
    """What is to be said of one target: a finding a clause, or why there is none."""

    target: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None
