"""Layer B: one function per clause, which tries it on backends that it creates.

No verdict depends on how long something takes: threads meet at events, and the kit holds open a
window in which something must not happen.
"""

from __future__ import annotations

from backend_contract._conformance.behavioural import (
    concurrency,
    configuration,
    lifecycle,
    locking,
    naming,
    requests,
    restarts,
    retention,
)
from backend_contract._conformance.behavioural.trial import BEHAVIOURS, Behaviour

__all__ = [
    "BEHAVIOURS",
    "Behaviour",
    "concurrency",
    "configuration",
    "lifecycle",
    "locking",
    "naming",
    "requests",
    "restarts",
    "retention",
]
