"""``python -m backend_contract``: the same as the ``backend-contract`` command."""

import sys

from backend_contract.conformance.command import main

if __name__ == "__main__":
    sys.exit(main())
