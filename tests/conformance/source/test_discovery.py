"""Backends that are found in what is named, without importing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.source.targets import Target, find_targets

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
class SaysItIsAbstract(BackendBase, abc.ABC): ...
class SaysItIsAProtocol(Backend, t.Protocol): ...
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
    "bad/broken.py": "def (:\n",
    "bad/bytes.py": "",
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
]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    (tmp_path / "bad/bytes.py").write_bytes(b"\xff\xfe")
    (tmp_path / "package/loop").symlink_to("..")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(text: str) -> list[str]:
    return [t.text if isinstance(t, Target) else f"! {t}" for t in find_targets([text])]


def test_a_file_gives_its_backends_in_the_order_of_its_lines(tree: Path) -> None:
    assert found("package/backends.py") == [f"package/backends.py:{n}" for n in IN_BACKENDS]


@pytest.mark.parametrize("text", ["package", "package/", "./package"])
def test_a_directory_gives_those_of_all_its_files(tree: Path, text: str) -> None:
    assert found(text) == [
        *(f"package/backends.py:{name}" for name in IN_BACKENDS),
        "package/inner/more.py:More",
    ]


def test_a_module_and_a_package_are_found_by_their_names(tree: Path) -> None:
    assert found("package.backends") == [f"package.backends:{name}" for name in IN_BACKENDS]
    assert found("package.inner") == ["package.inner.more:More"]
    assert found("backend_contract") == ["backend_contract.local:LocalBackend"]


def test_a_module_is_searched_once_and_a_package_with_what_is_below(tree: Path) -> None:
    (tree / "package/Upper.py").write_text(A_BACKEND)
    assert found("package.Upper") == ["package.Upper:X"]
    (tree / "package/inner/__init__.py").write_text(A_BACKEND)
    assert found("package.inner") == ["package.inner:X", "package.inner.more:More"]


def test_a_folder_that_is_no_package_is_searched_too(tree: Path) -> None:
    assert found("loose") == ["loose/free.py:Free"]


def test_a_directory_is_found_where_a_file_of_that_name_has_a_colon(tree: Path) -> None:
    (tree / "loose").rename(tree / "od:d")
    assert found("od:d") == ["od:d/free.py:Free"]


@pytest.mark.parametrize("text", ["none", "none/one.py", "package.nothing"])
def test_where_there_is_no_backend_nothing_is_green(tree: Path, text: str) -> None:
    (line,) = found(text)
    assert line.startswith(f"! {text}: no backend ")
    assert ":Class" in line


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
def test_what_is_not_there_is_one_clear_line(tree: Path, text: str, message: str) -> None:
    (line,) = found(text)
    assert line.startswith("! ")
    assert message in line
    assert "\n" not in line


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tree: Path) -> None:
    lines = found("bad")
    broken, not_utf8, fine, not_a_name = lines
    assert broken == f"! {tree}/bad/broken.py:1: invalid syntax"
    assert not_utf8.startswith(f"! {tree}/bad/bytes.py")
    assert fine == "bad/fine.py:Fine"
    assert not_a_name.startswith("! bad/not-a-name.py: 'not-a-name' is no name")


def test_nothing_that_is_found_is_imported(tree: Path, command: Command) -> None:
    (tree / "loose/free.py").write_text(
        "import pathlib\npathlib.Path('executed').touch()\nraise SystemExit(7)\n"
        + FILES["loose/free.py"]
    )
    run = command("check", "loose")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("loose/free.py:Free\n")
    assert not (tree / "executed").exists()


def test_what_is_wrong_in_a_directory_is_exit_2_and_the_rest_is_shown(
    tree: Path, command: Command
) -> None:
    run = command("check", "bad")
    assert run.returncode == 2
    assert "bad/fine.py:Fine" in run.stdout
    assert run.stderr.count("\n") == 3


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
def test_conforms_is_known_under_whatever_name(tree: Path, text: str, found_: bool) -> None:
    (tree / "package/mine.py").write_text(f"{text}\nclass Mine: ...\n")
    assert found("package/mine.py")[0].startswith("! ") is not found_


@pytest.mark.parametrize("module", ["abc_", "zoo"])
def test_a_base_of_somebody_elses_is_not_ours_by_its_name(tree: Path, module: str) -> None:
    classes = "class BackendBase: ...\nclass Mine(BackendBase): ...\n"
    (tree / f"{module}.py").write_text(classes)
    (line,) = found(f"{module}.py")
    assert "no backend in it" in line


def test_what_is_inherited_from_afar_is_found_and_what_is_abstract_is_not(tree: Path) -> None:
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


def test_a_name_that_is_given_again_is_the_last_class_of_that_name(tree: Path) -> None:
    (tree / "mine.py").write_text("""\
from backend_contract import LocalBackend
class Mine(LocalBackend): ...
from package.backends import Direct as Mine
class Lost(LocalBackend): ...
from nowhere import Lost
class Other(LocalBackend): ...
""")
    assert found("mine.py") == ["mine.py:Other"]


def test_what_cannot_be_parsed_in_a_package_does_not_hide_the_rest(tree: Path) -> None:
    (tree / "package/inner/broken.py").write_text("def (:\n")
    broken, more = found("package.inner")
    assert broken == f"! {tree}/package/inner/broken.py:1: invalid syntax"
    assert more == "package.inner.more:More"


def test_the_words_for_nothing_found_fit_what_was_searched(tree: Path) -> None:
    (line,) = found("none")
    assert line.startswith("! none: no backend below it: ")
    assert line.endswith("as path/to/file.py:Class")
    (line,) = found("none/one.py")
    assert line.startswith("! none/one.py: no backend in it: ")
    assert line.endswith("as none/one.py:Class")


@pytest.mark.parametrize("target", ["twice.py:Twice", "twice.py"])
def test_a_class_that_is_defined_twice_is_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    twice = "class Twice(LocalBackend): ...\n" * 2
    (tmp_path / "twice.py").write_text(f"from backend_contract import LocalBackend\n{twice}")
    (found,) = find_targets([target])
    assert not isinstance(found, Target)
    assert "twice.py:Twice: defined on lines 2, 3" in str(found)
