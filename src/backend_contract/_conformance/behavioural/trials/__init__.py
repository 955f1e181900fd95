"""How each clause is tried, in modules named after what their clauses are about."""

from __future__ import annotations

from backend_contract._conformance.behavioural.trials import (
    concurrency,
    configuration,
    lifecycle,
    locking,
    naming,
    requests,
    restarts,
    retention,
)

__all__ = [
    "concurrency",
    "configuration",
    "lifecycle",
    "locking",
    "naming",
    "requests",
    "restarts",
    "retention",
]
