from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import backend_contract

MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(backend_contract.__path__, "backend_contract.")
    if not info.name.endswith(".__main__")
    and not info.name.startswith("backend_contract.integrations.")  # where the frameworks are
]
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


def public_definitions(module: ModuleType) -> set[str]:
    """What a module defines itself, under a name without an underscore."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
    }


def test_the_package_exports_these_names() -> None:
    assert backend_contract.__all__ == [
        "Backend",
        "BackendBase",
        "BackendRegistry",
        "BackendStartError",
        "ContractError",
        "LocalBackend",
        "RegistryError",
        "RuntimeServerContextType",
        "conforms",
        "ensure_started",
        "ensure_stopped",
        "notify",
        "running",
        "running_async",
    ]


def test_the_package_has_no_other_public_name_than_its_modules() -> None:
    # With this package's pytest plugin, pytest adds names of its own ("@py_builtins").
    names = {name for name in vars(backend_contract) if name[0] not in "_@"} - {"annotations"}
    modules = {module.__name__.removeprefix("backend_contract.") for module in MODULES}
    assert names - modules == set(backend_contract.__all__)


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if m.__name__.count(".") == 1 and not hasattr(m, "__path__")],
    ids=lambda module: module.__name__,
)
def test_a_module_of_the_core_exports_what_it_defines_and_nothing_it_does_not_have(
    module: ModuleType,
) -> None:
    exported = set(module.__all__)
    assert all(hasattr(module, name) for name in exported)
    helpers = {"GrpcContextType", "HttpContextType", "BackendClass"}  # aliases in signatures
    assert public_definitions(module) - helpers <= exported


@every_module
def test_every_exported_name_exists(module: ModuleType) -> None:
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), name


@every_module
def test_every_exported_class_and_function_has_a_docstring(module: ModuleType) -> None:
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name


def test_the_import_loads_neither_a_framework_nor_aconfig_nor_the_conformance_machinery() -> None:
    script = (
        "import sys, backend_contract; loaded = set(sys.modules);"
        "print(*sorted(loaded & {'aconfig', 'yaml', 'grpc', 'fastapi', 'starlette', 'mypy',"
        "'typing_extensions', 'anyio', 'asyncio', 'logging', 'exceptiongroup',"
        "'importlib.metadata', 'difflib', 'backend_contract._conformance'}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"
