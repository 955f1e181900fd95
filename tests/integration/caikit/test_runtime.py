"""Caikit's runtime with our backends, Caikit's backends with our functions, our base class as its.

These tests prove the statements of docs/caikit-runtime.md.
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


def run_python(*command: str) -> str:
    """Run Python in a separate process and return its output."""
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


Output = dict[str, Any]


@pytest.fixture(scope="module")
def unchanged() -> Output:
    """The output of `serve_with_caikit.py` with Caikit unchanged."""
    seen: Output = json.loads(run_python("serve_with_caikit.py"))
    return seen


@pytest.fixture(scope="module")
def dropped_in() -> Output:
    """Its output with our base class in place of Caikit's."""
    seen: Output = json.loads(run_python("serve_with_caikit.py", "--drop-in"))
    return seen


# Caikit's runtime with our backends


def test_backend_priority(unchanged: Output) -> None:
    """Our backends can be listed in `backend_priority`."""
    assert unchanged["backends"] == ["Inherits", "Structural", "LocalBackend"]
    assert unchanged["Caikit's registry"] == ["INHERITS", "LOCAL", "STRUCTURAL"]
    assert unchanged["backend_types"] == ["INHERITS", "STRUCTURAL"]


def test_merged_configuration(unchanged: Output) -> None:
    """The configuration is merged with the override of the module."""
    assert unchanged["configuration"] == {"inner": {"address": "here", "workers": 2}}


def test_structural_backend(unchanged: Output) -> None:
    """Caikit's registration rejects a structural backend; ours makes it a virtual subclass."""
    assert unchanged["Caikit's registration of a structural backend"] == "TypeError"
    assert unchanged["isinstance of Caikit's base"] is True


def test_load_backend(unchanged: Output) -> None:
    """Caikit passes our backend to the module that loads a model."""
    assert unchanged["load_backend is ours"] == [True]
    assert unchanged["answers"] == ["HELLO by INHERITS"] * 2


@pytest.mark.parametrize("backend", ["INHERITS", "STRUCTURAL"])
def test_notification(unchanged: Output, backend: str) -> None:
    """Our backends are notified of requests over gRPC and HTTP."""
    requests = [(r["model"], r["kind"], r["route"]) for r in unchanged["requests"][backend]]
    assert requests == [("echo", ["gRPC"], "left"), ("echo", ["HTTP"], "right")]


def test_notification_before_start(unchanged: Output) -> None:
    """A backend is notified before it is started, hence clause BC505."""
    assert unchanged["started when notified"] == [False, True]


def test_event_loop(unchanged: Output) -> None:
    """Over HTTP, Caikit notifies backends on its event loop."""
    on_event_loop = [one["on the event loop"] for one in unchanged["requests"]["INHERITS"]]
    assert on_event_loop == [False, True]


def test_failing_notification(unchanged: Output) -> None:
    """If a backend raises, Caikit notifies no further backend and fails the request."""
    assert unchanged["requests if a backend raises"] == [2, 0]
    assert unchanged["answers if a backend raises"] == ["StatusCode.INTERNAL", "500"]


def test_mappings(unchanged: Output) -> None:
    """Caikit passes mappings that are not an `aconfig.Config`."""
    assert unchanged["constructor argument"] == "ImmutableAttributeAccessDict"
    assert unchanged["register_config arguments"] == ["dict"]


def test_servers_do_not_stop_backends(unchanged: Output) -> None:
    """Caikit's servers do not stop backends."""
    assert unchanged["started after stopping the servers"] is True


def test_missing_model_id(unchanged: Output) -> None:
    """Caikit rejects a gRPC call without a model id."""
    assert unchanged["answer without a model id"] == "StatusCode.INVALID_ARGUMENT"


def test_duplicate_name(unchanged: Output) -> None:
    """For a duplicate name, our registration raises; Caikit silently keeps the first class."""
    result = unchanged["duplicate name"]
    assert result["Caikit keeps"] == "Inherits"
    assert result["ours"].startswith("Caikit already has a backend 'INHERITS': __main__.Inherits")


# our base class in place of Caikit's


def test_drop_in_runtime(unchanged: Output, dropped_in: Output) -> None:
    """With our base class, Caikit's runtime behaves the same."""
    assert dropped_in == unchanged


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


def test_drop_in_local_backend() -> None:
    """With our base class, Caikit's LocalBackend behaves the same."""
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
    printed = run_python("-c", DROP_IN + script)
    assert printed == "LOCAL backend does not support this operation\n"


