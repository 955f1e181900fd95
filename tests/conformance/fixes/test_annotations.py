"""Which annotations are written, how they are spelled, and what is left alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conformance.fixes.sources import annotate

HANDLER = "def handle_runtime_context(self, model_id, runtime_context): pass"


def header(text: str, name: str) -> str:
    """Return the last function *name* on one line, without its body."""
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    returns = functions[-1].returns
    shown = f" -> {ast.unparse(returns)}" if returns else ""
    return f"({ast.unparse(functions[-1].args)}){shown}"


# Results: an annotation must not claim more than the source shows.

RESULTS = {
    "no return": ("def start(self): self.x = 1", True),
    "bare return": ("def start(self):\n        if x: return\n        return None", True),
    "abstract": ("@abc.abstractmethod\n    def start(self): ...", True),
    "always raises": ("def start(self): raise NotImplementedError", True),
    "a return in a nested function": ("def start(self):\n        def f(): return 1", True),
    "a return in a lambda": ("def start(self): f = lambda: 1", True),
    "a value": ("def start(self):\n        if x: return\n        return 1", False),
    "a call": ("def start(self): return self.go()", False),
    "a call of an unknown base": ("def start(self): return super().start()", False),
    "a generator": ("def start(self): yield", False),
    "async": ("async def start(self): pass", False),
    "a lambda": ("start = lambda self: None", False),
    "a type comment": ("def start(self):\n        # type: () -> None\n        pass", False),
    "type: ignore": ("def start(self): # type: ignore[misc]\n        pass", True),
    "overloads": ("@overload\n    def start(self): ...\n    def start(self): pass", False),
}


@pytest.mark.parametrize(("member", "is_written"), RESULTS.values(), ids=RESULTS)
def test_none(tmp_path: Path, member: str, is_written: bool) -> None:
    """``-> None`` is written only for a function that can return nothing else."""
    text, reasons = annotate(
        tmp_path, f"class Mine(Unknown):\n    {member}\n    def stop(self) -> None: ...\n", "BC309"
    )
    assert ("start(self) -> None" in text) is is_written
    assert bool(reasons) is not is_written


def test_none_from_super(tmp_path: Path) -> None:
    """A call of an inherited method returns what that method is annotated with."""
    source = """
        class Base:
            def start(self) -> {}: ...
            def stop(self) -> None: ...
        class Mine(Base):
            def start(self): return super().start()
    """
    assert header(annotate(tmp_path, source.format("None"), "BC309").text, "start") == (
        "(self) -> None"
    )
    assert header(annotate(tmp_path, source.format("int"), "BC309").text, "start") == "(self)"


FLAGS = {
    "a comparison": ("return self._server is not None", True),
    "bool()": ("return bool(self._server)", True),
    "not": ("return not self._server", True),
    "an event": ("return self._event.is_set()", True),
    "both": ("return self._flag and not self._server", True),
    "one of two": ("if x:\n            return True\n        else:\n            return False", True),
    "under a lock": ("with self._lock:\n            return self._flag", True),
    "in try": ("try:\n            return self._flag\n        finally:\n            x()", True),
    "in each case": (
        "match x:\n            case 1: return True\n            case _: raise X",
        True,
    ),
    "in one case": ("match x:\n            case 1: return True", False),
    "unless it raises": ("with suppress(KeyError):\n            return self._flag", False),
    "a flag": ("return self._flag", True),
    "of the base": ("return super().is_started", True),
    "the server": ("return self._server", False),
    "a flag or the server": ("return self._flag or self._server", False),
    "sometimes nothing": ("if x:\n            return True", False),
    "an unknown call": ("return self.look()", False),
    "an unknown attribute": ("return self._elsewhere", False),
    "counted": ("return self._counted", False),
}


@pytest.mark.parametrize(("body", "is_written"), FLAGS.values(), ids=FLAGS)
def test_bool(tmp_path: Path, body: str, is_written: bool) -> None:
    """``-> bool`` is written only if the source shows a ``bool``."""
    source = f"""
class Mine:
    def __init__(self):
        self._flag = False
        self._server = Server()
        self._counted = False
    def start(self):
        self._flag = True
        self._counted += 1
    @property
    def is_started(self):
        {body}
    @is_started.setter
    def is_started(self, value): ...
