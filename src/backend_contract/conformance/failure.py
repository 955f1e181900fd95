"""What a failed test says of a clause: all that its author needs to mend it."""

from __future__ import annotations

import textwrap

from backend_contract.conformance.behaviour import BEHAVIOURS
from backend_contract.conformance.verdicts import Finding

__all__ = ["failure"]


def failure(finding: Finding, name: str) -> str:
    """The clause, what was expected and found, where, how to fix it, and how to see it again.

    ``name`` is ``module:qualname`` of what makes the backends.
    """
    clause = finding.clause
    lines = [f"{clause.id} violated: {clause.text}", ""]
    for label, text in (
        ("expected", clause.expected),
        ("found", finding.found),
        ("because", "\n".join(finding.because)),
        ("at", f"{finding.path}:{finding.line}"),
        ("fix", clause.fix),
    ):
        if text:
            block = textwrap.indent(text, " " * 10)
            lines.append(f"{label:10}{block.lstrip()}")
    lines += [
        "",
        "to see it without this kit:",
        "",
        textwrap.indent(_script(clause.id, name), "    "),
    ]
    return "\n".join(lines)


def _script(clause: str, name: str) -> str:
    """Python that shows the violation, where ``name`` is something that can be imported."""
    module, _, qualname = name.partition(":")
    importable = all(part.isidentifier() for part in qualname.split(".")) and module != "__main__"
    if importable:
        outermost = qualname.partition(".")[0]
        make = f"from {module} import {outermost}\nmake = {qualname}"
    else:
        make = f"make = ...  # {qualname}, of {module}"
    return f"{make}\n{BEHAVIOURS[clause].reproduce}"
