"""The process in which ``check --run`` imports a target and tries it, and its supervisor.

The supervisor starts the worker, and ends whatever is left of it, however either ends. The worker
reads one request from a file, and appends one JSON document per line to another: the clause that is
tried next, each call before it is made, and each finding as soon as it exists. If the target ends
the process, the parent knows what was being called, and keeps the earlier findings.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import io
import json
import os
import re
import reprlib
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from backend_contract._conformance.results import MEMBERS, Finding, Verdict
from backend_contract._conformance.source.parsing import MAX_SETTINGS, read_file
from backend_contract.clauses import CLAUSES, in_layer
from backend_contract.errors import CouldNotCheckError

REQUEST, ANSWERS, ENDED = "request.json", "answers", "ended"
"""The files by which a process and its parent talk: the last one has the status of the worker."""

_PLAIN = ("line", "found", "because", "advice", "layer", "checked_by")
"""The attributes of a finding that JSON has values for."""

_MEMBER_OF = {
    "creating a backend": "__init__",
    "the lock": "start_lock",
    **{name: name for name in MEMBERS},
}
_MEMBER = re.compile(rf"\b({'|'.join(_MEMBER_OF)})\b")


def member_of(call: str) -> str:
    """Return the member that the description of a call names first, or ``""``."""
    named = _MEMBER.search(call)
    return _MEMBER_OF[named[0]] if named else ""


def main() -> None:  # pragma: no cover - runs in processes that do not report coverage
    """Supervise a worker, or be one, as the arguments say: a directory, and the parent's id."""
    _, directory, *parent = sys.argv
    del sys.argv[1:]
    if parent:
        program = [sys.executable, *sys.orig_argv[1:3], directory]
        _supervise(program, Path(directory), int(parent[0]))
    else:
        _work(Path(directory))


def _supervise(
    worker: list[str], directory: Path, parent: int
) -> None:  # pragma: no cover - runs in another process
    """Run *worker* until it ends, *parent* does, or SIGTERM arrives; leave no process behind."""
    is_asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: is_asked.append(number))
    _adopt_orphans()
    process = subprocess.Popen(worker, start_new_session=True)
    while process.poll() is None and not is_asked and os.getppid() == parent:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    if process.returncode is not None and not is_asked:
        (directory / ENDED).write_text(str(process.returncode))
    _kill(process)
    if os.getppid() != parent:
        shutil.rmtree(directory, ignore_errors=True)


def _adopt_orphans() -> None:  # pragma: no cover - runs in another process
    """On Linux, become the parent of every descendant whose own parent ends."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _kill(process: subprocess.Popen[bytes]) -> None:  # pragma: no cover - in another process
    """Kill *process* and all its descendants, daemons too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(1000):
        for child in _children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            ended, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.01)


def _children() -> list[int]:  # pragma: no cover - runs in another process
    children: list[int] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            _, parent, *_ = file.read_text(errors="replace").rpartition(")")[2].split()
            if int(parent) == os.getpid():
                children.append(int(file.parent.name))
    return children


