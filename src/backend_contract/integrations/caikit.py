"""Registration of structural backends with Caikit's runtime. Requires caikit."""

from __future__ import annotations

import importlib
from typing import Any, TypeVar

from backend_contract.errors import RegistryError, class_name
from backend_contract.protocol import Backend
from backend_contract.registry import usable_name

try:
    _base: Any = importlib.import_module("caikit.core.module_backends.base")
    _registries: Any = importlib.import_module("caikit.core.registries")
except ModuleNotFoundError as _error:
    _needs = f"{__name__} requires Caikit: pip install caikit"
    raise ModuleNotFoundError(_needs, name=_error.name) from _error

__all__ = ["register"]

BackendT = TypeVar("BackendT", bound=Backend)


def register(cls: type[BackendT]) -> type[BackendT]:
    """Make *cls* available to Caikit's ``backend_priority``, and return it unchanged.

    For classes that do not inherit from Caikit's ``BackendBase``: Caikit's own
    ``register_backend_type`` rejects them. *cls* becomes a virtual subclass of that base, so
    ``issubclass`` checks in modules succeed. Call it when Caikit's libraries are imported, before
    models are loaded.

    Raises :class:`RegistryError` if Caikit has another class of that name (Caikit itself would
    silently keep the first one), and, with the violated clause, for every class that
    :meth:`BackendRegistry.register <backend_contract.BackendRegistry.register>` rejects. Raises
    :class:`TypeError` if *cls* is not a class.
    """
    name = usable_name(cls)
    types: dict[str, str] = _registries.module_backend_types()
    classes: dict[str, type] = _registries.module_backend_classes()
    present = classes.setdefault(name, cls)
    if present is not cls:
        raise RegistryError(
            f"Caikit already has a backend {name!r}: {class_name(present)}; give "
            f"{class_name(cls)} another backend_type"
        )
    types[name] = name
    if not issubclass(cls, _base.BackendBase):
        _base.BackendBase.register(cls)
    return cls
