"""What a failed test says of a clause: all that its author needs to mend it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from backend_contract.conformance.behaviour import BEHAVIOURS
from backend_contract.conformance.verdicts import Finding

__all__ = ["failure"]


def failure(finding: Finding, name: str, config: Mapping[str, Any] | None = None) -> str:
    """The clause, what was expected and found, where, how to fix it, and how to see it again.

    ``name`` is ``module:qualname`` of what makes the backends; a class is given ``config``.
    """
    clause = finding.clause
    lines = [f"{clause.id} violated: {clause.text}", ""]
    for label, text in (
        ("expected", clause.expected),
        ("found", finding.found),
        ("because", "\n".join(finding.because)),
        ("at", f"{finding.path}:{finding.line}"),
        ("fix", clause.fix),
        ("new", f"it fails from version {clause.fails_from}" if finding.only_warns else ""),
    ):
        if text:
            block = textwrap.indent(text, " " * 10)
            lines.append(f"{label:10}{block.lstrip()}")
    lines += [
        "",
        "to see it without this kit:",
        "",
        textwrap.indent(_script(clause.id, name, config), "    "),
    ]
    return "\n".join(lines)


def _script(clause: str, name: str, config: Mapping[str, Any] | None) -> str:
    """Python that shows the violation, where ``name`` is something that can be imported."""
    module, _, qualname = name.partition(":")
    importable = all(part.isidentifier() for part in qualname.split(".")) and module != "__main__"
    if importable:
        outermost = qualname.partition(".")[0]
        make = f"from {module} import {outermost}\nmake = {_called(qualname, config)}"
    else:
        make = f"make = ...  # {qualname}, of {module}"
    return f"{make}\n{BEHAVIOURS[clause].reproduce}"


def _called(qualname: str, config: Mapping[str, Any] | None) -> str:
    """What makes a backend, as code: a class, or a suite's own ``make_backend``."""
    suite, _, method = qualname.rpartition(".")
    if suite and method == "make_backend":
        return f"{suite}().make_backend"
    return qualname if config is None else f"lambda: {qualname}({dict(config)!r})"
