"""Layers R and B for the command line: each target is imported in a process of its own.

This process imports no target. A target that ends its process, or never comes back, has broken the
clause that was being tried; the others are then tried in another process.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend_contract.clauses import CLAUSES
from backend_contract.conformance.child import as_document, as_finding
from backend_contract.conformance.contexts import NO_FORK_HANDLERS
from backend_contract.conformance.environment import Environment
from backend_contract.conformance.kit import DECIDED_BY
from backend_contract.conformance.targets import Target
from backend_contract.conformance.verdicts import Finding, Report, Verdict, combine

__all__ = ["check"]

SILENCE = 300.0
"""Seconds without an answer after which a process is taken to hang beyond its own help."""

# The package may not be installed where the target is: it is looked for there last.
_PROGRAM = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
sys.path.append({package!r})
from backend_contract.conformance.child import main
main()
"""


def check(target: Target, environment: Environment, run: bool, config: Path | None) -> Report:
    """What layer R says of ``target``, and with ``run`` layer B.

    ``config`` is a YAML file with the configuration that the class needs.
    """
    findings: dict[str, list[Finding]] = {}
    notes: list[str] = []
    while True:
        request = {
            "module": target.module,
            "qualname": target.qualname,
            "root": None if target.root is None else str(target.root),
            "run": run,
            "config": None if config is None else str(config.absolute()),
            "known": {clause: as_document(combine(found)) for clause, found in findings.items()},
        }
        trying = "its start"
        for answer in _answers(request, environment):
            if "trying" in answer:
                trying = answer["trying"]
            elif "finding" in answer:
                finding = as_finding(answer["finding"])
                findings.setdefault(finding.clause.id, []).append(finding)
            elif "note" in answer:
                notes.append(answer["note"])
            elif "error" in answer:
                return Report(target.text, error=f"{target.text}: {answer['error']}")
            elif "done" in answer:
                return _report(target, findings, notes)
            else:
                clause = CLAUSES.get(trying)
                if clause is None:
                    problem = f"{target.text}: {answer['ended']} during {trying}"
                    return Report(target.text, error=problem)
                found = f"{answer['ended']} while this was tried"
                path, line = target.source.module.path, target.source.node.lineno
                findings[clause.id] = [
                    Finding(clause, Verdict.VIOLATED, path, line, found, (), "B", DECIDED_BY)
                ]


def _report(target: Target, findings: dict[str, list[Finding]], notes: list[str]) -> Report:
    in_order = (findings[clause] for clause in CLAUSES if clause in findings)
    return Report(target.text, tuple(map(combine, in_order)), notes=tuple(notes))


def _answers(request: dict[str, Any], environment: Environment) -> Iterator[dict[str, Any]]:
    """What a process answers to ``request``, and at last how it ended if that was not its plan."""
    package = str(Path(__file__).parents[2])
    variables = dict([NO_FORK_HANDLERS]) | os.environ
    if not environment.is_this:
        variables.pop("PYTHONPATH", None)
        variables.pop("PYTHONHOME", None)
    process = subprocess.Popen(
        [environment.python, "-c", _PROGRAM.format(package=package)],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # so that what a target starts can be ended with it
    )
    try:
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        threading.Thread(target=_wait, args=(process, reader, lines), daemon=True).start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended before it was asked; how is said below
            process.stdin.write(json.dumps(request))
            process.stdin.close()
        while True:
            try:
                line = lines.get(timeout=SILENCE)
            except queue.Empty:
                yield {"ended": f"the process did not answer for {SILENCE:g} seconds"}
                return
            if line is None:
                yield {"ended": _how(process.wait())}
                return
            answer = json.loads(line)
            yield answer
            if "done" in answer or "error" in answer:
                return
    finally:
        _end_all(process)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)


def _wait(
    process: subprocess.Popen[str],
    reader: threading.Thread,
    lines: queue.SimpleQueue[str | None],
) -> None:
    """Say that there will be no more lines, also where a child of the target's keeps the pipe."""
    process.wait()
    reader.join(1)
    lines.put(None)


def _how(status: int) -> str:
    """How a process ended that was not to end yet."""
    if status < 0:
        return f"the process was ended by {signal.Signals(-status).name}"
    return f"the process exited with status {status}"


def _end_all(process: subprocess.Popen[str]) -> None:
    """End the process, and whatever it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # there is nobody left
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    with process:
        process.wait()
