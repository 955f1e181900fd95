"""The process that imports a target: its answers to a request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import make_finding

import backend_contract
from backend_contract import LocalBackend
from backend_contract._conformance import kit
from backend_contract._conformance.behavioural.outcomes import StopTrial
from backend_contract._conformance.cli.sandbox import PROGRAM
from backend_contract._conformance.cli.sandbox_worker import (
    ANSWERS,
    REQUEST,
    answer,
    as_document,
    as_finding,
    import_named,
    member_of,
    read_configuration,
)
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

Answer = dict[str, Any]


def as_sent(finding: Finding) -> Answer:
    document: Answer = json.loads(json.dumps(as_document(finding)))
    return document


def test_finding_as_json() -> None:
    """A finding survives the way through JSON."""
    sent = make_finding("BC303", Verdict.BLOCKED, because=("BC101", "why"), layer="B")
    assert as_finding(as_sent(sent)) == sent


# The answers, in this process.


def answers_to(request: Answer) -> list[Answer]:
    told: list[Answer] = []
    answer(request, lambda **document: told.append(document))
    return told


def request(**changes: object) -> Answer:
    usual = {"module": "backend_contract.local", "qualname": "LocalBackend", "roots": []}
    options = {"config": None, "factory": None, "time_limit": 300, "exclusive": False}
    return {**usual, **options, "clauses": [*CLAUSES], "known": {}, "deadly": {}, **changes}


def test_no_aconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without aconfig, the error says how to install it, and nothing is imported."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CouldNotCheckError) as raised:
        answers_to(request(module="no_such_module"))
    assert "aconfig is not installed" in str(raised.value)
    assert f"{sys.executable} -m pip install alchemy-config" in str(raised.value)


def ok(clause: str) -> Finding:
    return make_finding(clause, Verdict.OK, layer="B", path=Path("/a.py"))


class Kit:
    """A kit for which every clause is ok."""

    made: list[Kit]

    could_not_start: str | None = None

    def __init__(
        self,
        subject: Any,
        known: Any,
        before_trial: Callable[[str], None],
        before_call: Callable[[str], None],
    ) -> None:
        self.subject, self.known = subject, known
        self.before_trial, self.before_call = before_trial, before_call
        self.notes: tuple[str, ...] = ("not yet complete",)
        self.made.append(self)

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *_: object) -> None:
        self.notes = ("lingers", "warns")

    def all_notes(self) -> tuple[str, ...]:
        return self.notes

    def backend_class(self) -> type:
        return LocalBackend

    def finding(self, clause: Any) -> Finding:
        self.before_trial(clause.id)
        if clause.id == "BC302":
            self.before_call("start()")
        return ok(clause.id)


def test_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unknown clause is announced and answered in turn; the notes come last, each once."""
    monkeypatch.setattr(kit, "Kit", Kit)
    Kit.made = []
    (tmp_path / "config.yaml").write_text("a: 1\n")
    known = replace(ok("BC303"), verdict=Verdict.VIOLATED)
    first, *rest = answers_to(
        request(config=str(tmp_path / "config.yaml"), known={"BC303": as_sent(known)})
    )
    assert first == {"trying": "its import"}
    expected: list[Answer] = []
    for clause in CLAUSES:
        if clause != "BC303":
            calls = [{"calling": "start()"}] if clause == "BC302" else []
            expected += [{"trying": clause}, *calls, {"finding": as_document(ok(clause))}]
    assert rest == [*expected, {"note": "lingers"}, {"note": "warns"}]
    (used,) = Kit.made
    assert used.known == {"BC303": known}
    assert used.subject.make is LocalBackend
    assert used.subject.config == {"a": 1}
    assert (used.subject.time_limit, used.subject.exclusive) == (300, False)
    assert used.subject.on_command_line


def test_deadly_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that is known to end the process is not called: its clause blocks the trial."""
    monkeypatch.setattr(kit, "Kit", Kit)
    Kit.made = []
    with pytest.raises(StopTrial) as ended:
        answers_to(request(deadly={"start": "BC302"}))
    assert (ended.value.verdict, ended.value.because) == (Verdict.BLOCKED, ("BC302",))
    assert {"calling": "start()"} in answers_to(request(deadly={"stop": "BC303"}))


def test_could_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that could not start is an error, after the findings."""
    monkeypatch.setattr(kit, "Kit", Kit)
    monkeypatch.setattr(Kit, "could_not_start", "no engine")
    Kit.made = []
    told: list[Answer] = []
    with pytest.raises(CouldNotCheckError, match="no engine"):
        answer(request(), lambda **document: told.append(document))
    assert sum("finding" in document for document in told) == len(CLAUSES)


@pytest.mark.parametrize(
    ("call", "member"),
    [
        ("start()", "start"),
        ("stop(), after start() was called twice,", "stop"),
        ("is_started, after start(),", "is_started"),
        ("start_lock()", "start_lock"),
        ("entering the lock in another thread, after the body raised,", "start_lock"),
        ("the lock, on leaving,", "start_lock"),
        ("creating a backend", "__init__"),
        ("handle_runtime_context(), called by several threads", "handle_runtime_context"),
        ("register_config(), for the second time,", "register_config"),
        ("backend_type", "backend_type"),
        ("making a request (grpc)", ""),
        ("restarting", ""),
        ("", ""),
    ],
)
def test_member_of(call: str, member: str) -> None:
    """The member is the first one that the description of a call names."""
    assert member_of(call) == member


