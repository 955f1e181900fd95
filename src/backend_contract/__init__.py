"""Backends of model-serving runtimes: declared, type-checked and proven.

``Backend`` is what a runtime accepts, ``BackendBase`` what a backend may inherit, and
``RuntimeServerContextType`` what both are given with a request.
"""

from __future__ import annotations

from backend_contract.base import BackendBase
from backend_contract.errors import ContractError
from backend_contract.local import LocalBackend
from backend_contract.protocol import Backend, conforms
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = [
    "Backend",
    "BackendBase",
    "ContractError",
    "LocalBackend",
    "RuntimeServerContextType",
    "conforms",
]
