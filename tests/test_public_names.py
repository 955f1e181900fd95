from __future__ import annotations

import inspect
import pkgutil
import typing
from types import ModuleType

import pytest
from support import core_modules, run_python

import backend_contract
import backend_contract.testing as kit
from backend_contract import clauses, errors
from backend_contract._conformance import request_servers

MODULES = core_modules()
PUBLIC = [module for module in MODULES if "._" not in module.__name__]

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
every_public_module = pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)


def test_package_exports() -> None:
    """The package exports these names, in this order."""
    assert backend_contract.__all__ == [
        "Backend",
        "BackendBase",
        "BackendFactory",
        "BackendRegistry",
        "BackendStartError",
        "BackendStopError",
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


def test_testing_exports() -> None:
    """`testing` exports the suite, and everything its functions take, return or raise."""
    assert kit.__all__ == [
        "BackendConformance",
        "Clause",
        "CouldNotCheckError",
        "Finding",
        "Pairs",
        "Report",
        "Source",
        "Verdict",
        "check_backend",
        "grpc_context",
        "http_request",
    ]
    assert kit.Clause is clauses.Clause
    assert kit.CouldNotCheckError is errors.CouldNotCheckError
    assert kit.Pairs is request_servers.Pairs


def test_public_modules() -> None:
    """These modules are public; the conformance machinery is private."""
    names = [info.name for info in pkgutil.iter_modules(backend_contract.__path__)]
    assert [name for name in names if not name.startswith("_")] == [
        "base",
        "clauses",
        "errors",
        "integrations",
        "lifecycle",
        "local",
        "notification",
        "protocol",
        "registry",
        "runtime_context",
        "testing",
    ]
    assert "_conformance" in names
    assert "_examples" in names


def test_no_other_names() -> None:
    """The package has no public name besides its exports and its modules."""
    # pytest adds names that start with "@" to modules whose assertions it rewrites.
    names = {name for name in vars(backend_contract) if name[0] not in "_@"} - {"annotations"}
    modules = {info.name for info in pkgutil.iter_modules(backend_contract.__path__)}
    assert names - modules == set(backend_contract.__all__)


def public_definitions(module: ModuleType) -> set[str]:
    """Return the classes and functions a module defines under a name without an underscore."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
    }


INTERNAL = {
    "GrpcContextType",  # aliases in signatures: classes below Python 3.12
    "HttpContextType",
    "EntryPointType",
    "class_name",  # shared by the package's modules
    "usable_name",
    "pytest_configure",  # a hook, called by name
}


@every_public_module
def test_exports_are_complete(module: ModuleType) -> None:
    """A public module exports every class and function that it defines."""
    assert public_definitions(module) - INTERNAL <= set(getattr(module, "__all__", ()))


@every_module
def test_exports_exist(module: ModuleType) -> None:
    """Every exported name exists, and is exported once."""
    exported = list(getattr(module, "__all__", ()))
    assert len(exported) == len(set(exported))
    for name in exported:
        assert hasattr(module, name), name


@every_module
def test_docstrings(module: ModuleType) -> None:
    """Modules and the classes and functions that they export have docstrings."""
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        is_class = inspect.isclass(value) and typing.get_origin(value) is None  # on 3.10: an alias
        if is_class or inspect.isfunction(value):
            assert value.__doc__, name


def imported_by(statement: str) -> set[str]:
    """Return the modules that a statement loads in a new interpreter."""
    run = run_python(
        f"import sys; before = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    )
    assert run.stderr == ""
    return set(run.stdout.split())


HEAVY = {
    "aconfig",
    "anyio",
    "asyncio",
    "backend_contract._conformance",
    "backend_contract._structure",
    "backend_contract.clauses",
    "backend_contract.testing",
    "dataclasses",
    "difflib",
    "exceptiongroup",
    "fastapi",
    "grpc",
    "importlib.metadata",
    "inspect",
    "logging",
    "mypy",
    "pathlib",
    "starlette",
    "typing_extensions",
    "yaml",
}


def test_light_import() -> None:
    """Importing the package loads no framework, and nothing that is needed later or rarely."""
    loaded = imported_by("import backend_contract")
    assert "backend_contract.registry" in loaded
    assert not loaded & HEAVY


def test_used_without_machinery() -> None:
    """Using a backend loads aconfig and neither a framework nor the conformance machinery."""
    loaded = imported_by(
        "from backend_contract import *\n"
        "with running(LocalBackend()) as backends: notify(backends, 'model', object())"
    )
    assert "aconfig" in loaded
    assert not loaded & {"backend_contract._conformance", "fastapi", "grpc", "mypy", "starlette"}
