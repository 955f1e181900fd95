"""Backends that keep one clause each, BC5xx: contexts of requests."""

from contextvars import ContextVar
from typing import ClassVar

import aconfig

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata


class BC501(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id


class BC502(LocalBackend):
    route: ClassVar[ContextVar[str | None]] = ContextVar("route", default=None)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route.set(get_metadata(runtime_context, "x-route-info"))


class BC503(LocalBackend):
    route: ClassVar[ContextVar[str | None]] = ContextVar("route", default=None)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route.set(get_metadata(runtime_context, "x-route-info"))


class BC504(LocalBackend):
    route: ClassVar[ContextVar[str]] = ContextVar("route")

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route.set(get_metadata(runtime_context, "x-route-info") or "default")


class BC505(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id


class BC506(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")
