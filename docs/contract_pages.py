"""Sphinx directives for what is generated: the clauses, from the table that everything is from."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from backend_contract.clauses import CLAUSES, Clause

LAYERS = {"S": "S, type checkers", "R": "R, the class at run time", "B": "B, behaviour"}


class Clauses(SphinxDirective):
    """``{clauses}``: all clauses, each under its id as an anchor (``#bc101``)."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        text = "\n".join(_section(clause) for clause in CLAUSES.values())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class ClauseTable(SphinxDirective):
    """``{clause-table}``: one line a clause, which leads to it."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        lines = ["| clause | | layers |", "|---|---|---|"]
        for clause in CLAUSES.values():
            lines.append(f"| {_link(clause.id)} | {clause.text} | {' '.join(clause.layers)} |")
        return self.parse_text_to_nodes("\n".join(lines))


def _section(clause: Clause) -> str:
    requires = ", ".join(map(_link, clause.requires)) or "no other clause"
    new = f" *New*: it only warns until version {clause.fails_from}." if clause.only_warns else ""
    return f"""\
({clause.id.lower()})=
## {clause.id}

**{clause.text[0].upper() + clause.text[1:]}.**

{clause.why}

*Fix.* {clause.fix}

*Checked by* {"; ".join(LAYERS[layer] for layer in clause.layers)}. *Needs* {requires}.{new}

```python
{clause.expected}
```

:::{{container}} side-by-side

::::{{container}} bad
Breaks it:

```python
{clause.bad}```
::::

::::{{container}} good
Keeps it:

```python
{clause.good}```
::::

:::
"""


def _link(clause_id: str) -> str:
    return f"[{clause_id}](#{clause_id.lower()})"


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("clauses", Clauses)
    app.add_directive("clause-table", ClauseTable)
    return {"parallel_read_safe": True}
