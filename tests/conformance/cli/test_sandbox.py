"""`check --runtime` and `check --run`: targets that are imported, in a process of their own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend_contract._conformance.cli import sandbox as runtime
from backend_contract._conformance.results import Report
from backend_contract._conformance.source.environment import environment_of, this_environment
from backend_contract._conformance.source.targets import Target, find_targets

Check = Callable[..., Report]
Command = Callable[..., "subprocess.CompletedProcess[str]"]

HEAD = "import os, sys\nfrom backend_contract import LocalBackend\n\nclass Mine(LocalBackend):\n"


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Inspect a class with this body, and try it unless it is only to be inspected."""

    def run(body: str, *, run: bool = True, config: str | None = None, head: str = HEAD) -> Report:
        (tmp_path / "mine.py").write_text(head + body)
        file = None
        if config is not None:
            file = tmp_path / "config.yaml"
            file.write_text(config)
        environment = this_environment()
        (target,) = find_targets([f"{tmp_path}/mine.py:Mine"], environment, tmp_path)
        assert isinstance(target, Target)
        return runtime.check(target, environment, run, file)

    return run


def has_ended(process: int) -> bool:
    """Whether it is gone, or goes soon: what is killed is so a moment later."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)


def verdicts(report: Report) -> dict[str, str]:
    return {finding.clause.id: finding.verdict.value for finding in report.findings}


def violated(report: Report) -> dict[str, str]:
    """What was found, of each clause that is violated."""
    assert report.error is None
    return {f.clause.id: f.found for f in report.findings if f.verdict.value == "violated"}


WRONG_AT_RUN_TIME = """\
    async def _start(self) -> None: ...
    vars()["st" + "art"] = _start
"""


def document_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_what_no_checker_sees_is_found_by_inspection(tmp_path: Path, command: Command) -> None:
    (tmp_path / "mine.py").write_text(HEAD + WRONG_AT_RUN_TIME)
    assert command("check", "mine.py:Mine").returncode == 0
    done = command("check", "mine.py:Mine", "--runtime", "--output-format", "json")
    assert done.returncode == 1
    (report,) = document_of(done)["reports"]
    (wrong,) = (f for f in report["findings"] if f["verdict"] == "violated")
    assert wrong["clause"] == "BC309"
    assert {part["layer"]: part["verdict"] for part in wrong["parts"]} == {
        "S": "ok",
        "R": "violated",
    }


def test_a_target_is_imported_only_where_that_is_asked_for(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "mine.py").write_text(f"open('imported', 'w').close()\n{HEAD}    pass\n")
    command("check", "mine.py:Mine")
    assert not (tmp_path / "imported").exists()
    done = command("check", "mine.py:Mine", "--runtime")
    assert (tmp_path / "imported").exists()
    assert "layer R, by inspection of the imported class" in done.stdout


def test_the_command_says_what_running_it_has_shown(tmp_path: Path, command: Command) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}    def stop(self) -> None:\n        print('{{')\n")
    done = command("check", "mine.py:Mine", "--run", "--output-format", "json")
    assert done.returncode == 1
    (report,) = document_of(done)["reports"]  # what it prints is not in there
    found = {f["clause"]: f["found"] for f in report["findings"] if f["verdict"] == "violated"}
    assert found == {"BC303": "is_started is True after stop() returned"}


FIXED_AND_LINGERING = """\
    def register_config(self, config) -> None:
        raise NotImplementedError

    def start(self) -> None:
        import threading
        wait = threading.Event().wait
        threading.Thread(target=wait, name="a lingerer", daemon=False).start()
        super().start()