"""
    text, reasons = annotate(tmp_path, source, "BC307")
    assert ("def is_started(self) -> bool:" in text) is is_written
    assert "def is_started(self, value): ..." in text
    assert bool(reasons) is not is_written


def test_no_property(tmp_path: Path) -> None:
    """A method in the place of a property keeps its faults."""
    edited = annotate(tmp_path, "class Mine:\n    def is_started(self): return True\n", "BC307")
    assert (edited.text.count("->"), edited.reason) == (0, "`is_started` is a method")


LOCKS = {
    "an attribute": ("return self._lock", "AbstractContextManager[object]"),
    "a call": ("return threading.RLock()", "AbstractContextManager[object]"),
    "another object": ("return self._other", None),
    "nothing": ("pass", None),
}


@pytest.mark.parametrize(("body", "result"), LOCKS.values(), ids=LOCKS)
def test_lock(tmp_path: Path, body: str, result: str | None) -> None:
    """``start_lock`` returns a context manager if the source shows a lock."""
    source = f"""
class Mine:
    def __init__(self):
        self._lock = threading.Lock()
        self._other = Other()
    def start_lock(self):
        {body}
"""
    text = annotate(tmp_path, source, "BC401").text
    assert header(text, "start_lock") == f"(self){f' -> {result}' if result else ''}"


@pytest.mark.parametrize(
    ("decorator", "value", "result"),
    [
        ("contextmanager", "", "Iterator[None]"),
        ("contextlib.contextmanager", " None", "Iterator[None]"),
        ("contextmanager", " self", "Iterator[object]"),
        ("other", "", None),
        ("asynccontextmanager", "", None),
    ],
)
def test_generator_lock(tmp_path: Path, decorator: str, value: str, result: str | None) -> None:
    """A generator under ``@contextmanager`` returns an iterator of what it yields."""
    kind = "async def" if decorator.startswith("async") else "def"
    source = f"class Mine:\n    @{decorator}\n    {kind} start_lock(self):\n        yield{value}\n"
    text = annotate(tmp_path, source, "BC401").text
    assert header(text, "start_lock") == f"(self){f' -> {result}' if result else ''}"
    assert ("from collections.abc import Iterator" in text) is bool(result)


# Attributes of instances.


def test_attribute(tmp_path: Path) -> None:
    """The method that assigns the attribute is annotated, so that checkers read it."""
    source = """
        class Mine:
            def __init__(self, config=None):
                self.is_started = {}
    """
    edited = annotate(tmp_path, source.format("False"), "BC307")
    assert "config: 'aconfig.Config | None'=None) -> None" in header(edited.text, "__init__")
    assert "self.is_started = False" in edited.text
    edited = annotate(tmp_path, source.format("not config"), "BC307")
    assert "self.is_started: bool = not config" in edited.text
    edited = annotate(tmp_path, source.format("Event()"), "BC307")
    assert "aconfig" not in edited.text
    assert "`is_started`" in edited.reason


@pytest.mark.parametrize(
    ("member", "clause"), [("start_lock", "BC401"), ("register_config", "BC202")]
)
def test_method_as_attribute(tmp_path: Path, member: str, clause: str) -> None:
    """A method that is assigned to `self` is left as it is, and named."""
    source = f"""
        class Mine:
            def __init__(self, made):
                self.{member} = made.{member}
    """
    edited = annotate(tmp_path, source, clause)
    assert f"self.{member} = made.{member}" in edited.text
    assert edited.reason == f"`{member}` is assigned to `self`; define it as a method"


# Parameters.

PARAMETERS = {
    "plain": ("config", "config: aconfig.Config"),
    "default": ("config=None", "config: aconfig.Config | None=None"),
    "other default": ("config={}", "config={}"),
    "annotated": ("config: dict", "config: dict"),
    "any": ("config: Any", "config: Any"),
    "keywords": ("config, *, merge=True", "config: aconfig.Config, *, merge=True"),
    "positional": ("config, /", "config: aconfig.Config, /"),
    "further": ("config, merge=True", "config: aconfig.Config, merge=True"),
    "star": ("*args", "*args"),
}


@pytest.mark.parametrize(("given", "written"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameter(tmp_path: Path, given: str, written: str) -> None:
    """A parameter gets its annotation, unless it has one or its default does not fit."""
    source = f"import aconfig\nclass Mine:\n    def register_config(self, {given}): ...\n"
    text = annotate(tmp_path, source, "BC202").text
    assert header(text, "register_config") == f"(self, {written}) -> None"


def test_static_and_wide(tmp_path: Path) -> None:
    """A static method has no ``self``; an override takes what its base class takes."""
    source = "import aconfig\nclass Mine:\n    @staticmethod\n    def register_config(c): ...\n"
    text = annotate(tmp_path, source, "BC202").text
    assert header(text, "register_config") == "(c: aconfig.Config) -> None"
    source = """
        from typing import Any, Mapping
        class Base:
            def register_config(self, config: Mapping[str, Any]) -> None: ...
        class Mine(Base):
            def register_config(self, config): ...
    """
    text = annotate(tmp_path, source, "BC202").text
    assert header(text, "register_config") == "(self, config: Mapping[str, Any]) -> None"
    assert "aconfig" not in text


def test_alias_of_caikit(tmp_path: Path) -> None:
    """Caikit's alias, which no checker resolves, is replaced; other annotations are not."""
    source = """
        from {} import RuntimeServerContextType
        class Mine:
            def handle_runtime_context(
                self,
                model_id: str,
                runtime_context: RuntimeServerContextType,
            ): pass
    """
    text = annotate(tmp_path, source.format("caikit.interfaces.runtime.data_model"), "BC501").text
    assert "runtime_context: 'backend_contract.RuntimeServerContextType'" in header(
        text, "handle_runtime_context"
    )
    assert "if TYPE_CHECKING:\n    import backend_contract\n" in text
    text = annotate(tmp_path, source.format("elsewhere"), "BC501").text
    assert "runtime_context: RuntimeServerContextType)" in header(text, "handle_runtime_context")


