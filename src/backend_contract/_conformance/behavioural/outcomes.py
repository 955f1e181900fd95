"""How a trial ends: with the clause kept, or by an exception that carries another verdict."""

from __future__ import annotations

from backend_contract._conformance.results import Verdict


class StopTrial(Exception):  # noqa: N818 - an outcome, not an error
    """Raised to end a trial with a verdict other than ok."""

    def __init__(self, verdict: Verdict, found: str = "", *because: str, advice: str = "") -> None:
        super().__init__(verdict, found, *because)
        self.verdict = verdict
        self.found = found
        self.because = because
        self.advice = advice
        self.could_not_start = False
        """Whether no backend of the run could be started, for a reason that is not its fault."""
        self.skip: BaseException | None = None
        """The exception by which a hook of the author's skips the test."""


def violated(found: str, *because: str, advice: str = "") -> StopTrial:
    """Return the outcome that the clause is violated; *found* is what was observed.

    *advice* says how to fix it, if the fix of the clause does not.
    """
    return StopTrial(Verdict.VIOLATED, found, *because, advice=advice)


def unchecked(because: str) -> StopTrial:
    """Return the outcome that the clause could not be decided."""
    return StopTrial(Verdict.UNCHECKED, "", because)


def could_not_start(because: str, cause: str = "") -> StopTrial:
    """Return the outcome that no backend could be started here, which ends in an error.

    *cause* is what made the start fail in turn, if that is known.
    """
    outcome = unchecked(f"{because}, because of {cause}" if cause else because)
    outcome.could_not_start = True
    return outcome


def needs_a_suite(because: str) -> StopTrial:
    """Return the outcome that only a hook can show whether the clause holds."""
    return StopTrial(Verdict.NEEDS_A_SUITE, "", because)


def skipped(error: BaseException) -> StopTrial:
    """Return the outcome that a hook skips what it is needed for, by an exception."""
    outcome = needs_a_suite(str(error))
    outcome.skip = error
    return outcome


def needs_an_extra(because: str) -> StopTrial:
    """Return the outcome that a framework is missing that the clause is about."""
    return StopTrial(Verdict.NEEDS_AN_EXTRA, "", because)


def not_applicable(because: str) -> StopTrial:
    """Return the outcome that the backend or the platform lacks what the clause is about."""
    return StopTrial(Verdict.NOT_APPLICABLE, "", because)


def blocked(clause: str) -> StopTrial:
    """Return the outcome that *clause* has to hold first."""
    return StopTrial(Verdict.BLOCKED, "", clause)
