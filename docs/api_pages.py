"""Sphinx extension: the API pages show names as users import them, and no private ones.

``Backend``, for example, is defined in ``backend_contract.protocol``, and users import it from
``backend_contract``.
"""

from __future__ import annotations

import re
import sys
from enum import EnumMeta
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import backend_contract


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
    """Show values in place of private constants, and dots in place of private functions."""
    if signature is None:
        return None
    if getattr(obj, "_is_protocol", False) or isinstance(obj, EnumMeta):  # not to be called
        return "", None
    constants = vars(sys.modules[obj.__module__])
    signature = re.sub(r"= _\w+", "= ...", signature)
    signature = re.sub(r"= ([A-Z_]{2,})", lambda m: f"= {constants[m[1]]!r}", signature)
    # Type checkers see TypeIs on every Python, see `_compat`.
    return signature, returns and returns.replace("TypeGuard", "TypeIs")


def _resolve_alias(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Resolve a reference to a type alias, of which autodoc knows no second name."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    if not module.startswith("backend_contract.") or name not in backend_contract.__all__:
        return None
    return env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, "obj", f"backend_contract.{name}", node, content
    )


def _name_by_anchor(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Make tooltips show the documented name, not the module that defines it."""
    for reference in doctree.findall(nodes.reference):
        if reference.get("reftitle", "").startswith("backend_contract."):
            anchor = reference.get("refuri", "").partition("#")[2]
            reference["reftitle"] = reference.get("refid", anchor)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handlers; called by Sphinx."""
    app.connect("autodoc-process-bases", _hide_private_bases)
    app.connect("autodoc-process-signature", _clean_signature)
    app.connect("missing-reference", _resolve_alias)
    app.connect("doctree-resolved", _name_by_anchor)
    return {"parallel_read_safe": True}
