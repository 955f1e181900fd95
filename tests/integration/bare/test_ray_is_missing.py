from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


def test_a_ray_that_is_not_there_is_named_with_the_line_that_installs_it() -> None:
    path = Path(__file__).parents[3] / "examples/ray_backend.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    backend = module.RayBackend()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'ray>=\d"):
        backend.start()
    assert not backend.is_started
    backend.stop()
