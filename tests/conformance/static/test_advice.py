"""Advice on findings: how to fix a mistake, and which annotation to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.source.support import source_of
from support import make_finding

from backend_contract._conformance.results import Finding, Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.static.advice import advise, block_constructor, is_missing

HEAD = """\
from __future__ import annotations
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
import aconfig
from backend_contract import BackendBase, LocalBackend, RuntimeServerContextType
"""

Mistake = tuple[str, str, str, str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassWriter:
    monkeypatch.chdir(tmp_path)
    return ClassWriter(tmp_path)


class ClassWriter:
    """Writes a module with one class, and reads it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, body: str, base: str = "LocalBackend", head: str = HEAD) -> ClassSource:
        text = f"{head}class MyBackend({base}):\n    {body}\n"
        (self._directory / "mine.py").write_text(text)
        return source_of("mine.py:MyBackend")


VIOLATED: dict[str, Mistake] = {
    "async": (
        "BC309",
        "start",
        "async def start(self) -> None: ...",
        "Remove `async` from `start`.",
    ),
    "result": (
        "BC309",
        "stop",
        "def stop(self) -> bool: ...",
        "Return nothing from `stop`: `-> None`.",
    ),
    "parameter": (
        "BC309",
        "start",
        "def start(self, port: int) -> None: ...",
        "Give `port` of `start` a default, or remove it.",
    ),
    "keyword": (
        "BC309",
        "start",
        "def start(self, *, port: int, more: int = 1) -> None: ...",
        "Give `port` of `start` a default, or remove it.",
    ),
    "static": (
        "BC309",
        "start",
        "@staticmethod\n    def start(self: int) -> None: ...",
        "Give `self` of `start` a default, or remove it.",
    ),
    "property": (
        "BC309",
        "start",
        "@property\n    def start(self) -> None: ...",
        "Remove `@property` from `start`, which is called.",
    ),
    "attribute": (
        "BC309",
        "start",
        "start = 3",
        "Define it as a method: `def start(self) -> None`.",
    ),
    "no configuration": (
        "BC201",
        "__init__",
        "def __init__(self) -> None: ...",
        "Let `__init__` take a configuration by position: `def __init__(self, config: ",
    ),
    "configuration by keyword": (
        "BC201",
        "__init__",
        "def __init__(self, *, config: aconfig.Config | None = None) -> None: ...",
        "Remove the `*` from `__init__`",
    ),
    "required configuration": (
        "BC201",
        "__init__",
        "def __init__(self, config: aconfig.Config) -> None: ...",
        "Give `config` the default `None`.",
    ),
    "required parameters": (
        "BC201",
        "__init__",
        "def __init__(self, config: Any, port: int, more: int = 1, *, x: int) -> None: ...",
        (
            "Give `config` the default `None`. Give `port` of `__init__` a default, or remove it. "
            "Give `x` of `__init__` a default, or remove it."
        ),
    ),
    "type of the configuration": (
        "BC201",
        "__init__",
        "def __init__(self, config: int = 3) -> None: ...",
        "Annotate `config: aconfig.Config | None`.",
    ),
    "not optional": (
        "BC201",
        "__init__",
        "def __init__(self, config: dict = {}) -> None: ...",
        "Annotate `config: aconfig.Config | None`.",
    ),
    "nothing to register": (
        "BC202",
        "register_config",
        "def register_config(self) -> None: ...",
        "Let `register_config` take a configuration by position: `def register_config(",
    ),
    "type to register": (
        "BC202",
        "register_config",
        "def register_config(self, config: int) -> None: ...",
        "Annotate `config: aconfig.Config`.",
    ),
    "renamed": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, model: str, context: Any) -> None: ...",
        "Rename `model` to `model_id` and `context` to `runtime_context`.",
    ),
    "one renamed": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, model_id: str, ctx: Any) -> None: ...",
        "Rename `ctx` to `runtime_context`.",
    ),
    "swapped": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, runtime_context: Any, model_id: str) -> None: ...",
        "Take `model_id` first, and `runtime_context` second.",
    ),
    "positional": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, model_id: str, runtime_context: Any, /) -> None: ...",
        "Remove the `/`, so that both can be given by keyword.",
    ),
    "by keyword": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, *, model_id: str, runtime_context: Any) -> None: ...",
        "Remove the `*` from `handle_runtime_context`",
    ),
    "one argument": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, model_id: str) -> None: ...",
        "Let `handle_runtime_context` take both arguments by position: `def handle_",
    ),
    "context": (
        "BC501",
        "handle_runtime_context",
        "def handle_runtime_context(self, model_id: int, runtime_context: int) -> None: ...",
        "Annotate `model_id: str`. Annotate `runtime_context: RuntimeServerContextType`.",
    ),
    "one kind of context": (
        "BC501",
        "handle_runtime_context",
        'def handle_runtime_context(self, model_id: str, runtime_context: "Request") -> None: ...',
        "Annotate `runtime_context: RuntimeServerContextType`.",
    ),
    "lock": (
        "BC401",
        "start_lock",
        "def start_lock(self) -> bool: ...",
        "Return a context manager: `def start_lock(self) -> AbstractContextManager[object]`.",
    ),
    "generator": (
        "BC401",
        "start_lock",
        "def start_lock(self) -> Iterator[None]: yield",
        "Put `@contextmanager` above `def start_lock`.",
    ),
    "type that is yielded": (
        "BC401",
        "start_lock",
        "@contextmanager\n    def start_lock(self) -> None: yield",
        "Annotate what it yields: `-> Iterator[None]`.",
    ),
    "parameter of the lock": (
        "BC401",
        "start_lock",
        "def start_lock(self, wait: float) -> AbstractContextManager[object]: ...",
        "Give `wait` of `start_lock` a default, or remove it.",
    ),
    "number": (
        "BC101",
        "backend_type",
        "backend_type = 7",
        'Give it a string: `backend_type = "MY"`.',
    ),
    "name as a property": (
        "BC102",
        "backend_type",
        "@property\n    def backend_type(self) -> str: ...",
        'Replace the property by a string in the class body: `backend_type = "MY"`.',
    ),
    "name as a method": (
        "BC101",
        "backend_type",
        "def backend_type(self) -> str: ...",
        'Replace the method by a string in the class body: `backend_type = "MY"`.',
    ),
    "lower case": (
        "BC103",
        "backend_type",
        'backend_type = " my cluster "',
        'Write `backend_type = "MY CLUSTER"`.',
    ),
    "blank": ("BC103", "backend_type", 'backend_type = " "', 'Write `backend_type = "MY"`.'),
    "no name of its own": (
        "BC104",
        "backend_type",
        "x = 1",
        'Give the class its own name: `backend_type = "MY"`.',
    ),
    "an inherited name, which is that of the class": (
        "BC104",
        "backend_type",
        'backend_type = "MY"',
        'Give the class its own name: `backend_type = "MY_MY"`.',
    ),
    "method": (
        "BC307",
        "is_started",
        "def is_started(self) -> bool: ...",
        "Make it a property: put `@property` above `def is_started`.",
    ),
    "type of the property": (
        "BC307",
        "is_started",
        "@property\n    def is_started(self) -> int: ...",
        "Return a `bool`: `@property def is_started(self) -> bool`.",
    ),
    "declared": ("BC307", "is_started", "is_started: int", "Declare it as `is_started: bool`."),
    "value": ("BC307", "is_started", "is_started = 3", "Give it a `bool`: `is_started = False`."),
}


