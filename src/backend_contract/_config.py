"""Configurations as an ``aconfig.Config`` of their own, merged without touching what was given."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

from backend_contract._names import class_name
from backend_contract.protocol import ConfigType

__all__ = ["as_config", "merged"]


def as_config(config: object) -> ConfigType:
    """An ``aconfig.Config`` as the object it is; ``None`` and any other mapping as a new one.

    Raises :class:`TypeError` for anything else, and for keys that are no ``str``.
    """
    import aconfig

    if isinstance(config, aconfig.Config):
        return config
    return merged({}, {} if config is None else config)


def merged(earlier: Mapping[str, Any], later: object) -> ConfigType:
    """A new ``aconfig.Config`` of both, which shares nothing mutable with either."""
    import aconfig

    if not isinstance(later, Mapping):
        raise TypeError(
            "a configuration is a mapping (such as an aconfig.Config), got "
            f"{class_name(type(later))}"
        )
    result = _plain_copy(earlier)
    _merge_into(result, _plain_copy(later))
    # By default aconfig replaces a key like `path` by the environment variable of that name.
    return aconfig.Config(result, override_env_vars=False)


def _plain_copy(value: Any, place: str = "the configuration") -> Any:
    """``value`` with plain dicts and lists all the way down: an immutable one refuses a merge."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, Any]", value)
        for key in mapping:
            if not isinstance(key, str):
                raise TypeError(
                    f"the keys of a configuration are str, got {key!r} ({type(key).__name__}) in "
                    f"{place}; aconfig cannot hold it: write it in quotes"
                )
        return {key: _plain_copy(item, f"{place}.{key}") for key, item in mapping.items()}
    if isinstance(value, list):
        elements = cast("Sequence[Any]", value)
        return [_plain_copy(item, f"{place}[{index}]") for index, item in enumerate(elements)]
    return copy.deepcopy(value)


def _merge_into(result: dict[str, Any], later: dict[str, Any]) -> None:
    for key, value in later.items():
        if isinstance(result.get(key), dict) and isinstance(value, dict):
            _merge_into(result[key], later[key])
        else:
            result[key] = value
