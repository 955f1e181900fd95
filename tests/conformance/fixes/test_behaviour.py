"""Edits that may change behaviour: which are made, and which would be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.fixes.sources import change

# Renaming the parameters of `handle_runtime_context`.

RENAMED = {
    "uses": ("self.c = [m, c]", "self.c = [model_id, runtime_context]"),
    "attributes": ("c.c(m.m)", "runtime_context.c(model_id.m)"),
    "keywords": ("f(c=c, m=m)", "f(c=runtime_context, m=model_id)"),
    "format": ('f"{c!r:>{m}} c"', 'f"{runtime_context!r:>{model_id}} c"'),
    "nested": ("def f(x=c): return m", "def f(x=runtime_context): return model_id"),
    "lambda": ("lambda x: c", "lambda x: runtime_context"),
    "comprehension": ("[c for x in m]", "[runtime_context for x in model_id]"),
    "assignment": (
        "c = c or m; del c",
        "runtime_context = runtime_context or model_id; del runtime_context",
    ),
    "a longer name": ("mc = cm", "mc = cm"),
    "a text": ('"m c"  # m c', '"m c"  # m c'),
}


@pytest.mark.parametrize(("body", "after"), RENAMED.values(), ids=RENAMED)
def test_rename(tmp_path: Path, body: str, after: str) -> None:
    """Every use of a parameter is renamed, and nothing else of that name."""
    source = "class Mine:\n    @m.c\n    def handle_runtime_context(self, {}, {}):\n        {}\n"
    text, reasons = change(tmp_path, source.format("m: str", "c: int", body), "BC501")
    assert text == source.format("model_id: str", "runtime_context: int", after)
    assert reasons == []


NOT_RENAMED = {
    "the new name": "model_id = m",
    "a keyword of the new name": "def f(model_id): return model_id",
    "another parameter": "def f(c): return c",
    "another variable": "[c for c in m]",
    "a nested assignment": "def f():\n            c = 1",
    "nonlocal": "def f():\n            nonlocal c",
    "a function": "def c(): pass",
    "an import": "import c",
    "a class": "class c: pass",
    "a pattern": "match x:\n            case {**c}: pass",
    "an exception": "try: pass\n        except E as c: pass",
    "locals": "print(locals())",
    "eval": "eval('c')",
}


@pytest.mark.parametrize("body", NOT_RENAMED.values(), ids=NOT_RENAMED)
def test_not_renamed(tmp_path: Path, body: str) -> None:
    """A parameter keeps its name if the new one, or the old one, means something else."""
    source = f"class Mine:\n    def handle_runtime_context(self, m, c):\n        {body}\n"
    text, reasons = change(tmp_path, source, "BC501")
    assert text == source
    assert len(reasons) == 1


@pytest.mark.parametrize(
    ("call", "is_renamed"),
    [
        ("x.handle_runtime_context(m='m', c=c)", False),
        ("super().handle_runtime_context('m', c=c)", False),
        ("x.handle_runtime_context('m', c)", True),
        ("x.handle_runtime_context(model_id='m', runtime_context=c)", True),
        ("x.other(c=c)", True),
    ],
)
def test_passed_by_name(tmp_path: Path, call: str, is_renamed: bool) -> None:
    """A parameter that a call in the module passes by its name keeps it."""
    source = (
        "class Mine:\n    def handle_runtime_context(self, {}, {}): pass\n    def f(self, c): {}\n"
    )
    text, reasons = change(tmp_path, source.format("m: str", "c: int", call), "BC501")
    names = ("model_id: str", "runtime_context: int") if is_renamed else ("m: str", "c: int")
    assert text == source.format(*names, call)
    assert bool(reasons) is not is_renamed


def test_exchanged_names(tmp_path: Path) -> None:
    """Parameters in the wrong order are not renamed: their order is part of the contract."""
    source = "class Mine:\n    def handle_runtime_context(self, runtime_context, model_id): ...\n"
    text, reasons = change(tmp_path, source, "BC501")
    assert (text, len(reasons)) == (source, 1)


def test_one_name(tmp_path: Path) -> None:
    """A name that is right stays."""
    source = "class Mine:\n    def handle_runtime_context(self, model_id, {}, x): return {}\n"
    text, _ = change(tmp_path, source.format("ctx", "ctx"), "BC501")
    assert text == source.format("runtime_context", "runtime_context")


# `async def`.

ASYNC = {
    "nothing awaited": ("pass", True),
    "a nested coroutine": ("async def f(): await x", True),
    "await": ("await x", False),
    "async for": ("async for x in y: pass", False),
    "async with": ("async with x: pass", False),
    "an async comprehension": ("[x async for x in y]", False),
    "yield": ("yield", False),
}


@pytest.mark.parametrize(("body", "is_changed"), ASYNC.values(), ids=ASYNC)
def test_synchronous(tmp_path: Path, body: str, is_changed: bool) -> None:
    """A method becomes synchronous if its body does not need ``async``."""
    source = f"class Mine:\n    async def start(self):  # go\n        {body}\n"
    text, reasons = change(tmp_path, source, "BC309")
    assert text == (source.replace("async def start", "def start") if is_changed else source)
    assert bool(reasons) is not is_changed


@pytest.mark.parametrize(
    "where", ["async def run(x): await x.start()", "async def run(x): await f(x.start())", "@other"]
)
def test_still_awaited(tmp_path: Path, where: str) -> None:
    """A method that the module awaits, or that a decorator changes, stays asynchronous."""
    member = "    async def start(self): pass\n"
    source = f"class Mine:\n    {where}\n{member}"
    if where.startswith("async"):
        source = f"{where}\nclass Mine:\n{member}"
    text, reasons = change(tmp_path, source, "BC309")
    assert (text, len(reasons)) == (source, 1)


# The constructor.

BASE = """\
from typing import {}
from backend_contract import LocalBackend

