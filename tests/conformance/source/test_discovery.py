"""Discovery: the backends in a file, a directory, a module or a package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.source.discovery import find_targets, search
from backend_contract._conformance.source.targets import Target

if TYPE_CHECKING:
    from conftest import Command

A_BACKEND = "from backend_contract import LocalBackend\nclass X(LocalBackend): ...\n"
FILES = {
    "package/__init__.py": "from .backends import Direct\n",
    "package/backends.py": """\
import abc
import typing as t
import backend_contract
import backend_contract.protocol as protocol
from abc import abstractmethod
from backend_contract import Backend, BackendBase, LocalBackend, conforms as keeps
from backend_contract.base import BackendBase as Base
from elsewhere import Unknown, conforms

class Direct(BackendBase): ...
class Renamed(Base): ...
class OfModule(backend_contract.BackendBase): ...
class Indirect(LocalBackend):
    class Nested(LocalBackend): ...
class Generic(LocalBackend, t.Generic[t.T]): ...
class UnknownToo(Unknown, LocalBackend): ...

@keeps
class Structural: ...

@backend_contract.conforms
class StructuralByModule: ...

@protocol.conforms
class StructuralByAnotherModule: ...

if t.TYPE_CHECKING:
    class Conditional(LocalBackend): ...

class Plain: ...
class Declared(Backend): ...
class Stranger(Unknown): ...
class DeclaredAbstract(BackendBase, abc.ABC): ...
class DeclaredProtocol(Backend, t.Protocol): ...
class HasAnAbstractMethod(LocalBackend):
    @abstractmethod
    def more(self) -> None: ...
class BackendBase2(t.Any): ...

@conforms
class OfAnotherDecorator: ...

def function() -> None:
    class Local(LocalBackend): ...
""",
    "package/inner/__init__.py": "",
    "package/inner/more.py": "from ..backends import Direct\nclass More(Direct): ...\n",
    "package/.hidden/x.py": A_BACKEND,
    "package/env/pyvenv.cfg": "",
    "package/env/x.py": A_BACKEND,
    "package/nothing.py": "x = 1\n",
    "none/one.py": "class Plain: ...\n",
    "none/not-a-name.py": "import abc\nfrom zoo import Base\nclass Plain(Base): ...\n",
    "none/relative.py": "from .one import Plain\nclass Child(Plain): ...\n",
    "loose/free.py": "from backend_contract import LocalBackend\nclass Free(LocalBackend): ...\n",
    "bad/broken.py": "import backend_contract\ndef (:\n",
    "bad/bytes.py": "",
    "bad/other.py": "def (:\n",
    "bad/fine.py": "from backend_contract import LocalBackend\nclass Fine(LocalBackend): ...\n",
    "bad/not-a-name.py": A_BACKEND,
}
IN_BACKENDS = [
    "Direct",
    "Renamed",
    "OfModule",
    "Indirect",
    "Indirect.Nested",
    "Generic",
    "UnknownToo",
    "Structural",
    "StructuralByModule",
    "StructuralByAnotherModule",
    "Conditional",
    "Declared",
]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    (tmp_path / "bad/bytes.py").write_bytes(b"import backend_contract\n\xff\xfe")
    (tmp_path / "package/loop").symlink_to("..")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(text: str) -> list[str]:
    """Return the text of each target; that of an error starts with `!`."""
    return [t.text if isinstance(t, Target) else f"! {t}" for t in find_targets([text])]


def test_file(tree: Path) -> None:
    """A file gives its backends in source order."""
    assert found("package/backends.py") == [f"package/backends.py:{n}" for n in IN_BACKENDS]


@pytest.mark.parametrize("text", ["package", "package/", "./package"])
def test_directory(tree: Path, text: str) -> None:
    """A directory gives the backends of all files below it."""
    assert found(text) == [
        *(f"package/backends.py:{name}" for name in IN_BACKENDS),
        "package/inner/more.py:More",
    ]


def test_names(tree: Path) -> None:
    """Modules and packages are found by their dotted names."""
    assert found("package.backends") == [f"package.backends:{name}" for name in IN_BACKENDS]
    assert found("package.inner") == ["package.inner.more:More"]
    assert found("backend_contract.local") == ["backend_contract.local:LocalBackend"]


def test_package(tree: Path) -> None:
    """A package includes its own module and those below it, each once."""
    (tree / "package/Upper.py").write_text(A_BACKEND)
    assert found("package.Upper") == ["package.Upper:X"]
    (tree / "package/inner/__init__.py").write_text(A_BACKEND)
    assert found("package.inner") == ["package.inner:X", "package.inner.more:More"]


def test_plain_folder(tree: Path) -> None:
    """A folder without `__init__.py` is searched too."""
    assert found("loose") == ["loose/free.py:Free"]


def test_colon_in_path(tree: Path) -> None:
    """An existing path may contain a colon."""
    (tree / "loose").rename(tree / "od:d")
    assert found("od:d") == ["od:d/free.py:Free"]


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("none", "path/to/file.py"),
        ("none/one.py", "none/one.py"),
        ("package.nothing", "package.nothing"),
    ],
)
def test_nothing_found(tree: Path, text: str, example: str) -> None:
    """A target without backends is an error with a hint."""
    (line,) = found(text)
    assert line.startswith(f"! {text}: found no subclass of BackendBase")
    assert line.endswith(f"as {example}:Class")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent", "no Python source of a module 'absent'"),
        ("absent.py", "No such file or directory"),
        ("absent/", "No such file or directory"),
        ("", "a directory or a package, got ''"),
        ("a\0b", "a directory or a package, got 'a\\x00b'"),
        ("not a name", "got 'not a name'"),
    ],
)
def test_missing(tree: Path, text: str, message: str) -> None:
    """A name that does not exist is a one-line error."""
    (line,) = found(text)
    assert line.startswith("! ")
    assert message in line
    assert "\n" not in line


def test_unreadable_files(tree: Path) -> None:
    """A file that cannot be read or imported does not hide the others."""
    lines = found("bad")
    broken, not_utf8, fine, not_a_name = lines
    assert broken == f"! {tree}/bad/broken.py:2: invalid syntax"
    assert not_utf8.startswith(f"! {tree}/bad/bytes.py")
    assert fine == "bad/fine.py:Fine"
    assert not_a_name.startswith("! bad/not-a-name.py: 'not-a-name' is not an importable name")


@pytest.mark.exhaustive
def test_command(tree: Path, command: Command) -> None:
    """The command imports nothing, shows the results it has, and exits with 2."""
    (tree / "bad/fine.py").write_text(
        "import pathlib\npathlib.Path('executed').touch()\nraise SystemExit(7)\n"
        + FILES["bad/fine.py"]
    )
    run = command("check", "bad")
    assert run.returncode == 2
    assert run.stdout.startswith("bad/fine.py:Fine\n")
    assert run.stderr.count("\n") == 3
    assert not (tree / "executed").exists()


@pytest.mark.parametrize(
    ("text", "found_"),
    [
        ("import abc, backend_contract, zoo\n@backend_contract.conforms", True),
        ("import zoo, backend_contract, abc\n@backend_contract.conforms", True),
        ("import backend_contract.protocol\n@backend_contract.protocol.conforms", True),
        ("import abc, backend_contract.protocol as mine, zoo\n@mine.conforms", True),
        ("import zoo, backend_contract.protocol as mine, abc\n@mine.conforms", True),
        ("from backend_contract import protocol as mine, notify as a\n@mine.conforms", True),
        ("from backend_contract.protocol import conforms as k, Backend as z\n@k", True),
        ("from backend_contract.protocol import Backend as z, conforms as k\n@k", True),
        ("from backend_contract.protocol import Backend as a, conforms as k\n@k", True),
        ("from backend_contract import conforms\n@other\n@conforms", True),
        ("from backend_contract import notify as conforms\n@conforms", False),
        ("import backend_contract\n@backend_contract.notify", False),
        ("import backend_contract_too\n@backend_contract_too.conforms", False),
        ("import zoo as backend_contract\n@backend_contract.conforms", False),
        ("from .backend_contract import conforms\n@conforms", False),
        ("from .abc import conforms\n@conforms", False),
        ("conforms = 1\n@conforms", False),
        ("@conforms", False),
    ],
)
def test_conforms(tree: Path, text: str, found_: bool) -> None:
    """The decorator is recognized under any imported name, and no other decorator is."""
    (tree / "package/mine.py").write_text(f"{text}\nclass Mine: ...\n")
    assert found("package/mine.py")[0].startswith("! ") is not found_


@pytest.mark.parametrize("module", ["abc_", "zoo"])
def test_namesake_of_base(tree: Path, module: str) -> None:
    """A base that is only called BackendBase does not count."""
    classes = "class BackendBase: ...\nclass Mine(BackendBase): ...\n"
    (tree / f"{module}.py").write_text(classes)
    (line,) = found(f"{module}.py")
    assert "found no subclass of BackendBase" in line


def test_abstract(tree: Path) -> None:
    """Indirect subclasses are found, abstract classes are left out."""
    (tree / "mine.py").write_text("""\
