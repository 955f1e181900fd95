"""How the documentation is built: ``nox -s docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # api_pages

project = "backend-contract"
author = "the backend-contract authors"
copyright = "the backend-contract authors; Apache-2.0"  # noqa: A001 - Sphinx's name
version = release = version_of("backend-contract")

extensions = ["myst_parser", "sphinx.ext.autodoc", "api_pages"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []  # every warning fails the build

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_mock_imports = ["caikit"]  # one function needs it, and it needs an environment to itself
autodoc_default_options = {"members": True}

html_theme = "furo"
html_title = "backend-contract"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_copy_source = False
