"""Expansion of `${VAR}` and `~` in the text of settings."""

from __future__ import annotations

import os
import re

__all__ = ["expand", "expand_home", "expand_path"]

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def expand(text: str) -> str:
    """`text` with each `${VAR}` replaced by that environment variable.

    Raises:
        ValueError: A variable is not set, or `${` does not begin a variable's name.
    """

    def value(match: re.Match[str]) -> str:
        if not match[0].endswith("}") or _VARIABLE.fullmatch(match[1]) is None:
            # The text is not quoted: it may be a secret that contains these characters.
            msg = "${…} must hold the name of an environment variable and nothing else"
            raise ValueError(msg)
        try:
            return os.environ[match[1]]
        except KeyError:
            msg = f"the environment variable {match[1]} is not set: set it, or write the value"
            raise ValueError(msg) from None

    return _REFERENCE.sub(value, text)


def expand_path(path: str) -> str:
    """`path` with variables and a leading `~` expanded.

    Raises:
        ValueError: The path is empty or a URL, or names a variable or a home that was not found.
    """
    expanded = expand_home(expand(path))
    if not expanded or "\0" in expanded:
        msg = "the path is empty or has a NUL: name a directory, or leave it out"
        raise ValueError(msg)
    if "://" in expanded:
        msg = "expected a path, got a URL: put a server's in redis_url"
        raise ValueError(msg)
    return expanded


def expand_home(path: str) -> str:
    """`path` with a leading `~` expanded; a trailing slash stays.

    Raises:
        ValueError: The home directory was not found.
    """
    expanded = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser drops the trailing slash
    if expanded.startswith("~"):
        msg = "the home directory of ~ was not found: write the whole path"
        raise ValueError(msg)
    return expanded