@pytest.mark.parametrize("mistake", VIOLATED.values(), ids=VIOLATED)
def test_violated(mistake: Mistake, write: ClassWriter) -> None:
    """The advice is about the mistake that was made."""
    clause, member, body, advice = mistake
    given = advise(write(body), clause, Verdict.VIOLATED, [member])
    assert given == advice if advice.endswith(".") else given.startswith(advice)


@pytest.mark.parametrize(
    ("clause", "member", "body"),
    [
        ("BC309", "start", "def start(self) -> None: ..."),
        ("BC309", "start", "def start(self, port: int = 1, *rest: int, more: int = 2): ..."),
        ("BC201", "__init__", "def __init__(self, *args: Any, **named: Any) -> None: ..."),
        ("BC201", "__init__", "def __init__(self, config: aconfig.Config | None = None): ..."),
        ("BC501", "handle_runtime_context", "def handle_runtime_context(self, *a, **b): ..."),
        (
            "BC501",
            "handle_runtime_context",
            "def handle_runtime_context(self, model_id: str, runtime_context: object): ...",
        ),
        ("BC102", "backend_type", 'backend_type = "X"'),
    ],
)
def test_no_mistake_seen(clause: str, member: str, body: str, write: ClassWriter) -> None:
    """If the source shows no mistake, the fix of the clause has to do."""
    assert advise(write(body), clause, Verdict.VIOLATED, [member]) == ""


