"""How the documentation is built: `make docs`."""

from __future__ import annotations

import builtins
import inspect
from importlib import import_module
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
    ("py:.*", r"tiered_cache.*\.([A-Z](_co)?|[A-Z][a-z]+T)"),  # type variables
]

# Packages from which users import names, the outermost first.
PUBLIC = (
    "tiered_cache",
    "tiered_cache.policies",
    "tiered_cache.contracts",
    "tiered_cache.config",
    "tiered_cache.codec",
    "tiered_cache.keys",
    "tiered_cache.traces",
    "tiered_cache.diagnosis",
    "tiered_cache.testing",
)


def show_public_names() -> None:
    """Give each public class and function the module from which users import it.

    Autodoc writes this module into signatures. Otherwise a page would show the private module of
    the definition, which moves.
    """
    named: set[int] = set()
    for module in PUBLIC:
        package = import_module(module)
        for name in package.__all__:
            found = getattr(package, name)
            ours = getattr(found, "__module__", "").startswith("tiered_cache")
            if (
                ours
                and (inspect.isclass(found) or inspect.isfunction(found))
                and id(found) not in named
            ):
                named.add(id(found))
                found.__module__ = module


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
    """Connect the hooks; Sphinx calls this first."""
    app.connect("builder-inited", lambda _app: show_public_names())
    app.connect("doctree-read", unlink_builtins)
    app.connect("autodoc-skip-member", skip_fields)
