"""Backends that violate one clause each, BC5xx: contexts of requests."""

import aconfig

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata, is_grpc_context, is_http_context


class BC501(LocalBackend):
    def handle_runtime_context(self, model_id: str, context: RuntimeServerContextType) -> None:
        self.last_model = model_id


class BC502(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_grpc_context(runtime_context):
            raise TypeError("HTTP only")


class BC503(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_http_context(runtime_context):
            raise TypeError("gRPC only")


class BC504(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if get_metadata(runtime_context, "x-route-info") is None:
            raise KeyError("x-route-info")


class BC505(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if not self.is_started:
            raise RuntimeError("not started")


class BC506(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.model_id = model_id
        self.route = get_metadata(runtime_context, "x-route-info")
        self.contexts[self.model_id] = self.route