MEMBERS = {
    "backend_type": "BC101",
    "register_config": "BC202",
    "is_started": "BC307",
    "start": "BC309",
    "stop": "BC309",
    "start_lock": "BC401",
    "handle_runtime_context": "BC501",
}


@pytest.mark.parametrize(("member", "clause"), MEMBERS.items())
def test_missing(member: str, clause: str, write: ClassWriter) -> None:
    """A member that is missing is to be defined; a constructor is not spoken of."""
    source = write("x = 1", base="object")
    assert is_missing(source, member)
    advice = advise(source, clause, Verdict.VIOLATED, [member])
    assert advice.startswith("Define `")
    assert member in advice
    assert "__init__" not in advice


@pytest.mark.parametrize("member", ["backend_type", "register_config", "start", "stop"])
def test_abstract(member: str, write: ClassWriter) -> None:
    """A member that a base leaves abstract is missing."""
    assert is_missing(write("x = 1", base="BackendBase"), member)
    assert not is_missing(write("x = 1"), member)


def test_not_missing(write: ClassWriter) -> None:
    """A member that a base may have, whose source was not found, is not missing."""
    assert not is_missing(write("x = 1", base="Unknown"), "stop")


UNCHECKED: dict[str, tuple[str, str, str]] = {
    "result": ("start", "def start(self): ...", "Write `def start(self) -> None`."),
    "property": (
        "is_started",
        "@property\n    def is_started(self): ...",
        "Write `@property def is_started(self) -> bool`.",
    ),
    "parameter": (
        "register_config",
        "def register_config(self, settings, more=1) -> None: ...",
        "Write `def register_config(self, settings: aconfig.Config, more=1) -> None`.",
    ),
    "any": (
        "handle_runtime_context",
        "def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None: ...",
        (
            "Write `def handle_runtime_context(self, model_id: str, "
            "runtime_context: RuntimeServerContextType) -> None`."
        ),
    ),
    "only what is missing": (
        "handle_runtime_context",
        "def handle_runtime_context(self, model_id: object, runtime_context) -> None: ...",
        (
            "Write `def handle_runtime_context(self, model_id: object, "
            "runtime_context: RuntimeServerContextType) -> None`."
        ),
    ),
    "anything": (
        "handle_runtime_context",
        "def handle_runtime_context(self, *args, **named): ...",
        (
            "Write `def handle_runtime_context(self, model_id: str, "
            "runtime_context: RuntimeServerContextType) -> None`."
        ),
    ),
    "constructor": (
        "__init__",
        "def __init__(self, config=None): ...",
        "Write `def __init__(self, config: aconfig.Config | None=None) -> None`.",
    ),
    "lock": (
        "start_lock",
        "def start_lock(self): ...",
        "Write `def start_lock(self) -> AbstractContextManager[object]`.",
    ),
    "generator": (
        "start_lock",
        "@contextmanager\n    def start_lock(self): yield",
        "Write `@contextmanager def start_lock(self) -> Iterator[None]`.",
    ),
    "static": (
        "register_config",
        "@staticmethod\n    def register_config(config) -> None: ...",
        "Write `@staticmethod def register_config(config: aconfig.Config) -> None`.",
    ),
    "rest": (
        "register_config",
        "def register_config(self, *configs) -> None: ...",
        "Write `def register_config(self, *configs: aconfig.Config) -> None`.",
    ),
    "value": ("backend_type", "backend_type: Any = 'X'", 'Write `backend_type: str = "X"`.'),
    "call": ("backend_type", "backend_type = name()", "Write `backend_type: str = name()`."),
    "long value": (
        "backend_type",
        f"backend_type = name({'x' * 50})",
        "Write `backend_type: str = ...`.",
    ),
    "on self": (
        "is_started",
        "def start(self) -> None: self.is_started = flag()",
        "Write `self.is_started: bool = flag()`.",
    ),
    "method as a value": (
        "start",
        "start = make()",
        "Define it as a method: `def start(self) -> None`.",
    ),
    "decorator": (
        "start",
        "@retry(3)\n    def start(self) -> None: ...",
        "Annotate the decorator `@retry(3)`, or write `def start(self) -> None` without it.",
    ),
    "unknown type": (
        "register_config",
        "def register_config(self, config: Vendor) -> None: ...",
        (
            "Make the modules of its annotations importable, or write `def register_config(self, "
            "config: aconfig.Config) -> None`."
        ),
    ),
}


