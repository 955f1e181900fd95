"""Layer B for the command: each target is imported and tried in a separate process.

This process imports no target. A target that ends its process, or hangs beyond recovery, violates
the clause that was being tried; the remaining clauses are tried in another process.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend_contract._conformance import interruption
from backend_contract._conformance.cli.sandbox_worker import as_document, as_finding
from backend_contract._conformance.kit import CHECKED_BY
from backend_contract._conformance.request_servers import NO_FORK_HANDLERS
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.targets import Target
from backend_contract.clauses import CLAUSES

__all__ = ["ask", "describe_exit", "try_target"]

SILENCE = 300.0
"""Seconds without an answer after which a process counts as hanging."""

DRAIN_TIME = 1.0
"""Seconds to read remaining answers after the process has ended."""

# Comes last in the path: the package may not be installed in the target's environment.
PROGRAM = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
sys.path.append({package!r})
from backend_contract._conformance.cli.sandbox_worker import main
main()
"""


def try_target(
    target: Target,
    environment: Environment,
    config: Path | None,
    clauses: Sequence[str] = tuple(CLAUSES),
) -> Report:
    """Return a report of layer B on *target*: on *clauses*, and on those that they require.

    *config* is a YAML file with the configuration that the class needs.
    """
    findings: dict[str, Finding] = {}
    notes: list[str] = []
    while True:
        request = {
            "module": target.module,
            "qualname": target.qualname,
            "roots": [str(root) for root in target.roots],
            "config": None if config is None else str(config.absolute()),
            "clauses": list(clauses),
            "known": {clause: as_document(finding) for clause, finding in findings.items()},
        }
        run = _Run(ask(request, environment))
        findings |= run.findings
        notes += run.notes
        if run.error is not None:
            return Report(target=target.text, error=f"{target.text}: {run.error}")
        if run.ended is None:
            in_order = tuple(findings[clause] for clause in CLAUSES if clause in findings)
            return Report(target=target.text, findings=in_order, notes=tuple(notes))
        if run.trying not in CLAUSES:
            error = f"{target.text}: {run.ended} during {run.trying}"
            return Report(target=target.text, error=error)
        findings[run.trying] = Finding(
            clause=CLAUSES[run.trying],
            verdict=Verdict.VIOLATED,
            path=target.source.module.path,
            line=target.source.node.lineno,
            found=f"{run.ended} while this was tried",
            layer="B",
            checked_by=CHECKED_BY,
        )


class _Run:
    """The answers of one process, sorted by kind."""

    def __init__(self, answers: Iterable[Mapping[str, Any]]) -> None:
        self.trying = "its start"
        self.findings: dict[str, Finding] = {}
        self.notes: list[str] = []
        self.error: str | None = None
        self.ended: str | None = None
        """How the process ended, if it ended early."""
        for answer in answers:
            match answer:
                case {"trying": step}:
                    self.trying = step
                case {"finding": document}:
                    finding = as_finding(document)
                    self.findings[finding.clause.id] = finding
                case {"note": note}:
                    self.notes.append(note)
                case {"error": error}:
                    self.error = error
                case {"ended": how}:
                    self.ended = how
                case _:  # done
                    pass


def ask(request: dict[str, Any], environment: Environment) -> Iterator[dict[str, Any]]:
    """Yield the answers of a process to *request*; the last one says how it ended, if early."""
    package = str(Path(__file__).parents[3])
    variables = dict([NO_FORK_HANDLERS]) | os.environ
    if not environment.is_this:
        variables.pop("PYTHONPATH", None)
        variables.pop("PYTHONHOME", None)
    process = interruption.start(
        [environment.python, "-c", PROGRAM.format(package=package)],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        threading.Thread(target=_wait, args=(process, reader, lines), daemon=True).start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # the process has ended already; reported below
            process.stdin.write(json.dumps(request))
            process.stdin.close()
        while True:
            try:
                line = lines.get(timeout=SILENCE)
            except queue.Empty:
                yield {"ended": f"the process did not answer for {SILENCE:g} seconds"}
                return
            if line is None:
                yield {"ended": describe_exit(process.wait())}
                return
            answer = json.loads(line)
            yield answer
            if "done" in answer or "error" in answer:
                return
    finally:
        interruption.terminate(process, with_orphans=True)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with suppress(ValueError):  # closed: the last answer has been read
        for line in process.stdout:
            lines.put(line)


def _wait(
    process: subprocess.Popen[str],
    reader: threading.Thread,
    lines: queue.SimpleQueue[str | None],
) -> None:
    """Mark the end of the lines, even if a child of the target keeps the pipe open."""
    process.wait()
    reader.join(DRAIN_TIME)
    lines.put(None)


def describe_exit(status: int) -> str:
    """Describe the end of a process with this return code."""
    if status < 0:
        named = -status in {each.value for each in signal.Signals}
        name = signal.Signals(-status).name if named else f"signal {-status}"  # a real-time one
        return f"the process was ended by {name}"
    return f"the process exited with status {status}"
