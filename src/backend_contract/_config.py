"""Configurations as new ``aconfig.Config`` objects, merged without changing their inputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

from backend_contract.errors import class_name
from backend_contract.protocol import ConfigType

_DEEPEST = 200  # aconfig raises RecursionError somewhat later


def as_config(config: object) -> ConfigType:
    """Return *config* itself if it is an ``aconfig.Config``, otherwise a new one with its content.

    ``None`` becomes an empty one. Raises :class:`TypeError` if *config* is not a mapping or has
    non-string keys.
    """
    import aconfig

    if isinstance(config, aconfig.Config):
        return config
    return merged({}, {} if config is None else config)


def merged(earlier: Mapping[str, Any], later: object) -> ConfigType:
    """Return a new ``aconfig.Config`` of both, which shares no mutable part with either.

    Mappings are merged, other values (lists too) are replaced, and later values win. Raises
    :class:`TypeError` if *later* is not a mapping or if either has non-string keys.
    """
    import aconfig

    if not isinstance(later, Mapping):
        raise TypeError(
            "a configuration must be a mapping (such as an aconfig.Config), got "
            f"{class_name(type(later))}"
        )
    result = _plain_copy(earlier)
    _merge_into(result, _plain_copy(later))
    # By default aconfig replaces a key like `path` with the environment variable of that name.
    return aconfig.Config(result, override_env_vars=False)


def _plain_copy(value: Any, place: str = "the configuration", around: tuple[int, ...] = ()) -> Any:
    """Copy *value* into plain dicts and lists: an immutable configuration cannot be merged into."""
    if id(value) in around:
        raise TypeError(f"{place} contains itself; a configuration must be a tree")
    if len(around) > _DEEPEST:
        raise TypeError(f"{place} is nested deeper than {_DEEPEST} levels")
    around = (*around, id(value))
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, Any]", value)
        for key in mapping:
            if not isinstance(key, str):
                raise TypeError(
                    f"keys of a configuration must be strings, got {key!r} "
                    f"({type(key).__name__}) in {place}; quote the key in YAML"
                )
        return {key: _plain_copy(item, f"{place}.{key}", around) for key, item in mapping.items()}
    if isinstance(value, list):
        elements = cast("Sequence[Any]", value)
        return [
            _plain_copy(item, f"{place}[{index}]", around) for index, item in enumerate(elements)
        ]
    try:
        return copy.deepcopy(value)
    except Exception as error:  # whatever the value's own methods raise
        raise TypeError(
            f"{place}, of type {type(value).__name__}, cannot be copied: {type(error).__name__}"
        ) from error


def _merge_into(result: dict[str, Any], later: dict[str, Any]) -> None:
    for key, value in later.items():
        if isinstance(result.get(key), dict) and isinstance(value, dict):
            _merge_into(result[key], later[key])
        else:
            result[key] = value
