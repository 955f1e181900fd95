"""A start that is held in the middle of its work, and what can be done meanwhile."""

from __future__ import annotations

import threading
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

from backend_contract._conformance.behavioural.calls import WorkerCall, describe_exception
from backend_contract._conformance.behavioural.helpers import (
    answers,
    close_coroutine,
    enter_lock,
    must_stop,
    new_with_work,
)
from backend_contract._conformance.behavioural.outcomes import StopTrial, unchecked
from backend_contract._conformance.behavioural.trial import WINDOW, Trial, observed_once
from backend_contract._conformance.results import Verdict
from backend_contract.runtime_context import RuntimeServerContextType


@dataclass(frozen=True)
class HeldStart:
    """What was observed while ``start`` was held."""

    what: str
    answered: bool
    """Whether ``is_started`` returned."""
    was_started: bool
    """Whether it was ``True``."""
    took_context: bool
    """Whether ``handle_runtime_context`` returned or raised, if there is a context."""
    lets_in: bool
    """Whether another thread entered the lock, which the caller of ``start`` held."""


def held_if_possible(trial: Trial) -> list[HeldStart]:
    """Return what :func:`held_starts` does, or nothing if starts cannot be held."""
    if not trial.can_start:
        return []
    try:
        return held_starts(trial)
    except StopTrial as outcome:
        if outcome.verdict is Verdict.VIOLATED:
            raise
        return []


@observed_once
def held_starts(trial: Trial) -> list[HeldStart]:
    """Return what was observed on a first start and on one after a stop.

    Without the hook, the clause needs a suite.
    """
    gate = _Gate(trial)
    first = gate.hold("start()")
    if first is None:
        raise unchecked("start() returned without calling the function given to `during_start`")
    observed = [first]
    gate.tells = first.took_context
    # What has not answered once would be waited for in vain.
    if first.answered and not first.was_started and trial.holds("BC303"):
        must_stop(trial, gate.backend, "stop()")
        under_lock = trial.holds("BC403") and trial.holds("BC404")
        observed += filter(None, [gate.hold("start(), after stop(),", under_lock=under_lock)])
    return observed


class _Gate:
    """Holds the starts of a new backend."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.backend = new_with_work(trial, self._wait)
        self.tells = True
        """Whether the backend is told of a request while its start is held."""
        self._reached, self._go_on = threading.Event(), threading.Event()

    def _wait(self) -> None:
        """Wait, as a part of ``start``."""
        self._reached.set()
        self._go_on.wait()

    def hold(self, what: str, *, under_lock: bool = False) -> HeldStart | None:
        """Hold ``start()`` and observe; return ``None`` if it does not call the function."""
        trial = self._trial
        trial.make_room(self.backend)
        self._reached, self._go_on = threading.Event(), trial.event()
        with ExitStack() as stack:
            context = _any_context(trial, stack) if self.tells else None
            with trial.doing(f"{what} which never called the function of `during_start`,", "start"):
                start = trial.in_thread(partial(self._start, under_lock=under_lock), what)
                is_held = start.reaches(self._reached)
            observed = self._look(what, context, under_lock=under_lock) if is_held else None
            self._go_on.set()
            with trial.doing(what, "start"):
                _require_return(start, what)
                trial.run.note_start(self.backend)
        return observed

    def _start(self, *, under_lock: bool) -> None:
        with self.backend.start_lock() if under_lock else nullcontext():
            self.backend.start()

    def _look(
        self, what: str, context: RuntimeServerContextType | None, *, under_lock: bool
    ) -> HeldStart:
        backend = self.backend
        read = self._trial.in_thread(lambda: backend.is_started, f"is_started, during {what}")

        def tell() -> None:
            if context is not None:
                close_coroutine(backend.handle_runtime_context("a model", context))

        told = self._trial.in_thread(tell, f"handle_runtime_context(), during {what}")
        answered = answers(self._trial, read, f"is_started, during {what}")
        was_started = False
        if answered:
            with suppress(Exception):  # BC307 reports it
                was_started = read.result() is True
        took = answers(self._trial, told, f"handle_runtime_context(), during {what}")
        return HeldStart(
            what=what.rstrip(","),
            answered=answered,
            was_started=was_started,
            took_context=took,
            lets_in=under_lock and enter_lock(self._trial, backend).ended_within(WINDOW),
        )


def _any_context(trial: Trial, stack: ExitStack) -> RuntimeServerContextType | None:
    for kind in trial.kinds:
        with suppress(StopTrial):  # other clauses report it
            return stack.enter_context(trial.context(kind, trial.subject.metadata))
    return None


def _require_return(start: WorkerCall[None], what: str) -> None:
    """Require that start() returns. BC302 holds, so an exception is due to the hook."""
    try:
        start.result()
    except StopTrial:
        raise
    except (Exception, SystemExit) as error:
        raise unchecked(
            f"{what.rstrip(',')}, with `during_start`, raised {describe_exception(error)}"
        ) from error