def _work(directory: Path) -> None:  # pragma: no cover - ends by os._exit
    faulthandler.enable(all_threads=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # nothing is lost if the process is killed
            stream.reconfigure(line_buffering=True)
    request = json.loads((directory / REQUEST).read_bytes())
    answers, process = directory / ANSWERS, os.getpid()

    def tell(**document: object) -> None:
        if os.getpid() != process:  # a target has forked
            return
        # It begins a line of its own, whatever else was written there.
        line = f"\n{request['token']}{json.dumps(document)}\n"
        try:
            # Opened anew each time: a target may close every descriptor.
            with answers.open("ab", buffering=0) as file:
                file.write(line.encode())
        except OSError:  # the parent reports this status
            os._exit(os.EX_IOERR)

    try:
        sys.path[:0] = request["roots"]
        answer(request, tell)
    except CouldNotCheckError as error:
        tell(error=str(error))
    except Exception as error:  # a fault of the kit, or of one that the target has broken
        traceback.print_exc()
        tell(error=f"the kit failed: {type(error).__name__}: {error}")
    with suppress(Exception):  # the target may have replaced it
        sys.stdout.flush()
    tell(done=True)
    os._exit(0)  # without waiting for threads of the target


def answer(request: Mapping[str, Any], tell: Callable[..., None]) -> None:
    """Import the target of *request*, try its clauses unless known, and *tell* the results.

    Raises :class:`CouldNotCheckError` if the target cannot be imported or configured, or if none
    could be started.
    """
    if importlib.util.find_spec("aconfig") is None:
        raise CouldNotCheckError(
            "backends receive an aconfig.Config, but aconfig is not installed; install it with: "
            f"{sys.executable} -m pip install alchemy-config"
        )
    tell(trying="its import")
    cls = import_named(request["module"], request["qualname"])
    if not isinstance(cls, type):
        raise CouldNotCheckError(f"at run time it is {cls!r}; expected a class")
    known = {clause: as_finding(document) for clause, document in request["known"].items()}

    from backend_contract._conformance.behavioural.outcomes import blocked
    from backend_contract._conformance.behavioural.run import Subject
    from backend_contract._conformance.kit import Kit

    subject = Subject(
        make=_factory_of(request["factory"]) or cls,
        config=read_configuration(request["config"]),
        time_limit=request["time_limit"],
        exclusive=request["exclusive"],
        on_command_line=True,
    )
    deadly: Mapping[str, str] = request["deadly"]

    def before_call(what: str) -> None:
        if (member := member_of(what)) in deadly:
            raise blocked(deadly[member])
        tell(calling=what)

    with Kit(subject, known, lambda clause: tell(trying=clause), before_call) as kit:
        _require_class(kit.backend_class(), cls, request["factory"])
        for clause in in_layer("B"):
            if clause.id in request["clauses"] and clause.id not in known:
                tell(finding=as_document(kit.finding(clause)))
    for note in kit.all_notes():
        tell(note=note)
    if kit.could_not_start is not None:
        raise CouldNotCheckError(kit.could_not_start)


def _factory_of(named: str | None) -> Callable[[], Any] | None:
    if named is None:
        return None
    module, _, qualname = named.partition(":")
    try:
        factory = import_named(module, qualname)
    except CouldNotCheckError as error:
        raise CouldNotCheckError(f"--factory {named}: {error}") from None
    if not callable(factory):
        raise CouldNotCheckError(f"--factory {named}: {factory!r} is not callable")
    return factory


def _require_class(made: type, cls: type, factory: str | None) -> None:
    """Require that a factory makes backends of the class that is checked."""
    if not issubclass(made, cls):
        raise CouldNotCheckError(
            f"--factory {factory}: it returns a {made.__qualname__}, expected a {cls.__qualname__}"
        )


def import_named(module: str, qualname: str) -> object:
    """Return what a module calls *qualname*, which may be nested.

    Raises :class:`CouldNotCheckError` if that fails.
    """
    try:
        found: object = importlib.import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except Exception as error:  # importing a module may raise anything
        from backend_contract._conformance.behavioural.calls import describe_exception

        raise CouldNotCheckError(f"it cannot be imported: {describe_exception(error)}") from None
    return found


def read_configuration(path: str | None) -> Mapping[str, Any] | None:
    """Return the content of a YAML file, or ``None`` without one.

    Raises :class:`CouldNotCheckError` if the content is not a mapping with string keys.
    """
    if path is None:
        return None
    import yaml

    try:
        content = read_file(Path(path), f"--backend-config {path}", MAX_SETTINGS)
        config: object = yaml.safe_load(content.decode("utf-8"))
    except RecursionError:
        raise CouldNotCheckError(f"--backend-config {path}: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise CouldNotCheckError(f"--backend-config {path}: not valid YAML: {problem}") from None
    shown = reprlib.repr(config)  # bounded: aliases of YAML may make a short file very long
    if isinstance(config, Mapping):
        mapping = cast("Mapping[object, Any]", config)
        if all(isinstance(key, str) for key in mapping):
            return cast("Mapping[str, Any]", mapping)
    raise CouldNotCheckError(
        f"--backend-config {path}: expected a mapping with string keys, got {shown:.80}"
    )


def as_document(finding: Finding) -> dict[str, Any]:
    """Return a finding as a JSON document."""
    return {
        **{name: getattr(finding, name) for name in _PLAIN},
        "clause": finding.clause.id,
        "verdict": finding.verdict.value,
        "path": str(finding.path),
    }


def as_finding(document: dict[str, Any]) -> Finding:
    """Return the finding that :func:`as_document` wrote."""
    objects: dict[str, Any] = {
        "clause": CLAUSES[document["clause"]],
        "verdict": Verdict(document["verdict"]),
        "path": Path(document["path"]),
        "because": tuple(document["because"]),
    }
    return Finding(**document | objects)