from typing import Generic, Protocol
from backend_contract import LocalBackend as Base
class Plain: ...
class One(Base): ...
class Two(One): ...
class Three(Two):
    @other
    def method(self): ...
    @other
    async def method_too(self): ...
class Four(Three):
    async def method(self): ...
    @other
    @abc.abstractmethod
    async def method_too(self): ...
class Five(Generic[T], Three): ...
class Six(Protocol[T], Three): ...
""")
    assert found("mine.py") == [f"mine.py:{name}" for name in ("One", "Two", "Three", "Five")]


def test_rebound_name(tree: Path) -> None:
    """A class whose name means something else at the end of the module is left out."""
    (tree / "mine.py").write_text("""\
from backend_contract import LocalBackend
class Mine(LocalBackend): ...
from package.backends import Direct as Mine
class Lost(LocalBackend): ...
from nowhere import Lost
class Other(LocalBackend): ...
""")
    assert found("mine.py") == ["mine.py:Other"]


def test_broken_module(tree: Path) -> None:
    """A broken module in a package does not hide the others."""
    (tree / "package/inner/broken.py").write_text("import backend_contract\ndef (:\n")
    broken, more = found("package.inner")
    assert broken == f"! {tree}/package/inner/broken.py:2: invalid syntax"
    assert more == "package.inner.more:More"


@pytest.mark.parametrize("target", ["twice.py:Twice", "twice.py"])
def test_duplicate_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """If two classes share a name, the last one is the target."""
    monkeypatch.chdir(tmp_path)
    twice = "class Twice(LocalBackend): ...\n" * 2
    (tmp_path / "twice.py").write_text(f"from backend_contract import LocalBackend\n{twice}")
    assert found(target) == ["twice.py:Twice"]


@pytest.mark.parametrize("between", ["Child = Twice", "class Child(Twice): ...", ""])
def test_replaced_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str) -> None:
    """A class that another one replaces is named only if something uses it before."""
    monkeypatch.chdir(tmp_path)
    cls = "class Twice(LocalBackend): ..."
    lines = ["from backend_contract import LocalBackend", cls, between, cls]
    (tmp_path / "twice.py").write_text("\n".join(lines))
    assert [each.line for each in search(["twice.py"]).not_checked] == [2] * bool(between)
