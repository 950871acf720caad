"""Text in settings: what is expanded, and what is never shown."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit, urlunsplit

__all__ = ["MASK", "expand", "mask_url"]

MASK = "***"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def expand(text: str) -> str:
    """`text` with each `${VAR}` replaced by that environment variable, and `~` by the home.

    Raises:
        ValueError: A variable is not set; the message names it.
    """

    def value(match: re.Match[str]) -> str:
        try:
            return os.environ[match[1]]
        except KeyError:
            msg = f"the environment variable {match[1]} is not set"
            raise ValueError(msg) from None

    expanded = _VARIABLE.sub(value, text)
    return os.path.expanduser(expanded)  # noqa: PTH111 - it may be a URL


def mask_url(url: str) -> str:
    """`url` with its password replaced, for people to read."""
    try:
        parts = urlsplit(url)
        if not parts.password:
            return url
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{place}"))
    except ValueError:
        return MASK
