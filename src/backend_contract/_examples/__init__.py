"""The examples of the clauses: in ``good`` and in ``bad``, one class per clause, named after it."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["read_example"]


def read_example(kind: str, clause: str) -> str:
    """Return one example as a module of its own: a class ``Mine``, and the imports it uses."""
    text = (Path(__file__).parent / f"{kind}.py").read_text(encoding="utf-8")
    tree, source_lines = ast.parse(text), text.splitlines()
    (cls,) = (s for s in tree.body if isinstance(s, ast.ClassDef) and s.name == clause)
    used = {node.id for node in ast.walk(cls) if isinstance(node, ast.Name)}
    lines: list[str] = []
    end = 0
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            statement.names = [a for a in statement.names if (a.asname or a.name) in used]
            if statement.names:
                if lines and "" in source_lines[end : statement.lineno - 1]:
                    lines.append("")  # between groups of imports
                lines.append(ast.unparse(statement))
                end = statement.end_lineno or end
    own_lines = source_lines[cls.lineno - 1 : cls.end_lineno]
    own_lines[0] = own_lines[0].replace(clause, "Mine")
    return "\n".join([*lines, "", "", *own_lines, ""])