class Mine(LocalBackend):
"""
DEFAULTS = {
    "plain": ("config", "config=None"),
    "annotated": ("config: dict", "config: dict | None = None"),
    "a text": ('config: "dict"', 'config: "dict | None" = None'),
    "optional": ("config: dict | None", "config: dict | None = None"),
    "any": ("config: Any", "config: Any = None"),
    "further": ("config, port=1", "config=None, port=1"),
}


@pytest.mark.parametrize(("given", "written"), DEFAULTS.values(), ids=DEFAULTS)
def test_default(tmp_path: Path, given: str, written: str) -> None:
    """The configuration gets a default, and its annotation accepts it."""
    source = BASE.format("Any") + "    def __init__(self, {}):\n        super().__init__(config)\n"
    text, reasons = change(tmp_path, source.format(given), "BC201")
    assert (text, reasons) == (source.format(written), [])


def test_default_as_written(tmp_path: Path) -> None:
    """A module that imports ``Optional`` gets one more."""
    source = (
        BASE.format("Optional") + "    def __init__(self, {}):\n        super().__init__(config)\n"
    )
    text, _ = change(tmp_path, source.format("config: dict"), "BC201")
    assert text == source.format("config: Optional[dict] = None")


NEEDED = {
    "an attribute": "self.url = config.url",
    "an item": 'self.url = config["url"]',
    "keywords": "self.connect(**config)",
    "an argument": "self.connect(config)",
    "a loop": "for key in config: pass",
    "membership": 'self.x = "url" in config',
}


@pytest.mark.parametrize("body", NEEDED.values(), ids=NEEDED)
def test_no_default(tmp_path: Path, body: str) -> None:
    """A body that ``None`` would break gets no default, unless it asks for ``None``."""
    source = BASE.format("Any") + "    def __init__(self, {}):\n        super().__init__(config)\n"
    plain = f"{source}        {body}\n".format("config")
    text, reasons = change(tmp_path, plain, "BC201")
    assert (text, len(reasons)) == (plain, 1)
    guarded = f"{source}        if config is not None:\n            {body}\n"
    assert change(tmp_path, guarded.format("config"), "BC201").text == guarded.format("config=None")


def test_further_parameters(tmp_path: Path) -> None:
    """A default is of no use if another parameter is required."""
    source = "class Mine:\n    def __init__(self, config, port): ...\n"
    text, reasons = change(tmp_path, source, "BC201")
    assert (text, len(reasons)) == (source, 1)


SUPER = {
    "first": (
        "(self, config=None):\n        self.x = 1",
        "(self, config=None):\n        super().__init__(config)\n        self.x = 1",
    ),
    "after the docstring": (
        '(self, config=None):\n        """Doc."""\n        x = 1',
        '(self, config=None):\n        """Doc."""\n        super().__init__(config)\n        x = 1',
    ),
    "another name": (
        "(self, settings=None): ...",
        "(self, settings=None): super().__init__(settings)",
    ),
    "nothing to pass": ("(self):\n        pass", "(self):\n        super().__init__()"),
    "one line": ("(self): self.x = 1", "(self): super().__init__(); self.x = 1"),
    "called": ("(self):\n        super().__init__()", None),
    "called by name": ("(self):\n        LocalBackend.__init__(self)", None),
    "called by another method": ("(self): self.f()\n    def f(self): super().__init__()", None),
}


@pytest.mark.parametrize(("before", "after"), SUPER.values(), ids=SUPER)
def test_super(tmp_path: Path, before: str, after: str | None) -> None:
    """The base class's constructor is called if nothing in the class does."""
    source = BASE.format("Any") + "    def __init__{}\n"
    text, _ = change(tmp_path, source.format(before), "BC201")
    assert text == source.format(after or before)


def test_no_super(tmp_path: Path) -> None:
    """A class that does not inherit ``BackendBase``, or not its constructor, is left alone."""
    for bases in ("", "(Unknown, LocalBackend)", "(Other, LocalBackend)"):
        source = (
            "from backend_contract import LocalBackend\n"
            "class Other:\n    def __init__(self): super().__init__()\n"
            f"class Mine{bases}:\n    def __init__(self, config=None): self.x = 1\n"
        )
        assert change(tmp_path, source, "BC201").text == source


# The case of the name.

NAMES = {
    "plain": ('"mine"', '"MINE"'),
    "single quotes": ("'my_2'  # it", "'MY_2'  # it"),
    "raw": ('r"mine"', 'r"MINE"'),
    "triple": ('"""mine"""', '"""MINE"""'),
    "upper case": ('"MINE"', '"MINE"'),
    "blanks": ('" mine"', '" mine"'),
    "an escape": (r'"mi\x6ee"', r'"mi\x6ee"'),
    "two parts": ('"mi" "ne"', '"mi" "ne"'),
    "a call": ("name()", "name()"),
}


@pytest.mark.parametrize(("before", "after"), NAMES.values(), ids=NAMES)
def test_upper_case(tmp_path: Path, before: str, after: str) -> None:
    """A literal is written in upper case, annotated or not; nothing else is."""
    for start in ("backend_type = ", "backend_type: str = "):
        source = f"class Mine:\n    {start}{{}}\n"
        assert change(tmp_path, source.format(before), "BC103").text == source.format(after)
