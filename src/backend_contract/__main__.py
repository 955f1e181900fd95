"""``python -m backend_contract``: the same as the ``backend-contract`` command."""

import os
import sys

# Python puts the current directory first, whose files are to be checked, not imported.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from backend_contract._conformance.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command())