"""


def test_what_does_not_apply_and_what_lingers_are_shown_in_every_format(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "mine.py").write_text(HEAD + FIXED_AND_LINGERING)
    arguments = ("check", "mine.py:Mine", "--run")
    full = command(*arguments)
    assert full.returncode == 0
    shown = " ".join(full.stdout.split())
    assert "BC204 not applicable" in shown
    assert "register_config raises NotImplementedError" in shown
    assert "note: still running: thread 'a lingerer'" in shown
    (report,) = document_of(command(*arguments, "--output-format", "json"))["reports"]
    assert any("a lingerer" in note for note in report["notes"])
    concise = command(*arguments, "--output-format", "concise").stdout
    assert "BC204 not applicable: register_config raises NotImplementedError" in concise


def test_inspection_alone_makes_no_instance(check: Check) -> None:
    report = check("    def __init__(self, config=None): os._exit(1)\n", run=False)
    assert report.error is None
    assert set(verdicts(report)) == {
        f.clause.id for f in report.findings if "R" in f.clause.layers and f.layer == "R"
    }


def test_a_clause_that_needs_a_broken_one_is_blocked(check: Check) -> None:
    report = check("    def stop(self) -> None: ...\n")
    assert list(violated(report)) == ["BC303"]
    assert verdicts(report)["BC306"] == "blocked"
    assert verdicts(report)["BC302"] == "ok"


def test_a_target_that_keeps_everything_passes(check: Check) -> None:
    report = check("    pass\n")
    assert violated(report) == {}
    undecided = {clause for clause, verdict in verdicts(report).items() if verdict != "ok"}
    assert {"BC308", "BC405"} <= undecided  # each needs a hook, which a command line has none for


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(3)", "exited with status 3"),
        ("os.abort()", "was ended by SIGABRT"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ],
)
def test_a_backend_that_ends_its_process_is_reported_and_not_followed(
    check: Check, end: str, how: str
) -> None:
    body = f"""\
    def start(self) -> None:
        if self.is_started:
            {end}
        super().start()
"""
    report = check(body)
    assert violated(report) == {"BC304": f"the process {how} while this was tried"}
    assert verdicts(report)["BC403"] == "ok"  # the run has gone on


def test_what_a_backend_prints_and_reads_is_kept_apart(
    check: Check, capfd: pytest.CaptureFixture[str]
) -> None:
    body = """\
    def start(self) -> None:
        print('{"finding": "no"}', flush=True)
        assert sys.stdin.read() == ""
        super().start()
"""
    assert violated(check(body)) == {}
    captured = capfd.readouterr()
    assert '{"finding": "no"}' in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("first_line", "says"),
    [
        ("raise RuntimeError('not today')", "it cannot be imported: RuntimeError: not today"),
        ("import sys; sys.exit(7)", "the process exited with status 7 during its import"),
        ("import os; os._exit(7)", "the process exited with status 7 during its import"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_an_error_of_its_own(
    check: Check, first_line: str, says: str
) -> None:
    error = check("    pass\n", run=False, head=f"{first_line}\n{HEAD}").error
    assert error is not None
    assert "mine.py:Mine: " in error
    assert says in error


NEEDS = """\
    def start(self) -> None:
        self.address = self.config["connection"]["address"]
        super().start()
"""


def test_a_backend_is_given_the_configuration_it_needs(check: Check) -> None:
    assert "BC302" in violated(check(NEEDS))
    assert violated(check(NEEDS, config="connection:\n  address: here\n")) == {}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("- a list\n", "expected a mapping"),
        ("1: one\n", "keys that are text"),
        ("", "expected a mapping"),
        ("{", "no YAML"),
    ],
)
def test_a_configuration_that_is_none_is_refused(check: Check, config: str, says: str) -> None:
    error = check(NEEDS, config=config).error
    assert error is not None
    assert "config.yaml" in error
    assert says in error


@pytest.mark.parametrize(
    "child",
    [
        'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid',
        "os.fork() or os.getpid()",
    ],
    ids=["spawns", "forks"],
)
def test_what_a_target_starts_does_not_outlive_the_check(
    check: Check, tmp_path: Path, child: str
) -> None:
    body = f"""\
    def start(self) -> None:
        import subprocess
        child = {child}
        with open(os.path.dirname(__file__) + "/children", "a") as file:
            print(child, file=file)
        super().start()
"""
    assert violated(check(body)) == {}
    children = [int(line) for line in (tmp_path / "children").read_text().splitlines()]
    assert children
    assert [child for child in children if not has_ended(child)] == []


def test_the_interpreter_of_another_environment_imports_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}    pass\n")
    environment = environment_of(sys.executable)
    (target,) = find_targets([f"{tmp_path}/mine.py:Mine"], environment, tmp_path)
    assert isinstance(target, Target)
    missing = environment._replace(python=str(tmp_path / "no-python"))
    assert violated(runtime.check(target, environment, False, None)) == {}
    with pytest.raises(FileNotFoundError):
        runtime.check(target, missing, False, None)


def test_a_configuration_that_nobody_would_read_is_refused(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}    pass\n")
    done = command("check", "mine.py:Mine", "--config", "config.yaml")
    assert done.returncode == 2
    assert "--config is for --run" in done.stderr
