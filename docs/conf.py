"""How Sphinx builds the site of the documents (`make docs`).

Its source folder is the repository's root, so that pages stand where they are read on GitHub, and
links between them lead to the same in both. The site asks no other host for anything.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

project = "Assay"
author = "the Assay project"
html_title = "Assay"
root_doc = "docs/index"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["docs/**", "spec/**", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
exclude_patterns = ["docs/site"]
myst_heading_anchors = 4

default_role = "code"
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__,__new__"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["assay.css"]
html_extra_path = ["site/index.html"]
html_copy_source = False
html_use_index = False
html_show_copyright = False

_RESOURCE = re.compile(
    r"""<(?:link|script|img|iframe|object)\b[^>]*\b(?:href|src|data)=["'](?:https?:)?//"""
)


def setup(app: Any) -> None:
    """Complete the page of the HTTP interface; fail where a page would ask another host."""
    app.connect("source-read", _describe_api)
    app.connect("build-finished", _refuse_requests)


def _describe_api(app: Any, name: str, source: list[str]) -> None:
    if name == "docs/api":
        from docs.openapi import describe, document

        source[0] += "\n".join(describe(document()))


def _refuse_requests(app: Any, error: Exception | None) -> None:
    for page in () if error else sorted(Path(app.outdir).rglob("*.html")):
        found = _RESOURCE.search(page.read_text(encoding="utf-8"))
        if found:
            raise ValueError(f"{page} asks another host: {found[0]}")
