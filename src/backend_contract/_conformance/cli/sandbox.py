"""Layer B for the command: each target is imported and tried in a separate process.

This process imports no target. If a target ends its process, or hangs beyond recovery, the member
that was being called is to blame; the remaining clauses are tried in another process.

The processes share a directory and no pipe: nothing depends on descriptors, which a target may
close, write to or leave to its children.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend_contract._conformance import interruption
from backend_contract._conformance.behavioural.run import DEFAULT_TIME_LIMIT
from backend_contract._conformance.cli.sandbox_worker import (
    ANSWERS,
    ENDED,
    REQUEST,
    as_document,
    as_finding,
    member_of,
)
from backend_contract._conformance.kit import CHECKED_BY
from backend_contract._conformance.request_servers import NO_FORK_HANDLERS
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.members import location_of
from backend_contract._conformance.source.targets import Target
from backend_contract.clauses import CLAUSES

SILENCE = 60.0
"""Seconds beyond the time limit without an answer after which a process counts as hanging."""

KEPT = 64 * 1024
"""Bytes of the output of a target that are kept: the last ones."""

DEATHS = 3
"""Times that a member may end its process; after these it is not called any more."""

TICK = 0.05

_OUTPUT = "output"

# Comes last in the path: the package may not be installed in the target's environment.
PROGRAM = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
sys.path.append({package!r})
from backend_contract._conformance.cli.sandbox_worker import main
main()
"""

_CLAUSE_OF_MEMBER = {
    "__init__": "BC201",
    "register_config": "BC203",
    "start": "BC302",
    "stop": "BC303",
    "is_started": "BC307",
    "start_lock": "BC401",
    "handle_runtime_context": "BC502",
    "backend_type": "BC101",
}
"""The clause that a member violates if it ends its process whenever it is called."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of ``check --run``; see ``check_backend``."""

    config: Path | None = None
    """A YAML file with the configuration that the class needs."""
    factory: str | None = None
    """The function that creates the backends, as ``module:function``."""
    time_limit: float = DEFAULT_TIME_LIMIT
    exclusive: bool = False


def try_target(
    target: Target,
    environment: Environment,
    options: RunOptions,
    clauses: Sequence[str] = tuple(CLAUSES),
    on_step: Callable[[str], None] = lambda step: None,
) -> Report:
    """Return a report of layer B on *target*: on *clauses*, and on what a crash has shown.

    *on_step* receives what is tried, such as ``BC303, start 2``.
    """
    return _Trying(target, options, on_step).report(environment, clauses)


class _Trying:
    """The results for a target, over all processes in which it is tried."""

    def __init__(self, target: Target, options: RunOptions, on_step: Callable[[str], None]) -> None:
        self.target = target
        self.options = options
        self.on_step = on_step
        self.findings: dict[str, Finding] = {}
        self.notes: list[str] = []
        self.error: str | None = None
        self.printed = ""
        self.trying = ""
        self.calling = ""
        self.starts = 0
        self.deaths: Counter[str] = Counter()
        self.deadly: dict[str, str] = {}
        """Members that must not be called any more, with the clauses that they violate."""

    def report(self, environment: Environment, clauses: Sequence[str]) -> Report:
        while (ended := self._receive(ask(self._request(clauses), environment))) is not None:
            self._blame(ended)
            if self.error is not None:
                break
        in_order = tuple(self.findings[clause] for clause in CLAUSES if clause in self.findings)
        error = self.error and f"{self.target.text}: {self.error}"
        return Report(
            target=self.target.text,
            findings=in_order,
            error=error,
            notes=tuple(dict.fromkeys(self.notes)),
            printed=self.printed,
        )

    def _request(self, clauses: Sequence[str]) -> dict[str, Any]:
        options = self.options
        return {
            "module": self.target.module,
            "qualname": self.target.qualname,
            "roots": [str(root) for root in self.target.roots],
            "config": None if options.config is None else str(options.config.absolute()),
            "factory": options.factory,
            "time_limit": options.time_limit,
            "exclusive": options.exclusive,
            "clauses": list(clauses),
            "known": {clause: as_document(finding) for clause, finding in self.findings.items()},
            "deadly": self.deadly,
        }

    def _receive(self, answers: Iterable[Mapping[str, Any]]) -> str | None:
        """Note the answers of one process; return how it ended, if it ended early."""
        self.trying, self.calling = "its start", ""
        for answer in answers:
            match answer:
                case {"trying": step}:
                    self.trying, self.calling = step, ""
                    self._show_step()
                case {"calling": what}:
                    self._note_call(what)
                case {"finding": document}:
                    finding = as_finding(document)
                    self.findings[finding.clause.id] = finding
                case {"note": note}:
                    self.notes.append(note)
                case {"error": error}:
                    self.error = error
                case {"printed": text}:
                    self.printed = (self.printed + text)[-KEPT:]
                case {"ended": how}:
                    return str(how)
                case _:  # done
                    pass
        return None

    def _note_call(self, what: str) -> None:
        if what != self.calling and member_of(what) == "start":
            self.starts += 1
            self._show_step()
        self.calling = what

    def _show_step(self) -> None:
        self.on_step(self.trying + (f", start {self.starts}" if self.starts else ""))

    def _blame(self, ended: str) -> None:
        """Blame a member or a clause for the end of a process, so that the next one avoids it."""
        if self.trying not in CLAUSES:
            self.error = f"{ended} during {self.trying}"
            return
        member = member_of(self.calling)
        if member == "__init__" and self.options.factory is not None:
            self.error = f"{ended} in {self.options.factory}, while {self.trying} was tried"
        elif member:
            self._blame_member(member, ended)
        else:
            why = f"{ended} while this was tried, outside of the members of the backend"
            self._decide(self.trying, Verdict.UNCHECKED, because=(why,))

    def _blame_member(self, member: str, ended: str) -> None:
        self.deaths[member] += 1
        is_hopeless = self.deaths[member] >= DEATHS
        of_member = _CLAUSE_OF_MEMBER[member]
        holds = [f.clause.id for f in self.findings.values() if f.verdict is Verdict.OK]
        clause = blame(self.trying, self.calling, holds)
        if is_hopeless and member != "handle_runtime_context":
            clause = of_member
        if is_hopeless or clause == of_member:
            self.deadly[member] = clause
        found = f"{self.calling.rstrip(',')}: {ended}"
        self._decide(clause, Verdict.VIOLATED, found=found, member=member)
        if self.trying not in self.findings:
            self._decide(self.trying, Verdict.BLOCKED, because=(clause,))

    def _decide(
        self,
        clause: str,
        verdict: Verdict,
        *,
        found: str = "",
        because: tuple[str, ...] = (),
        member: str = "",
    ) -> None:
        path, line = location_of(self.target.source, member)
        self.findings[clause] = Finding(
            clause=CLAUSES[clause],
            verdict=verdict,
            path=path,
            line=line,
            found=found,
            because=because,
            advice="Raise an exception instead of ending or blocking the process." if found else "",
            layer="B",
            checked_by=CHECKED_BY,
        )


