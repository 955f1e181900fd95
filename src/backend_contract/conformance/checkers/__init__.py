"""The type checkers that can decide a probe: one small adapter each.

An adapter runs its checker in a process of its own, on the files it is given, under a configuration
that is wholly ours: neither the user's settings nor the checker's defaults say what is reported.
"""

from __future__ import annotations

from backend_contract.conformance.checkers.checker import Checker, Diagnostic
from backend_contract.conformance.checkers.mypy import Mypy
from backend_contract.conformance.checkers.process import not_installed
from backend_contract.conformance.checkers.pyrefly import Pyrefly
from backend_contract.conformance.checkers.pyright import Pyright
from backend_contract.conformance.checkers.ty import Ty
from backend_contract.conformance.checkers.zuban import Zuban

__all__ = ["CHECKERS", "Checker", "Diagnostic", "Mypy", "not_installed"]

CHECKERS: dict[str, Checker] = {
    checker.name: checker for checker in (Mypy(), Pyright(), Pyrefly(), Ty(), Zuban())
}
"""The checkers by name, the default one first."""
