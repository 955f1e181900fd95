"""Backends of model-serving runtimes: declared, type-checked and tested.

``Backend`` is what a runtime accepts, ``BackendBase`` what a backend may inherit,
``BackendFactory`` what creates one, and ``RuntimeServerContextType`` the context of a request.
``BackendRegistry`` finds and creates backends by name, ``running`` starts and stops them,
``notify`` passes them a request's context.
"""

from __future__ import annotations

from backend_contract.base import BackendBase
from backend_contract.errors import (
    BackendStartError,
    BackendStopError,
    ContractError,
    RegistryError,
)
from backend_contract.lifecycle import ensure_started, ensure_stopped, running, running_async
from backend_contract.local import LocalBackend
from backend_contract.notification import notify
from backend_contract.protocol import Backend, BackendFactory, conforms
from backend_contract.registry import BackendRegistry
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = [
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
