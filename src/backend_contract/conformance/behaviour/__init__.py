"""Layer B: one function a clause, which tries it on backends it makes.

A function returns where the clause holds, and ends the trial otherwise. Nothing is decided by how
long something takes: threads meet at events, and a window in which something must not happen is
held open by the kit.
"""

from __future__ import annotations

from backend_contract.conformance.behaviour import configuration, life, lock, name, requests
from backend_contract.conformance.behaviour.table import BEHAVIOURS, Behaviour

__all__ = ["BEHAVIOURS", "Behaviour", "configuration", "life", "lock", "name", "requests"]