def test_drop_in_ellipsis() -> None:
    """Our base class rejects an ellipsis as configuration, which Caikit's accepts."""
    ellipsis: Any = ...
    assert CaikitLocalBackend(config=ellipsis).config is ...
    script = """
try:
    LocalBackend(config=...)
except TypeError as error:
    print(error)
"""
    printed = run_python("-c", DROP_IN + script)
    assert "mapping" in printed
    assert "ellipsis" in printed


# Caikit's backends with our functions


class Recorder(CaikitLocalBackend):  # type: ignore[misc]  # Caikit has no types
    """A typical backend for Caikit, which records requests."""

    backend_type = "RECORDER"

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.requests: list[tuple[str, object]] = []

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None:
        self.requests.append((model_id, runtime_context))


def test_caikit_backends() -> None:
    """Our registry, lifecycle functions and `notify` accept Caikit's backends."""
    registry = BackendRegistry()
    registry.register(CaikitLocalBackend)
    registry.register(Recorder)
    priority: list[dict[str, Any]] = [{"type": "LOCAL"}, {"type": "RECORDER", "config": {"a": {}}}]
    local, recorder = registry.create_all(priority)
    assert type(local) is CaikitLocalBackend
    assert isinstance(recorder, Recorder)
    assert isinstance(recorder.config, aconfig.Config)
    context: Any = object()
    with running(local, recorder):
        assert local.is_started
        assert ensure_started(recorder) is recorder
        notify([local, recorder], "model", context)
    assert recorder.requests == [("model", context)]
    assert not local.is_started
    ensure_stopped(local)
    assert isinstance(local, Backend)


def test_two_local_backends() -> None:
    """Caikit's LOCAL and ours are different classes of the same name."""
    registry = BackendRegistry()
    registry.register(LocalBackend)
    with pytest.raises(RegistryError, match=r"two classes have the backend_type 'LOCAL'"):
        registry.register(CaikitLocalBackend)


def test_base_without_name() -> None:
    """Caikit's base class cannot be registered: its name is not a string."""
    with pytest.raises(RegistryError, match=r"^BC102: caikit\.core\.module_backends\.base"):
        BackendRegistry().register(CaikitBackendBase)


# differences between the contract and Caikit


def test_bc203_local_backend() -> None:
    """Caikit's LocalBackend rejects registration with AssertionError, not NotImplementedError."""
    with pytest.raises(AssertionError):
        CaikitLocalBackend().register_config(aconfig.Config({}))


def test_bc203_caikit() -> None:
    """Caikit does not handle NotImplementedError from `register_config`."""
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
    assert run_python("-c", script) == "not configured\n"


def test_bc404_lock() -> None:
    """Caikit's start lock is not re-entrant; ours is."""
    backend = CaikitLocalBackend()
    with backend.start_lock():
        assert not backend._start_lock.acquire(blocking=False)
    ours = LocalBackend()
    with ours.start_lock(), ours.start_lock():
        pass


def test_empty_configuration() -> None:
    """Caikit replaces an empty configuration by a dict; ours is kept."""
    assert type(CaikitLocalBackend(aconfig.Config({})).config) is dict
    assert isinstance(LocalBackend(aconfig.Config({})).config, aconfig.Config)


def test_annotations() -> None:
    """Caikit's annotations do not resolve."""
    with pytest.raises(NameError):
        typing.get_type_hints(CaikitBackendBase.handle_runtime_context)


def test_public_names() -> None:
    """`register` is the only public name of the integration; its annotations resolve."""
    module = importlib.import_module("backend_contract.integrations.caikit")
    assert module.__all__ == ["register"]
    assert module.register.__doc__
    typing.get_type_hints(module.register)
    functions = {n for n, f in vars(module).items() if inspect.isfunction(f)}
    assert functions == {"register", "usable_name", "class_name"}
    assert not issubclass(BackendBase, CaikitBackendBase)


@pytest.mark.parametrize(("name", "clause"), [("lower", "BC103"), (None, "BC102")])
def test_unusable_name(name: Any, clause: str) -> None:
    """A name that violates a clause is rejected with that clause."""
    register = importlib.import_module("backend_contract.integrations.caikit").register
    with pytest.raises(RegistryError, match=f"^{clause}: "):
        register(type("Mine", (LocalBackend,), {"backend_type": name}))


def test_not_a_class() -> None:
    """An object that is not a class is rejected."""
    register = importlib.import_module("backend_contract.integrations.caikit").register
    with pytest.raises(TypeError, match="expected a class"):
        register(LocalBackend())
