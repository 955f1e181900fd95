"""Constructors: whether they reach those of bases, what they return, and what is never claimed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conformance.source.support import source_of

from backend_contract._conformance.source.construction.constructors import find_defect
from backend_contract._conformance.source.construction.factories import Defect
from backend_contract._conformance.source.members import abstract_members

HEAD = """\
import functools
from dataclasses import dataclass
from backend_contract import BackendBase, LocalBackend
from elsewhere import unheard, unknown

class Stops:
    def __init__(self, config=None): ...
"""


def defect(directory: Path, text: str) -> Defect | None:
    (directory / "mine.py").write_text(f"{HEAD}{text}\n")
    return find_defect(source_of(f"{directory}/mine.py:Mine"))


def of_init(body: str, bases: str = "LocalBackend") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"class Mine({bases}):\n    def __init__(self, config=None):\n{lines}"


@pytest.mark.parametrize(
    ("decorator", "base", "is_slotted"),
    [
        ("attrs.define", "Empty", True),
        ("attrs.define(kw_only=True)", "Empty", True),
        ("dataclass(slots=True)", "Empty", True),
        ("attrs.define(slots=False)", "Empty", False),
        ("attrs.define(**options)", "Empty", False),
        ("attr.s(auto_attribs=True)", "Empty", False),
        ("dataclass", "Empty", False),
        ("attrs.define", "Stops", False),
    ],
)
def test_slots_of_decorators(
    tmp_path: Path, decorator: str, base: str, *, is_slotted: bool
) -> None:
    """A decorator that makes slots leaves no place for an attribute that is not a field."""
    hook = "attrs_post_init" if "attr" in decorator else "post_init"
    text = (
        "import attr, attrs\noptions = {}\nclass Empty:\n    __slots__ = ()\n"
        f"@{decorator}\nclass Mine({base}):\n    size: int = 1\n"
        f"    def __{hook}__(self):\n        self.size = 2\n"
    )
    assert defect(tmp_path, text) is None
    found = defect(tmp_path, f"{text}        self.other = 3\n")
    assert (found is not None and "`other`" in found.reason) is is_slotted


@pytest.mark.parametrize(
    "call",
    [
        "self.size = config.get('size')",
        "self.size = config['size']",
        "if 'size' in config: pass",
        "super().__init__(dict(config))",
        "super().__init__({**config})",
        "super().__init__(**config)",
        "print(*config)",
    ],
)
def test_no_configuration(tmp_path: Path, call: str) -> None:
    """The constructor must not use a configuration of ``None``, unless it was tested before."""
    found = defect(tmp_path, of_init(call))
    assert found is not None
    assert "without a configuration" in found.reason
    tested = (
        f"if config is None:\n    return super().__init__()\n{call}\nsuper().__init__(config)",
        f"check(config)\n{call}\nsuper().__init__(config)",
        f"try:\n    {call}\nexcept TypeError: pass\nsuper().__init__(config)",
        f"if config:\n    {call}\nsuper().__init__(config)",
    )
    for body in tested:
        assert defect(tmp_path, f"def check(config): ...\n{of_init(body)}") is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no `except*`")
def test_groups_of_exceptions(tmp_path: Path) -> None:
    """A statement with `except*` is followed as one with `except`."""
    reached = "try:\n    super().__init__(config)\nexcept* ValueError:\n    raise"
    assert defect(tmp_path, of_init(reached)) is None
    left = "try:\n    super().__init__(config)\nexcept* ValueError:\n    pass"
    found = defect(tmp_path, of_init(left))
    assert found is not None
    assert not found.is_certain


@pytest.mark.parametrize(
    "body",
    [
        "super().__init__(config)",
        "super(Mine, self).__init__(config)",
        "BackendBase.__init__(self, config)",
        "if config: super().__init__(config)\nelse: super().__init__()",
        "with open('x'): super().__init__(config)",
        "try: int(config)\nfinally: super().__init__(config)",
        "if config is None: raise ValueError\nsuper().__init__(config)",
        "for each in (): pass\nsuper().__init__(config)",
        "if not config:\n    super().__init__()\n    return\nsuper().__init__(config)",
        "if config is None: config = {}\nsuper().__init__(config)",
        "self._started, (self._start_lock, *self.config) = config",
        "setattr(self, '_started', 0)\nobject.__setattr__(self, '_start_lock', 1)",
        "me = self\nme._started = me._start_lock = me.config = None",
        "me: Mine = self\nme._started = me._start_lock = me.config = None",
    ],
)
def test_reached(tmp_path: Path, body: str) -> None:
    """Each path reaches the constructor of the base, or assigns what it would."""
    assert defect(tmp_path, of_init(body)) is None


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        "super()",
        "super().__init__",
        "object.__init__(self)",
        "super(BackendBase, self).__init__()",
        "self.config = config",
        "print(self)",
        "return\nsuper().__init__(config)",
        "if config: super().__init__(config)",
        "if not config: return\nsuper().__init__(config)",
        "if config is not None: super().__init__(config)",
        "if not (config is None): super().__init__(config)",
        "if config is None: super().__init__()",
    ],
)
def test_not_reached(tmp_path: Path, body: str) -> None:
    """No path does."""
    found = defect(tmp_path, of_init(body))
    assert found is not None
    assert found.is_certain
    assert "`_started`" in found.reason or "`_start_lock`" in found.reason
    assert found.advice == "Call `super().__init__(config)` in `__init__`."


@pytest.mark.parametrize(
    "body",
    [
        "config = config or {}\nif config: super().__init__(config)",
        "if unknown: super().__init__(config)",
        "for each in config: super().__init__(each)",
        "try: super().__init__(config)\nexcept TypeError: pass",
        "config and super().__init__(config)",
        "lambda: super().__init__(config)",
        "unknown(self)",
        "functools.partial(BackendBase.__init__, self)()",
        "parent = super()\nparent.__init__(config)",
        "vars(self).update(config)",
        "self.__dict__.update(config)",
        "def later(): BackendBase.__init__(self)",
        "for base in type(self).__mro__: base.__init__(self)",
    ],
)
def test_unknown(tmp_path: Path, body: str) -> None:
    """Some path may: that is a doubt, never a certainty."""
    found = defect(tmp_path, of_init(body))
    assert found is not None
    assert not found.is_certain


@pytest.mark.parametrize(
    ("text", "is_certain"),
    [
        ("class Mine(Stops, LocalBackend): ...", True),
        ("class Mine(LocalBackend, Stops): ...", None),
        ("@dataclass\nclass Mine(LocalBackend):\n    a: int = 1", True),
        ("@dataclass(init=False)\nclass Mine(LocalBackend):\n    a: int = 1", None),
        ("@unheard\n" + of_init("pass"), False),
        (of_init("super().__init__()\nself.is_started = 1"), True),
        (of_init("super().__init__()\nself.other = 1"), None),
        ("class Mine:\n    def __new__(cls): return 1", True),
        ("class Mine:\n    def __new__(cls, *given): return object.__new__(cls)", None),
        ("class Mine:\n    def __new__(cls, config=None): return object.__new__(cls)", None),
        ("class Mine:\n    def __new__(cls): return object.__new__(cls)", True),
        ("class Mine:\n    def __new__(cls, config): return object.__new__(cls)", True),
        ("class Mine:\n    @unheard\n    def __new__(cls): return object.__new__(cls)", None),
        ("class Mine:\n    def __new__(cls, *given): return cls.made", False),
        ("class Mine:\n    def __new__(cls): raise TypeError", True),
        ("class Mine:\n    async def __init__(self): ...", True),
        ("class Mine:\n    def __init__(self): yield", True),
        ("class Mine:\n    def __init__(self): return 1", True),
        ("class Mine:\n    def __init__(self): raise TypeError", True),
        ("class M(type):\n    def __call__(cls): return 1\nclass Mine(metaclass=M): ...", True),
        ("class M(type):\n    x = 1\nclass Mine(metaclass=M): ...", None),
        ("from a import M\nclass Mine(metaclass=M): ...", False),
        ("import enum\nclass Mine(enum.Enum):\n    A = 1", True),
    ],
)
def test_kinds(tmp_path: Path, text: str, is_certain: bool | None) -> None:
    """What a class makes depends on decorators, bases, `__new__` and metaclasses too."""
    found = defect(tmp_path, text)
    assert (None if found is None else found.is_certain) is is_certain


def test_structural(tmp_path: Path) -> None:
    """A class of its own is not told to call `super()`."""
    text = """\
