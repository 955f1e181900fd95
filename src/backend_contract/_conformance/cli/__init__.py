"""The command line: ``backend-contract``."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import nullcontext


def run_command() -> int:
    """Run the command with the arguments of the process; return its exit status.

    Signals are handled until the process ends. mypy, the default checker, takes longer to load than
    the rest of the command, so it loads while this process does: without that, a check of one class
    takes a fifth longer.
    """
    from backend_contract._conformance.cli.streams import open_streams
    from backend_contract._conformance.interruption import end_on_signals

    end_on_signals()
    open_streams()
    arguments = sys.argv[1:]
    gc.disable()  # what is read is kept until the end

    from backend_contract._conformance.static.checkers import MYPY

    with MYPY.preloaded() if _needs_mypy(arguments) else nullcontext():
        from backend_contract._conformance.cli.main import main  # loads meanwhile

        status = main(arguments)
    gc.freeze()  # otherwise Python looks through it once more as it exits
    return status


def _needs_mypy(arguments: Sequence[str]) -> bool:
    others = ("-h", "--help", "--checker")
    return arguments[:1] == ["check"] and not any(a.startswith(others) for a in arguments)
