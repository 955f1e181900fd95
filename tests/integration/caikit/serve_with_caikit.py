"""Caikit's real runtime with our backends; prints, as JSON, what they received.

    python serve_with_caikit.py [--drop-in]

With `--drop-in`, `backend_contract.BackendBase` replaces Caikit's base class before Caikit is
imported.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import backend_contract
from backend_contract.runtime_context import get_metadata, is_grpc_context, is_http_context

if "--drop-in" in sys.argv:
    base: Any = ModuleType("caikit.core.module_backends.base")
    base.BackendBase = backend_contract.BackendBase
    sys.modules[base.__name__] = base

import caikit
import grpc
from caikit.core import MODEL_MANAGER
from caikit.core.module_backends import LocalBackend, backend_types
from caikit.core.module_backends.base import BackendBase
from caikit.core.registries import module_backend_classes

from backend_contract.integrations.caikit import register


class Recorder:
    """Records the requests that a backend is notified of."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        kinds: dict[str, Any] = {"gRPC": is_grpc_context, "HTTP": is_http_context}
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_event_loop = False
        else:
            on_event_loop = True
        self.requests.append(
            {
                "model": model_id,
                "kind": [kind for kind, is_one in kinds.items() if is_one(runtime_context)],
                "route": get_metadata(runtime_context, "x-route-info"),
                "on the event loop": on_event_loop,
            }
        )


class Inherits(Recorder, backend_contract.LocalBackend):
    backend_type = "INHERITS"

    def __init__(self, config: Any = None) -> None:
        Recorder.__init__(self)
        backend_contract.LocalBackend.__init__(self, config)
        self.given = type(config).__name__
        self.registered: list[str] = []
        self.started_when_notified: list[bool] = []

    def register_config(self, config: Any) -> None:
        self.registered.append(type(config).__name__)
        super().register_config(config)

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        self.started_when_notified.append(self.is_started)
        super().handle_runtime_context(model_id, runtime_context)
        if get_metadata(runtime_context, "x-route-info") == "nowhere":
            raise OSError("no such route")


class Structural(Recorder):
    backend_type = "STRUCTURAL"

    def __init__(self, config: Any = None) -> None:
        super().__init__()
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config: Any) -> None:
        raise NotImplementedError("no dynamic configuration")

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> Any:
        return self.lock


def refused(register: Any) -> str:
    """Return the error with which Caikit rejects a structural backend."""
    try:
        register(Structural)
    except Exception as error:
        return type(error).__name__
    return "accepted"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def main() -> dict[str, Any]:
    models = Path(tempfile.mkdtemp())
    (models / "echo").mkdir()
    result: dict[str, Any] = {}
    result["Caikit's registration of a structural backend"] = refused(register_by_caikit)
    register_by_caikit(Inherits)
    assert register(Structural) is Structural
    caikit.configure(
        config_dict={
            "log": {"level": "off"},
            "model_management": {
                "initializers": {
                    "default": {
                        "type": "LOCAL",
                        "config": {
                            "backend_priority": [
                                {"type": "INHERITS", "config": {"inner": {"address": "here"}}},
                                {"type": "STRUCTURAL"},
                            ]  # Caikit appends LOCAL, its default
                        },
                    }
                }
            },
            "runtime": {
                "library": "tiny_library",
                "local_models_dir": str(models),
                "lazy_load_local_models": True,
                "load_new_local_models": False,  # loads them at the first request
                "metrics": {"enabled": False},
                "grpc": {"port": free_port(), "unix_socket_path": ""},
                "http": {"port": free_port()},
                "service_generation": {"enable_training": False, "enable_inference_jobs": False},
            },
        }
    )
    import tiny_library

    (models / "echo" / "config.yml").write_text(
        f"module_id: {tiny_library.MODULE_ID}\nname: Echo\nversion: 0.0.1\n"
        "created: 2024-01-01 00:00:00.000000\ntracking_id: none\n"
    )
    backends: list[Any] = MODEL_MANAGER.get_module_backends()
    inherits, structural, local = backends
    result["backends"] = [type(backend).__name__ for backend in backends]
    result["local is Caikit's"] = type(local) is LocalBackend
    result["isinstance of Caikit's base"] = isinstance(structural, BackendBase)
    result["Caikit's registry"] = sorted(module_backend_classes())
    result["backend_types"] = [backend_types.INHERITS, backend_types.STRUCTURAL]
    result["configuration"] = inherits.config
    result["constructor argument"] = inherits.given
    result["register_config arguments"] = inherits.registered

    from caikit.runtime.grpc_server import RuntimeGRPCServer
    from caikit.runtime.http_server import RuntimeHTTPServer

    grpc_server, http_server = RuntimeGRPCServer(), RuntimeHTTPServer()
    grpc_server.start(blocking=False)
    http_server.start(blocking=False)
    service = grpc_server.inference_service

    def over_grpc(*metadata: tuple[str, str]) -> str:
        with grpc.insecure_channel(f"127.0.0.1:{grpc_server.port}") as channel:
            stub = service.stub_class(channel)
            sample = tiny_library.Text(text="hello").to_proto()
            request = service.messages.EchoTaskRequest(sample=sample)
            try:
                answer = stub.EchoTaskPredict(request, metadata=metadata, timeout=60)
            except grpc.RpcError as error:
                return str(error.code())
            text: str = answer.text
            return text

    def over_http(**headers: str) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{http_server.port}/api/v1/task/echo",
            data=json.dumps({"model_id": "echo", "inputs": {"text": "hello"}}).encode(),
            headers={"content-type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                text: str = json.loads(answer.read())["text"]
                return text
        except urllib.error.HTTPError as error:
            with error:
                return str(error.code)

    model = ("mm-model-id", "echo")
    result["answers"] = [
        over_grpc(model, ("x-route-info", "left")),
        over_http(**{"x-route-info": "right"}),
    ]
    result["requests"] = {"INHERITS": inherits.requests[:], "STRUCTURAL": structural.requests[:]}
    result["started when notified"] = inherits.started_when_notified[:]
    result["load_backend is ours"] = [backend is inherits for backend in tiny_library.LOADED_BY]
    result["answer without a model id"] = over_grpc(("x-route-info", "left"))

    inherits.requests.clear()
    structural.requests.clear()
    result["answers if a backend raises"] = [
        over_grpc(model, ("x-route-info", "nowhere")),
        over_http(**{"x-route-info": "nowhere"}),
    ]
    result["requests if a backend raises"] = [len(inherits.requests), len(structural.requests)]

    http_server.stop()
    grpc_server.stop(0)
    result["started after stopping the servers"] = inherits.is_started
    result["duplicate name"] = register_duplicate()
    return result


def register_by_caikit(cls: type) -> None:
    backend_types.register_backend_type(cls)


def register_duplicate() -> dict[str, Any]:
    """Register a class of the same name with Caikit and with us; return the results."""
    other = type("Other", (Inherits,), {})
    register_by_caikit(other)
    kept = module_backend_classes()["INHERITS"].__name__
    try:
        register(other)
    except backend_contract.RegistryError as error:
        return {"Caikit keeps": kept, "ours": str(error)}
    return {}


if __name__ == "__main__":
    print(json.dumps(main()))
