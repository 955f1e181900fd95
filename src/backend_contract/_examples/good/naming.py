"""Backends that keep one clause each, BC1xx: the name of a backend."""

from backend_contract import LocalBackend


class BC101(LocalBackend):
    backend_type = "MINE"


class BC102(LocalBackend):
    backend_type = "MINE"


class BC103(LocalBackend):
    backend_type = "MINE"
