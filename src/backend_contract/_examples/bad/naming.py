"""Backends that violate one clause each, BC1xx: the name of a backend."""

from backend_contract import LocalBackend


class BC101(LocalBackend):
    backend_type = 7


class BC102(LocalBackend):
    @property
    def backend_type(self) -> str:
        return "MINE"


class BC103(LocalBackend):
    backend_type = "Mine"
