"""Write cosmic-ray's configuration for parts of the package: `configure.py [PART ...]`.

Reads `parts.toml`, writes `mutation-PART.toml` to the current directory for each part, or for all,
and prints the notes on them. `nox -s mutation` runs this in a clone of the repository.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("parts.toml")
PYTEST = "python -m pytest -x -q --no-header -p no:cacheprovider --numprocesses=0 -m ''"

CONFIGURATION = """\
[cosmic-ray]
module-path = {modules}
timeout = {timeout:.1f}
excluded-modules = []
test-command = {command}

[cosmic-ray.distributor]
name = "local"

# `X | Y` is used in annotations only, which are never evaluated.
[cosmic-ray.filters.operators-filter]
exclude-operators = ["core/ReplaceBinaryOperator_BitOr_.*"]
"""


def read_parts() -> dict[str, dict[str, Any]]:
    """Return the table of parts by name."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def configuration(part: dict[str, Any]) -> str:
    """Return the configuration of a part, with paths from the root of the repository."""
    command = shlex.split(PYTEST) + [f"tests/{test}" for test in part["tests"]]
    if "select" in part:
        command += ["-k", part["select"]]
    return CONFIGURATION.format(
        modules=json.dumps([f"src/backend_contract/{module}" for module in part["modules"]]),
        timeout=part.get("timeout", 120),
        command=json.dumps(shlex.join(command)),
    )


def main(names: Sequence[str]) -> None:
    """Write the configuration of the parts *names*, or of all."""
    parts = read_parts()
    if unknown := set(names) - set(parts):
        raise SystemExit(f"unknown parts: {', '.join(sorted(unknown))}; known: {', '.join(parts)}")
    for name in names or parts:
        Path(f"mutation-{name}.toml").write_text(configuration(parts[name]), encoding="utf-8")
        print(f"{name}: {parts[name].get('note', '')}".rstrip(": "))


if __name__ == "__main__":
    main(sys.argv[1:])