def test_nested_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested class is found."""
    (tmp_path / "nested_target.py").write_text("class A:\n    class B:\n        class C: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    found: Any = import_named("nested_target", "A.B.C")
    assert found.__qualname__ == "A.B.C"
    monkeypatch.delitem(sys.modules, "nested_target")


@pytest.mark.parametrize(
    ("qualname", "message"),
    [
        ("__name__", "at run time it is 'backend_contract.local'; expected a class"),
        ("Mine", "it cannot be imported: AttributeError: module 'backend_contract.local' has no"),
        ("LocalBackend.no", "it cannot be imported: AttributeError: type object 'LocalBackend'"),
    ],
    ids=["not a class", "missing", "missing in a class"],
)
def test_missing_class(qualname: str, message: str) -> None:
    """A name that is not a class at run time is an error."""
    with pytest.raises(CouldNotCheckError) as raised:
        answers_to(request(qualname=qualname))
    assert str(raised.value).startswith(message)


def test_no_configuration() -> None:
    """Without a file, there is no configuration."""
    assert read_configuration(None) is None


@pytest.mark.parametrize(
    ("text", "config"), [("{}", {}), ("a: {1: 2}\nb: é", {"a": {1: 2}, "b": "é"})]
)
def test_configuration(tmp_path: Path, text: str, config: dict[str, object]) -> None:
    """The configuration is the content of the file."""
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    assert read_configuration(str(tmp_path / "c.yaml")) == config


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (b"{", "not valid YAML: while parsing a flow node expected the node content"),
        (b"a: \xff", "not valid YAML: 'utf-8' codec can't decode byte 0xff"),
        (b"", "got None"),
        (b"- a\n", "got ['a']"),
        (b"a: 1\n1: one\n", "got {'a': 1, 1: 'one'}"),
        (b"x" * 99, "got 'xxxxxxxxxxxx...xxxxx"),
    ],
    ids=["no file", "no YAML", "no text", "nothing", "list", "number", "long"],
)
def test_bad_configuration(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """A file that does not contain a mapping with string keys is an error on one short line."""
    file = tmp_path / "c.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CouldNotCheckError) as raised:
        read_configuration(str(file))
    message = str(raised.value)
    assert message.startswith(f"--backend-config {file}: ")
    assert problem in message
    assert "\n" not in message
    if problem.startswith("got"):
        assert "expected a mapping with string keys" in message
        assert len(message) < len(f"--backend-config {file}: ") + 130


# The whole process.


TOKEN = "a token"  # noqa: S105 - marks answers, and opens nothing


def run_worker(request: Answer, cwd: Path, **variables: str) -> tuple[int, list[Answer], str]:
    """Return the exit status, the answers, and the output."""
    package = str(Path(backend_contract.__file__).parents[1])
    directory = cwd / "exchange"
    directory.mkdir()
    (directory / REQUEST).write_text(json.dumps({**request, "token": TOKEN}))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(package=package), str(directory)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        timeout=120,
        check=False,
    )
    lines = (directory / ANSWERS).read_text().splitlines()
    answers = [json.loads(line.removeprefix(TOKEN)) for line in lines if line.startswith(TOKEN)]
    return done.returncode, answers, (done.stdout + done.stderr).decode()


PRINTS = """\
import os, sys, threading
print("printed", flush=True)
os.write(1, b"written\\n")
class Mine: ...
threading.Thread(target=threading.Event().wait, daemon=False).start()
"""


def test_output_of_target(tmp_path: Path) -> None:
    """The target may print and lie; its threads do not keep the process alive.

    The target comes from its root, and nothing is imported from the current directory.
    """
    for name in ("root", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "prints.py").write_text(PRINTS if name == "root" else "Mine = 1")
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    known = {clause: as_document(ok(clause)) for clause in CLAUSES}
    status, answers, rest = run_worker(
        request(module="prints", qualname="Mine", roots=[str(tmp_path / "root")], known=known),
        tmp_path,
        PYTHONPATH=str(tmp_path / "elsewhere"),
    )
    assert status == 0
    assert "printed" in rest
    assert "written" in rest
    assert answers[0] == {"trying": "its import"}
    assert {key for answer in answers[1:-1] for key in answer} <= {"note"}
    assert answers[-1] == {"done": True}


def test_early_end(tmp_path: Path) -> None:
    """A step is announced before it is tried."""
    (tmp_path / "ends.py").write_text("import os; os._exit(7)")
    asked = request(module="ends", qualname="Mine", roots=[str(tmp_path)])
    assert run_worker(asked, tmp_path)[:2] == (7, [{"trying": "its import"}])


def test_error(tmp_path: Path) -> None:
    """An error is an answer."""
    status, answers, _ = run_worker(request(qualname="__name__"), tmp_path)
    assert status == 0
    started, failed, done = answers
    assert (started, done) == ({"trying": "its import"}, {"done": True})
    assert "expected a class" in failed["error"]