@pytest.mark.parametrize("case", UNCHECKED.values(), ids=UNCHECKED)
def test_unchecked(case: tuple[str, str, str], write: ClassWriter) -> None:
    """The advice is the very annotation for that member."""
    member, body, advice = case
    base = "object" if member == "is_started" and "self.is_started" in body else "LocalBackend"
    assert advise(write(body, base), "BC309", Verdict.UNCHECKED, [member]) == advice


def test_imports(write: ClassWriter) -> None:
    """The imports that the annotations need are named, unless the module has them."""
    head = "from backend_contract import LocalBackend\n"
    source = write("def handle_runtime_context(self, model_id, runtime_context): ...", head=head)
    advice = advise(source, "BC501", Verdict.UNCHECKED, ["handle_runtime_context"])
    assert advice.endswith(" with `from backend_contract import RuntimeServerContextType`.")
    source = write("def register_config(self, config): ...", head=head)
    advice = advise(source, "BC202", Verdict.UNCHECKED, ["register_config"])
    assert advice.endswith(" with `import aconfig`.")


def test_inherited(write: ClassWriter, tmp_path: Path) -> None:
    """The advice on a member that another file defines is to override it."""
    (tmp_path / "theirs.py").write_text("class Theirs:\n    def start(self): ...\n")
    source = write("x = 1", base="Theirs", head="from theirs import Theirs\n")
    advice = advise(source, "BC309", Verdict.UNCHECKED, ["start"])
    assert advice == "Override it in `MyBackend`: `def start(self) -> None`."


def test_unknown_base(write: ClassWriter) -> None:
    """If a base cannot be read, either that has to change or the class."""
    advice = advise(write("x = 1", base="Unknown"), "BC309", Verdict.UNCHECKED, ["start"])
    assert advice == (
        "Make the bases of `MyBackend` importable, or define in it: `def start(self) -> None`."
    )


@pytest.mark.parametrize(
    "verdict", [each for each in Verdict if each not in (Verdict.VIOLATED, Verdict.UNCHECKED)]
)
def test_other_verdicts(verdict: Verdict, write: ClassWriter) -> None:
    """Only what is violated or unchecked has advice."""
    assert advise(write("async def start(self): ..."), "BC309", verdict, ["start"]) == ""


def blocked_by(findings: list[Finding], source: ClassSource) -> tuple[Verdict, tuple[str, ...]]:
    constructor, *others = block_constructor(findings, source)
    assert others == findings[1:]
    return constructor.verdict, constructor.because


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.UNCHECKED])
def test_block_constructor(verdict: Verdict, write: ClassWriter) -> None:
    """A missing member blocks BC201; one that is wrong does not."""
    findings = [make_finding("BC201", verdict, because=()), make_finding("BC309")]
    missing = write("x = 1", base="BackendBase")
    assert blocked_by(findings, missing) == (Verdict.BLOCKED, ("BC309",))
    wrong = write("def stop(self) -> int: ...")
    assert blocked_by(findings, wrong) == (verdict, ())


def test_constructor_is_wrong_too(write: ClassWriter) -> None:
    """A constructor that is wrong stays violated beside a missing member."""
    findings = [make_finding("BC201", because=("why",)), make_finding("BC309")]
    source = write("x = 1", base="BackendBase")
    assert blocked_by(findings, source) == (Verdict.VIOLATED, ("why",))
