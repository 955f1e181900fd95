"""Loading the modules of `examples/`, which belong to no package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

__all__ = ["EXAMPLES", "ROOT", "load_example"]

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def load_example(name: str) -> Any:
    """Import an example without leaving `examples/` on the path, where other tests would see it."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXAMPLES))