class Mine:
    def __init__(self, config=None): self.config = config
    @property
    def is_started(self): return self._on
    def start(self): self._on = True
"""
    assert defect(tmp_path, text) == Defect(
        True,
        "a new instance has no `_on`, which `is_started` uses",
        "Assign `self._on` in `__init__`.",
    )
    assert defect(tmp_path, text.replace("self._on\n", "getattr(self, '_on', 0)\n")) is None


def test_effort(tmp_path: Path) -> None:
    """Methods that call each other, and deep expressions, end in a doubt or a verdict."""
    methods = "".join(
        f"    def m{n}(self):\n        self.m{n + 1}()\n        self.m{n + 1}()\n"
        for n in range(40)
    )
    found = defect(tmp_path, f"{of_init('self.m0()')}{methods}    def m40(self): ...")
    assert found is not None
    assert not found.is_certain
    deep = of_init(f"self.a = {'-' * 2000}1")
    assert defect(tmp_path, deep) is not None


HELPER = """
from abc import ABC, abstractmethod

class Other(ABC):
    @abstractmethod
    def helper(self): ...
    def plain(self): ...
"""


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("class Mine(Other): ...", {"helper"}),
        ("class Mine(Other):\n    def helper(self): ...", set[str]()),
        ("class Mine(Other):\n    def __new__(cls, config=None): ...", {"helper"}),
        ("class Mine(ABC):\n    start = Other.helper", {"start"}),
        ("class Mine(ABC):\n    start = Other.plain", set[str]()),
    ],
)
def test_abstract(tmp_path: Path, text: str, certain: set[str]) -> None:
    """A class leaves abstract what it inherits, or takes from another class, as abstract."""
    (tmp_path / "mine.py").write_text(f"{HEAD}{HELPER}{text}\n")
    assert abstract_members(source_of(f"{tmp_path}/mine.py:Mine")).certain == certain
