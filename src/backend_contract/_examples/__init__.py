"""The examples of the clauses: in ``good`` and in ``bad``, one class per clause, named after it."""

from __future__ import annotations

import ast
from pathlib import Path


def read_example(kind: str, clause: str) -> str:
    """Return one example as a separate module: a class ``Mine``, and the imports it uses."""
    text = Path(__file__).with_name(f"{kind}.py").read_text(encoding="utf-8")
    (cls,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == clause
    )
    source = (ast.get_source_segment(text, cls) or "").replace(clause, "Mine", 1)
    used = {node.id for node in ast.walk(cls) if isinstance(node, ast.Name)}
    groups = (_imports(group, used) for group in text.partition("\n\n\n")[0].split("\n\n"))
    imports = "\n\n".join(filter(None, groups))
    return f"{imports}\n\n\n{source}\n"


def _imports(group: str, used: set[str]) -> str:
    """Return those imports of *group* that bind one of the *used* names."""
    imports = [n for n in ast.parse(group).body if isinstance(n, ast.Import | ast.ImportFrom)]
    for node in imports:
        node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
    return "\n".join(ast.unparse(node) for node in imports if node.names)
