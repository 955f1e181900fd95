from __future__ import annotations

from backend_contract import LocalBackend
from backend_contract.testing import BackendConformance


class TestLocalBackend(BackendConformance):
    """`LocalBackend` keeps the contract."""

    backend = LocalBackend
