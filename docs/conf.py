"""How the documentation is built: `make docs`."""

from __future__ import annotations

import builtins
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from sphinx.addnodes import pending_xref

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "tiered-cache"
author = "the tiered-cache authors"
copyright = author  # noqa: A001 - Sphinx' name for it
release = version = installed_version("tiered-cache")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tiered-cache {release}"

myst_heading_anchors = 3

# A single backtick in a docstring is code, as it is in Markdown.
default_role = "code"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}

# The build needs no network, so names of other projects lead nowhere; ours must lead somewhere,
# type variables excepted.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!tiered_cache).*"),
    ("py:.*", r"tiered_cache.*\.[A-Z](_co)?"),
]


def unlink_builtins(_app: Sphinx, doctree: Any) -> None:
    """Keep `bytes` in a signature from becoming a link to a field that is called `bytes`."""
    for reference in list(doctree.findall(pending_xref)):
        if reference.get("refdomain") == "py" and hasattr(builtins, reference.get("reftarget")):
            reference.replace_self(reference.children)


def skip_fields(
    _app: Sphinx, _what: str, _name: str, found: object, skip: bool, _options: object
) -> bool:
    """Leave out the fields of a NamedTuple, which its own docstring describes."""
    return skip or str(getattr(found, "__doc__", "")).startswith("Alias for field number")


def setup(app: Sphinx) -> None:
    """What Sphinx calls first."""
    app.connect("doctree-read", unlink_builtins)
    app.connect("autodoc-skip-member", skip_fields)
