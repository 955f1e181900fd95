"""Classes that are given to the `register` of a registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.source.support import IMPORTS, Tree, structural

REGISTRY = "registry = BackendRegistry()\n"
MINE = structural("Mine")
DECORATED = [
    (REGISTRY, "registry.register"),
    ("add = BackendRegistry().register\n", "add"),
    ("from app import registry as r\n", "r.register"),
    ("from app import add as more\n", "more"),
    ("import app\n", "app.registry.register"),
    ("class App:\n    r: BackendRegistry\napp = App()\n", "app.r.register"),
    ("class App:\n    r = BackendRegistry()\n", "App.r.register"),
    ("def get() -> BackendRegistry: ...\n", "get().register"),
    ("class R(BackendRegistry): ...\nr = R()\n", "r.register"),
    ("r = None or BackendRegistry()\n", "r.register"),
    ("from backend_contract.integrations import caikit\n", "caikit.register"),
]
CALLED = [
    f"{REGISTRY}registry.register(Mine)\n",
    f"{REGISTRY}registry.register(cls=Mine)\n",
    f"{REGISTRY}registry.register(conforms(Mine))\n",
    f"{REGISTRY}for each in (Mine,):\n    registry.register(each)\n",
    f"{REGISTRY}ALL = [Mine]\nfor each in ALL:\n    registry.register(each)\n",
    f"{REGISTRY}list(map(registry.register, [Mine]))\n",
    "BackendRegistry().register(Mine)\n",
    "def setup(registry: BackendRegistry):\n    registry.register(Mine)\n",
    "def setup(registry: 'BackendRegistry | None' = None):\n    registry.register(Mine)\n",
    "def setup():\n    from backend_contract import BackendRegistry as R\n    R().register(Mine)\n",
    (
        "class A:\n    def __init__(self):\n        self.r = BackendRegistry()\n"
        "    def go(self):\n        self.r.register(Mine)\n"
    ),
    (
        "class A:\n    def __init__(self, r: BackendRegistry):\n        self.r = r\n"
        "        self.r.register(Mine)\n"
    ),
    "from backend_contract.integrations.caikit import register\nregister(Mine)\n",
]
OTHERS = [
    "import atexit\natexit.register(Mine)\n",
    "class R:\n    def register(self, cls): ...\nR().register(Mine)\n",
    "BackendRegistry().get(Mine)\n",
    "x = x.y\nx.register(Mine)\n",
    "a = b\nb = a or b\na.register(Mine)\n",
    "BackendRegistry().register\n",
    "BackendRegistry().register()\n",
]


@pytest.mark.parametrize(("setup", "decorator"), DECORATED)
def test_decorator(tmp_path: Path, setup: str, decorator: str) -> None:
    """A class under the decorator is a target, whatever the registry is called."""
    tree = Tree(tmp_path, {"mine.py": f"{IMPORTS}{setup}@{decorator}{MINE}"})
    tree.add({"app.py": f"{IMPORTS}{REGISTRY}add = registry.register\n"})
    assert tree.found() == ["mine:Mine"]


@pytest.mark.parametrize("text", CALLED)
def test_call(tmp_path: Path, text: str) -> None:
    """A class that is given to a call is a target."""
    assert Tree(tmp_path, {"mine.py": f"{IMPORTS}{MINE}{text}"}).found() == ["mine:Mine"]


@pytest.mark.parametrize("text", OTHERS)
def test_others(tmp_path: Path, text: str) -> None:
    """Any other `register` makes nothing a target."""
    assert Tree(tmp_path, {"mine.py": f"{IMPORTS}{MINE}{text}"}).found() == ["? Mine"]


@pytest.mark.parametrize(
    "text", ["from mine import Mine\n", "import mine\nMine = mine.Mine\n", "from mine import *\n"]
)
def test_other_module(tmp_path: Path, text: str) -> None:
    """A class of another module is found under its own name, in the searched part or outside."""
    tree = Tree(tmp_path, {"mine.py": MINE, "app/main.py": f"{IMPORTS}{text}"})
    assert tree.found("app")[0].startswith("! app: found no")
    tree.add({"app/main.py": f"{IMPORTS}{text}BackendRegistry().register(Mine)\n"})
    assert tree.found() == ["mine:Mine"]
    assert tree.found("app") == ["mine:Mine"]


def test_inherited(tmp_path: Path) -> None:
    """A class that inherits from a registered one is a backend too."""
    text = f"{IMPORTS}{MINE}class Child(Mine): ...\nBackendRegistry().register(Mine)\n"
    assert Tree(tmp_path, {"mine.py": text}).found() == ["mine:Mine", "mine:Child"]
