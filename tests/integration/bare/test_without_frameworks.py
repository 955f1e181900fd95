"""The package in an environment without gRPC and FastAPI."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import typing
from pathlib import Path

import pytest

import backend_contract
from backend_contract._conformance.cli.main import main
from backend_contract._conformance.static.stubs import read_stubs

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["grpc", "fastapi", "starlette"])
def test_environment(name: str) -> None:
    """The environment of these tests has none of the frameworks."""
    assert importlib.util.find_spec(name) is None


@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("grpc", "'backend-contract[grpc]'"),
        ("fastapi", "'backend-contract[fastapi]'"),
        ("caikit", "caikit"),
    ],
)
def test_missing_framework(name: str, requirement: str) -> None:
    """Importing an integration without its framework says what to install."""
    module = f"backend_contract.integrations.{name}"
    with pytest.raises(ModuleNotFoundError) as error:
        importlib.import_module(module)
    assert module in str(error.value)
    assert str(error.value).endswith(f"pip install {requirement}")
    assert str(error.value.name).split(".")[0] == name


def test_annotations_are_aliases() -> None:
    """Annotations resolve to aliases, which do not look for the frameworks."""
    hints = typing.get_type_hints(backend_contract.Backend.handle_runtime_context)
    assert hints == {
        "model_id": str,
        "runtime_context": backend_contract.RuntimeServerContextType,
        "return": type(None),
    }
    assert backend_contract.RuntimeServerContextType.__name__ == "RuntimeServerContextType"


@pytest.mark.parametrize(
    "target",
    ["structural_backend.py:EchoBackend", "text_generation_backend.py:TextGenerationBackend"],
)
def test_bundled_stubs(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples pass a check with the bundled stubs."""
    assert main(["check", f"{ROOT}/examples/{target}"]) == 0
    assert "10 ok (layer S" in capsys.readouterr().out


def test_half_of_context_union(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accepting only half of the context union is a violation, seen by the bundled stubs."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import grpc\nfrom backend_contract import LocalBackend\n\n"
        "class Mine(LocalBackend):\n"
        "    backend_type = 'MINE'\n"
        "    def handle_runtime_context(\n"
        "        self, model_id: str, runtime_context: grpc.ServicerContext\n"
        "    ) -> None: ...\n"
    )
    assert main(["check", f"{path}:Mine"]) == 1
    assert "9 ok, 1 violated" in capsys.readouterr().out


def installed_files() -> set[str]:
    files = importlib.metadata.files("backend-contract")
    assert files is not None
    return {file.as_posix() for file in files}


def test_wheel_contains_stubs() -> None:
    """The wheel contains each stub once, inside the package but for those of aconfig."""
    inside = "backend_contract/_conformance/static/typings/"
    paths = [path.relative_to(ROOT / "typings") for path in (ROOT / "typings").rglob("*.pyi")]
    stubs = {inside + path.as_posix() for path in paths if path.parts[0] != "aconfig"}
    assert {file for file in installed_files() if file.startswith(inside)} == stubs
    assert read_stubs("aconfig").keys() == {"aconfig/__init__.pyi", "aconfig/aconfig.pyi"}


def test_wheel_adds_no_other_package() -> None:
    """Beside the package, the wheel installs the command and a stub package of aconfig alone."""
    outside = {file for file in installed_files() if not file.startswith("backend_contract/")}
    metadata = {file for file in outside if file.startswith("backend_contract-")}
    stubs = {file for file in outside if file.startswith("aconfig-stubs/")}
    assert [Path(file).name for file in outside - metadata - stubs] == ["backend-contract"]


def test_wheel_contains_stub_package() -> None:
    """The stub package of aconfig is `typings/aconfig`, and says that it is partial."""
    files = importlib.metadata.files("backend-contract")
    assert files is not None
    stubs = {file.name: file for file in files if file.parts[0] == "aconfig-stubs"}
    source = {path.name: path for path in (ROOT / "typings/aconfig").iterdir()}
    assert stubs.keys() == source.keys() == {"__init__.pyi", "aconfig.pyi", "py.typed"}
    for name, file in stubs.items():
        assert file.read_text(encoding="utf-8") == source[name].read_text(encoding="utf-8")
    assert source["py.typed"].read_text(encoding="utf-8") == "partial\n"


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_wheel_contains_licences(name: str) -> None:
    """The wheel contains the licence and the notice."""
    assert any(file.endswith(f"/licenses/{name}") for file in installed_files())
