"""What things are called in messages."""

from __future__ import annotations

__all__ = ["class_name"]


def class_name(cls: type) -> str:
    """Module and qualified name: what tells a class from another one of the same name."""
    return f"{cls.__module__}.{cls.__qualname__}"
