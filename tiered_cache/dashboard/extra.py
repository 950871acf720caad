"""Checks for the libraries of the extra `[dashboard]`."""

from __future__ import annotations

from importlib.util import find_spec

from tiered_cache.errors import MissingExtraError

__all__ = ["need_extra"]


def need_extra(*modules: str) -> None:
    """Check that `modules` are installed.

    Raises:
        MissingExtraError: One of them is not.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        msg = f"the dashboard needs {' and '.join(missing)}: pip install 'tiered-cache[dashboard]'"
        raise MissingExtraError(msg)
