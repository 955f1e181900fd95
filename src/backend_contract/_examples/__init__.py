"""The examples of the clauses: in ``good`` and in ``bad``, one class per clause, named after it."""

from __future__ import annotations

import ast
from pathlib import Path


def read_example(kind: str, clause: str) -> str:
    """Return one example as a separate module: a class ``Mine``, and the imports it uses."""
    text = Path(__file__).with_name(f"{kind}.py").read_text(encoding="utf-8")
    body = ast.parse(text).body
    (cls,) = (node for node in body if isinstance(node, ast.ClassDef) and node.name == clause)
    source = (ast.get_source_segment(text, cls) or "").replace(clause, "Mine", 1)
    return f"{_imports(body, cls)}\n\n\n{source}\n"


def _imports(body: list[ast.stmt], cls: ast.ClassDef) -> str:
    """Return the imports that a class uses, in the groups in which they are written."""
    used = {node.id for node in ast.walk(cls) if isinstance(node, ast.Name)}
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    groups: dict[int, list[str]] = {}
    group = 0
    for node, next_node in zip(imports, [*imports[1:], None], strict=True):
        node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
        if node.names:
            groups.setdefault(group, []).append(ast.unparse(node))
        if next_node and next_node.lineno > (node.end_lineno or 0) + 1:
            group += 1
    return "\n\n".join("\n".join(lines) for lines in groups.values())
