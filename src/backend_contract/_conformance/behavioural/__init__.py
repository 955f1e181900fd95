"""Layer B: backends are created and driven, clause by clause.

The modules of ``trials`` are named after what their clauses are about. No verdict depends on how
long something takes: threads meet at events, and the kit holds open a window in which something
must not happen.
"""

from __future__ import annotations

from backend_contract._conformance.behavioural import trials
from backend_contract._conformance.behavioural.trial import BEHAVIOURS, Behaviour

__all__ = ["BEHAVIOURS", "Behaviour", "trials"]
