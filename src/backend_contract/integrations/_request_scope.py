"""What the integrations share: the id of a request's model, and values that end with a request."""

from __future__ import annotations

import contextvars

__all__ = ["as_model_id", "restore"]


def as_model_id(value: object) -> str | None:
    """Return the model id that *value* stands for; ``None`` if it is ``None`` or empty."""
    if value is None or value == "" or value == b"":
        return None
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def restore(context: contextvars.Context) -> None:
    """Set the variables of the current context to the values that they have in *context*."""
    for variable, value in context.items():
        if variable.get(context) is not value:  # `context` as a default that no value is
            variable.set(value)
