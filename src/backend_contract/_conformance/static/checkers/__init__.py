"""The type checkers: one small adapter each.

An adapter runs its checker in a subprocess, under a configuration that this package writes: neither
the settings of the user nor the defaults of the checker have an effect.
"""

from __future__ import annotations

from backend_contract._conformance.static.checkers.base import Checker, Diagnostic
from backend_contract._conformance.static.checkers.mypy import Mypy
from backend_contract._conformance.static.checkers.pyrefly import Pyrefly
from backend_contract._conformance.static.checkers.pyright import Pyright
from backend_contract._conformance.static.checkers.subprocesses import not_installed
from backend_contract._conformance.static.checkers.ty import Ty
from backend_contract._conformance.static.checkers.zuban import Zuban

__all__ = ["CHECKERS", "MYPY", "Checker", "Diagnostic", "Mypy", "not_installed"]

MYPY = Mypy()
CHECKERS: dict[str, Checker] = {
    checker.name: checker for checker in (MYPY, Pyright(), Pyrefly(), Ty(), Zuban())
}
"""The checkers by name; the first one is the default."""