def blame(trying: str, calling: str, holds: Sequence[str]) -> str:
    """Return the clause that the end of a process violates.

    *trying* is the clause that was being tried, *calling* the call that was being made, and *holds*
    are the clauses that were shown to hold. The clause of the member is violated, unless it holds
    and the tried clause is about that member as well.
    """
    member = member_of(calling)
    clause = _CLAUSE_OF_MEMBER[member]
    is_about_it = member in CLAUSES[trying].members
    if is_about_it and (clause in holds or member == "handle_runtime_context"):
        return trying
    if member == "handle_runtime_context" and "http" in calling:
        return "BC503"
    is_stopped = re.search(r"on a (new|stopped) backend|not started", calling)
    return "BC305" if member == "stop" and is_stopped else clause


def ask(request: dict[str, Any], environment: Environment) -> Iterator[dict[str, Any]]:
    """Yield the answers of a process to *request*.

    The one before the last has what the process printed; the last one says how it ended, if early.
    """
    with interruption.temporary_directory() as directory:
        token = secrets.token_hex(8)
        (directory / REQUEST).write_text(json.dumps({**request, "token": token}))
        (directory / ANSWERS).touch()
        output = _Output(directory / _OUTPUT)
        process = _start(directory, environment, output)
        last: dict[str, Any] = {}
        try:
            silence = request.get("time_limit", DEFAULT_TIME_LIMIT) + SILENCE
            for last in _answers(process, directory, token, output, silence):
                if "error" not in last and "done" not in last and "ended" not in last:
                    yield last
        finally:
            interruption.terminate(process)
        yield {"printed": output.text()}
        yield last


def _start(directory: Path, environment: Environment, output: _Output) -> subprocess.Popen[str]:
    program = PROGRAM.format(package=str(Path(__file__).parents[3]))
    variables = dict([NO_FORK_HANDLERS]) | os.environ
    if not environment.is_this:
        variables.pop("PYTHONPATH", None)
        variables.pop("PYTHONHOME", None)
    with output.file.open("ab") as file:
        return interruption.start(
            [environment.python, "-c", program, str(directory), str(os.getpid())],
            supervises=True,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def _answers(
    process: subprocess.Popen[str],
    directory: Path,
    token: str,
    output: _Output,
    silence: float,
) -> Iterator[dict[str, Any]]:
    """Yield answers until one is the last, or the process has ended or is silent for too long."""
    pending = b""
    since = time.monotonic()
    with (directory / ANSWERS).open("rb") as file:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(TICK)
            has_ended = process.returncode is not None
            *lines, pending = (pending + file.read()).split(b"\n")
            for line in lines:
                # Anything else was not written by us.
                if line.startswith(token.encode()):
                    answer: dict[str, Any] = json.loads(line[len(token) :])
                    yield answer
                    if "done" in answer or "error" in answer:
                        return
                    since = time.monotonic()
            if has_ended:
                yield {"ended": describe_exit(_status_of(process, directory))}
                return
            if time.monotonic() - since > silence:
                how = f"the process did not answer for {silence:g} seconds"
                yield {"ended": f"{how}, {SILENCE:g} more than --time-limit"}
                return
            output.trim()


def _status_of(process: subprocess.Popen[str], directory: Path) -> int:
    """Return the status that the supervisor has noted, or its own if it was killed."""
    with suppress(OSError, ValueError):
        return int((directory / ENDED).read_text())
    return process.returncode


class _Output:
    """The file that receives what a target prints. Of a long one the end is kept."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._kept = b""
        file.touch()

    def trim(self) -> None:
        """Keep the end of the file in memory, and empty the file, if it is long."""
        if self.file.stat().st_size > KEPT:
            self._keep()
            os.truncate(self.file, 0)

    def _keep(self) -> None:
        with self.file.open("rb") as file:
            file.seek(max(self.file.stat().st_size - KEPT, 0))
            self._kept = (self._kept + file.read(KEPT))[-KEPT:]

    def text(self) -> str:
        self._keep()
        return self._kept.decode("utf-8", "replace")


def describe_exit(status: int) -> str:
    """Describe the end of a process with this return code."""
    if status < 0:
        named = -status in {each.value for each in signal.Signals}
        name = signal.Signals(-status).name if named else f"signal {-status}"  # a real-time one
        return f"the process was ended by {name}"
    return f"the process exited with status {status}"
