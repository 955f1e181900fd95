"""Caikit's real runtime with our backends, our parts with Caikit's, our base in place of its own.

What is said in docs/caikit-runtime.md is shown here.
"""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import aconfig
import pytest
from caikit.core.module_backends import LocalBackend as CaikitLocalBackend
from caikit.core.module_backends.base import BackendBase as CaikitBackendBase

from backend_contract import (
    Backend,
    BackendBase,
    BackendRegistry,
    LocalBackend,
    RegistryError,
    ensure_started,
    ensure_stopped,
    notify,
    running,
)

HERE = Path(__file__).parent


def child(*command: str) -> str:
    run = subprocess.run(
        [sys.executable, *command],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


Seen = dict[str, Any]


@pytest.fixture(scope="module")
def as_it_is() -> Seen:
    """What `serve_with_caikit.py` saw with Caikit as it is."""
    seen: Seen = json.loads(child("serve_with_caikit.py"))
    return seen


@pytest.fixture(scope="module")
def dropped_in() -> Seen:
    """What it saw with our base in place of Caikit's."""
    seen: Seen = json.loads(child("serve_with_caikit.py", "--drop-in"))
    return seen


# Caikit's runtime, as it is


def test_our_backends_are_configured_by_backend_priority(as_it_is: Seen) -> None:
    assert as_it_is["backends"] == ["Inherits", "Structural", "LocalBackend"]
    assert as_it_is["in Caikit's registry"] == ["INHERITS", "LOCAL", "STRUCTURAL"]
    assert as_it_is["by attribute"] == ["INHERITS", "STRUCTURAL"]


def test_the_configuration_is_merged_with_what_the_module_wants(as_it_is: Seen) -> None:
    assert as_it_is["configuration"] == {"inner": {"address": "here", "workers": 2}}


def test_a_structural_backend_gets_there_by_one_call_and_not_by_caikits(as_it_is: Seen) -> None:
    assert as_it_is["structural by Caikit's own way"] == "TypeError"
    assert as_it_is["is an instance of the base"] is True


def test_a_module_is_given_our_backend_to_load_by(as_it_is: Seen) -> None:
    assert as_it_is["load_backend"] == [True]
    assert as_it_is["answers"] == ["HELLO by INHERITS"] * 2


@pytest.mark.parametrize("backend", ["INHERITS", "STRUCTURAL"])
def test_our_backends_are_told_about_requests_over_grpc_and_http(
    as_it_is: Seen, backend: str
) -> None:
    told = [(one["model"], one["kind"], one["route"]) for one in as_it_is["told"][backend]]
    assert told == [("echo", ["gRPC"], "left"), ("echo", ["HTTP"], "right")]


def test_a_backend_is_told_before_it_is_started(as_it_is: Seen) -> None:
    assert as_it_is["started when told"] == [False, True]  # hence BC505


def test_over_http_caikit_tells_on_its_event_loop(as_it_is: Seen) -> None:
    on_event_loop = [one["on the event loop"] for one in as_it_is["told"]["INHERITS"]]
    assert on_event_loop == [False, True]


def test_caikit_tells_nobody_after_the_first_that_raises(as_it_is: Seen) -> None:
    assert as_it_is["told when one raises"] == [2, 0]
    assert as_it_is["answers when one raises"] == ["StatusCode.INTERNAL", "500"]


def test_caikit_gives_mappings_that_are_no_config(as_it_is: Seen) -> None:
    assert as_it_is["given to the constructor"] == "ImmutableAttributeAccessDict"
    assert as_it_is["given to register_config"] == ["dict"]


def test_caikits_servers_stop_no_backend(as_it_is: Seen) -> None:
    assert as_it_is["started after the servers were stopped"] is True


def test_caikit_refuses_a_grpc_call_without_a_model(as_it_is: Seen) -> None:
    assert as_it_is["without a model id"] == "StatusCode.INVALID_ARGUMENT"


def test_another_class_of_a_name_is_an_error_with_us_and_nothing_with_caikit(
    as_it_is: Seen,
) -> None:
    result = as_it_is["registering another of that name"]
    assert result["Caikit keeps"] == "Inherits"
    assert result["ours"].startswith("Caikit has a backend 'INHERITS' already: __main__.Inherits.")


# our base in place of Caikit's


def test_with_our_base_in_its_place_caikits_runtime_does_the_same(
    as_it_is: Seen, dropped_in: Seen
) -> None:
    assert dropped_in == as_it_is


DROP_IN = """
import sys
from types import ModuleType
import backend_contract
base = ModuleType("caikit.core.module_backends.base")
base.BackendBase = backend_contract.BackendBase
sys.modules[base.__name__] = base
from caikit.core.module_backends import BackendBase, LocalBackend
assert BackendBase is backend_contract.BackendBase
"""


def test_with_our_base_in_its_place_caikits_local_backend_does_the_same() -> None:
    script = """
assert issubclass(LocalBackend, backend_contract.BackendBase)
backend = LocalBackend({"a": 1})
assert (backend.backend_type, backend.config, backend.is_started) == ("LOCAL", {"a": 1}, False)
with backend_contract.running(backend):
    assert backend.is_started
assert not backend.is_started
with backend.start_lock():
    backend.handle_runtime_context("model", None)
try:
    backend.register_config({})
except AssertionError as error:
    print(error)
"""
    printed = child("-c", DROP_IN + script)
    assert printed == "LOCAL backend does not support this operation\n"


def test_with_our_base_in_its_place_an_ellipsis_is_no_configuration() -> None:
    ellipsis: Any = ...
    assert CaikitLocalBackend(config=ellipsis).config is ...
    script = """
try:
    LocalBackend(config=...)
except TypeError as error:
    print(error)
"""
    printed = child("-c", DROP_IN + script)
    assert printed.startswith("a configuration is a mapping (such as an aconfig.Config), got ")


# Caikit's backends with us


class Told(CaikitLocalBackend):  # type: ignore[misc]  # Caikit has no types
    """A backend as they are written for Caikit."""

    backend_type = "TOLD"

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.told: list[tuple[str, object]] = []

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None:
        self.told.append((model_id, runtime_context))


def test_caikits_backends_go_through_our_registry_lifecycle_and_notify() -> None:
    registry = BackendRegistry()
    registry.register(CaikitLocalBackend)
    registry.register(Told)
    local, told = registry.configure([{"type": "LOCAL"}, {"type": "TOLD", "config": {"a": {}}}])
    assert type(local) is CaikitLocalBackend
    assert isinstance(told, Told)
    assert isinstance(told.config, aconfig.Config)
    context: Any = object()
    with running(local, told):
        assert local.is_started
        assert ensure_started(told) is told
        notify([local, told], "model", context)
    assert told.told == [("model", context)]
    assert not local.is_started
    ensure_stopped(local)
    assert isinstance(local, Backend)


def test_caikits_own_class_is_another_one_than_ours_under_the_same_name() -> None:
    registry = BackendRegistry()
    registry.register(LocalBackend)
    with pytest.raises(RegistryError, match=r"two classes have the backend_type 'LOCAL'"):
        registry.register(CaikitLocalBackend)


def test_caikits_base_names_itself_by_no_string() -> None:
    with pytest.raises(RegistryError, match=r"^BC102: caikit\.core\.module_backends\.base"):
        BackendRegistry().register(CaikitBackendBase)


# the clauses that Caikit's interface does not meet


def test_bc203_caikits_local_backend_refuses_a_registration_by_an_assertion() -> None:
    with pytest.raises(AssertionError):  # and not NotImplementedError
        CaikitLocalBackend().register_config(aconfig.Config({}))


def test_bc203_caikit_registers_without_asking_whether_a_backend_can() -> None:
    script = """
from caikit.core.model_management.local_model_initializer import LocalModelInitializer
from backend_contract import LocalBackend
from backend_contract.integrations.caikit import register

@register
class Fixed(LocalBackend):
    backend_type = "INHERITS"

    def register_config(self, config):
        raise NotImplementedError

import tiny_library
priority = {"backend_priority": [{"type": "INHERITS"}]}
import aconfig
try:
    LocalModelInitializer(aconfig.Config(priority, override_env_vars=False), "test")
except NotImplementedError:
    print("not configured")
"""
    assert child("-c", script) == "not configured\n"


def test_bc404_caikits_lock_is_not_reentrant() -> None:
    backend = CaikitLocalBackend()
    with backend.start_lock():
        assert not backend._start_lock.acquire(blocking=False)
    ours = LocalBackend()
    with ours.start_lock(), ours.start_lock():
        pass


def test_an_empty_configuration_becomes_a_plain_dict() -> None:
    assert type(CaikitLocalBackend(aconfig.Config({})).config) is dict
    assert isinstance(LocalBackend(aconfig.Config({})).config, aconfig.Config)


def test_caikits_hints_do_not_resolve() -> None:
    with pytest.raises(NameError):
        typing.get_type_hints(CaikitBackendBase.handle_runtime_context)


def test_the_way_into_caikits_registry_is_documented_and_exported() -> None:
    module = importlib.import_module("backend_contract.integrations.caikit")
    assert module.__all__ == ["register"]
    assert module.register.__doc__
    typing.get_type_hints(module.register)
    functions = {n for n, f in vars(module).items() if inspect.isfunction(f)}
    assert functions == {"register", "backend_type_of", "class_name"}
    assert not issubclass(BackendBase, CaikitBackendBase)


@pytest.mark.parametrize(("name", "clause"), [("lower", "BC103"), (None, "BC102")])
def test_a_name_that_breaks_its_clause_is_refused(name: Any, clause: str) -> None:
    register = importlib.import_module("backend_contract.integrations.caikit").register
    with pytest.raises(RegistryError, match=f"^{clause}: "):
        register(type("Mine", (LocalBackend,), {"backend_type": name}))


def test_what_is_no_class_is_refused() -> None:
    register = importlib.import_module("backend_contract.integrations.caikit").register
    with pytest.raises(TypeError, match="a class was expected"):
        register(LocalBackend())
