"""`examples/ray_backend.py` without Ray."""

from __future__ import annotations

import pytest
from example_modules import load_example


def test_missing_ray() -> None:
    """`start` without Ray is an error with the command that installs it."""
    backend = load_example("ray_backend").RayBackend()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'ray>=\d"):
        backend.start()
    assert not backend.is_started
    backend.stop()