# Spelling: what a name means in the module.

FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import aconfig"
SPELLINGS = {
    "import": ("import aconfig", "aconfig.Config"),
    "from import": ("from aconfig import Config", "Config"),
    "module alias": ("import aconfig as ac", "ac.Config"),
    "name alias": ("from aconfig import Config as C", "C"),
    "for types": (FOR_TYPES, "'aconfig.Config'"),
    "for types, deferred": (f"from __future__ import annotations\n{FOR_TYPES}", "aconfig.Config"),
    "guarded": (
        "try:\n    import aconfig\nexcept ImportError:\n    aconfig = None",
        "'aconfig.Config'",
    ),
    "the package has it": ("import backend_contract", "aconfig.Config"),
    "a star may take it": ("import backend_contract\nfrom m import *", "'aconfig.Config'"),
    "nothing": ("", "'aconfig.Config'"),
    "taken": ("aconfig = 3", "'Config'"),
    "taken later": ("def f():\n    global aconfig\n    aconfig = 3", "'Config'"),
    "taken by an import": ("import other as aconfig", "'Config'"),
    "both taken": ("aconfig = Config = 3", None),
    "taken by a star target": ("for aconfig, *Config in []: pass", None),
}


@pytest.mark.parametrize(("before", "spelling"), SPELLINGS.values(), ids=SPELLINGS)
def test_spelling(tmp_path: Path, before: str, spelling: str | None) -> None:
    """An import is reused, and a name that means something else is never captured."""
    source = f"{before}\n\n\nclass Mine:\n    def register_config(self, config): ...\n"
    text, reasons = annotate(tmp_path, source, "BC202")
    annotation = f": {spelling}" if spelling else ""
    assert header(text, "register_config") == f"(self, config{annotation}) -> None"
    assert text.count("import aconfig") + text.count("from aconfig import") == bool(spelling)
    assert bool(reasons) is (spelling is None)


@pytest.mark.parametrize("where", ["module", "class"])
def test_builtin(tmp_path: Path, where: str) -> None:
    """A builtin that the module or the class redefines is not written."""
    outer, inner = ("str = 1\n", "") if where == "module" else ("", "    str = 1\n")
    source = f"{outer}class Mine:\n{inner}    {HANDLER}\n"
    text, reasons = annotate(tmp_path, source, "BC501")
    assert "(self, model_id, runtime_context: " in header(text, "handle_runtime_context")
    assert reasons == ["`str` means something else in this module"]


def test_import_of_several_modules(tmp_path: Path) -> None:
    """Of the modules that one statement imports, the right one is used."""
    source = "import os, aconfig\nclass Mine:\n    def register_config(self, config): ..."
    text, _ = annotate(tmp_path, source, "BC202")
    assert header(text, "register_config") == "(self, config: aconfig.Config) -> None"


def test_class_hides_import(tmp_path: Path) -> None:
    """A name of the class hides an import of the module."""
    source = (
        "import aconfig\nclass Mine:\n    aconfig = 1\n    def register_config(self, config): ..."
    )
    text = annotate(tmp_path, source, "BC202").text
    assert "config: Config)" in header(text, "register_config")


def test_optional(tmp_path: Path) -> None:
    """A module that writes ``Optional`` keeps doing so."""
    source = """
        from typing import Optional
        import aconfig
        class Mine:
            def __init__(self, config=None): ...
    """
    text = annotate(tmp_path, source, "BC201").text
    assert header(text, "__init__") == "(self, config: Optional[aconfig.Config]=None) -> None"
