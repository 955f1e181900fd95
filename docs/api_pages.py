"""Sphinx extension: the API pages show names as users import them, and no private bases.

``Backend`` is defined in ``backend_contract.protocol`` and imported from ``backend_contract``.
autodoc documents it under the second name, but refers to it by the first one in signatures and
bases.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PUBLIC_MODULES = (
    "backend_contract",
    "backend_contract.runtime_context",
    "backend_contract.testing",
    "backend_contract.clauses",
)


def _hide_private_bases(
    app: Sphinx, name: str, obj: object, options: object, bases: list[type]
) -> None:
    bases[:] = [base for base in bases if not base.__name__.startswith("_")]


def _clean_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Show values for private constants, and dots for private functions."""
    if signature is None:
        return None
    if getattr(obj, "_is_protocol", False):  # has no constructor
        return "", None
    constants = vars(sys.modules[obj.__module__])
    signature = re.sub(r"= _\w+", "= ...", signature)
    return re.sub(r"= ([A-Z_]{2,})", lambda m: f"= {constants[m[1]]!r}", signature), returns


def _resolve_by_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Resolve a reference to the module that defines a name through the one that exports it."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("backend_contract"):
        return None
    module, _, name = target.rpartition(".")
    for public in PUBLIC_MODULES:
        exported = import_module(public)
        if module != public and name in exported.__all__:
            return env.domains["py"].resolve_xref(
                env, node["refdoc"], app.builder, "obj", f"{public}.{name}", node, content
            )
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handlers; called by Sphinx."""
    app.connect("autodoc-process-bases", _hide_private_bases)
    app.connect("autodoc-process-signature", _clean_signature)
    app.connect("missing-reference", _resolve_by_public_name)
    return {"parallel_read_safe": True}
