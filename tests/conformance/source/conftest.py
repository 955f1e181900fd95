"""The files that tests of modules and targets search."""

from __future__ import annotations

import ast
import os
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import backend_contract
from backend_contract._conformance.source import classes, parsing

FILES = {
    "package/__init__.py": "from .inner import Direct as Renamed\nfrom .star import *\n",
    "package/inner.py": """\
import package.star as module
from external import Unknown
from package import star

class Direct:
    plain = 1
    annotated: int
    if True:
        conditional = 2

    def __init__(this):
        this.on_instance = 3

    def method(self, first, second: int = 0, *rest: str) -> None: ...

    class Nested:
        pass

class Child(Direct):
    pass

class Stranger(Unknown, Direct):
    pass

class OfModule(module.Starred): ...
class OfPackage(star.Starred): ...

Alias = Child
Alias.attribute = 1
Again = Direct
value = 3
made = type("made", (), {})
def function(): ...
class Circle(Circle): ...
class Generic(Direct[int]): ...
""",
    "package/star.py": "try:\n    class Starred: ...\nexcept ImportError:\n    Starred = None\n",
    "package/broken.py": "def (:\n",
    "mine.py": "class Never: ...\nclass Near: ...\n",
    "gap/__init__.py": "",
    "gap/none/inner/__init__.py": "",
    "gap/none/inner/mine.py": "class Mine: ...\n",
    "circular.py": "from circular import Round\n",
    "namespace/module.py": "class Below: ...\n",
    "namespace/nested/deep.py": "class Deepest: ...\n",
    "of_deepest.py": "from namespace.nested.deep import Deepest\nclass Child(Deepest): ...\n",
    "namespace/relative.py": "from .module import Below\nclass Child(Below): ...\n",
}


@pytest.fixture
def modules_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with modules and packages, and the current one."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    os.mkfifo(tmp_path / "pipe.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


INSTALLED = [
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")),
    Path(backend_contract.__file__).parent,
]
parse_installed = cache(parsing.parse)


@pytest.fixture(scope="package", autouse=True)
def installed_files_are_parsed_once() -> Iterator[None]:
    """Parse each file of the standard library and of installed packages once per process."""

    def parse(path: Path) -> ast.Module:
        is_installed = any(directory in path.parents for directory in INSTALLED)
        return parse_installed(path) if is_installed else parsing.parse(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classes, "parse", parse)
        yield
