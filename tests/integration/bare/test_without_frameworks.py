"""What holds where neither gRPC nor FastAPI is installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import backend_contract
from backend_contract._conformance.cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["grpc", "fastapi", "starlette"])
def test_this_environment_has_no_framework(name: str) -> None:
    assert importlib.util.find_spec(name) is None


@pytest.mark.parametrize(("name", "distribution"), [("grpc", "grpcio"), ("fastapi", "FastAPI")])
def test_a_ready_part_without_its_framework_names_the_extra(name: str, distribution: str) -> None:
    module = f"backend_contract.integrations.{name}"
    with pytest.raises(ModuleNotFoundError) as error:
        importlib.import_module(module)
    hint = f"{module} needs {distribution}: pip install 'backend-contract[{name}]'"
    assert str(error.value) == hint
    assert error.value.name == name


def test_the_way_into_caikits_registry_names_caikit_where_it_is_not_installed() -> None:
    with pytest.raises(ModuleNotFoundError, match="needs Caikit: pip install caikit"):
        importlib.import_module("backend_contract.integrations.caikit")


def public_objects() -> Iterator[object]:
    """Every public function, method and class of every module of the core, and their wrappees."""
    for info in pkgutil.walk_packages(backend_contract.__path__, "backend_contract."):
        if not info.name.endswith("__main__") and "integrations." not in info.name:
            module = importlib.import_module(info.name)
            for name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                if inspect.isclass(value):
                    yield value
                    for member in vars(value).values():
                        if isinstance(member, property):
                            yield member.fget
                        elif inspect.isfunction(member):
                            yield member
                elif inspect.isfunction(value):
                    yield value


@pytest.mark.parametrize(
    "value", list(public_objects()), ids=lambda v: f"{v.__module__}.{v.__qualname__}"
)
def test_type_hints_resolve(value: object) -> None:
    typing.get_type_hints(value)


def test_the_hints_stop_at_the_aliases() -> None:
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
def test_the_examples_are_checked_on_the_bundled_stubs(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--strict", f"{ROOT}/examples/{target}"]) == 0
    assert "8 ok (layer S" in capsys.readouterr().out


def test_half_of_the_context_union_is_seen_though_neither_half_is_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import grpc\nfrom backend_contract import LocalBackend\n\n"
        "class Mine(LocalBackend):\n"
        "    def handle_runtime_context(\n"
        "        self, model_id: str, runtime_context: grpc.ServicerContext\n"
        "    ) -> None: ...\n"
    )
    assert main(["check", f"{path}:Mine"]) == 1
    assert "7 ok, 1 violated" in capsys.readouterr().out


def installed_files() -> set[str]:
    files = importlib.metadata.files("backend-contract")
    assert files is not None
    return {file.as_posix() for file in files}


def test_the_wheel_carries_the_stubs_inside_the_package() -> None:
    inside = "backend_contract/_conformance/typings"
    stubs = {path.relative_to(ROOT / "typings") for path in (ROOT / "typings").rglob("*.pyi")}
    assert {f"{inside}/{stub.as_posix()}" for stub in stubs} <= installed_files()


def test_the_wheel_installs_nothing_that_would_shadow_a_stub_of_the_users() -> None:
    outside = {file for file in installed_files() if not file.startswith("backend_contract/")}
    metadata = {file for file in outside if file.startswith("backend_contract-")}
    assert [Path(file).name for file in outside - metadata] == ["backend-contract"]


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_wheel_carries_the_licence_and_the_credit(name: str) -> None:
    assert any(file.endswith(f"/licenses/{name}") for file in installed_files())
