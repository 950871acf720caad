"""Settings as they may be shown: short, and without secrets."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:
    from tiered_cache.config.layers import FieldPath

__all__ = ["mask_url", "safe", "shown"]

_MASK = "***"
_LONGEST = 200
_PARAMETER = re.compile(r"([?&])([^=&]*)=([^&]*)")
_SECRET = re.compile(r"pass|pwd|secret|token|credential|auth|key", re.IGNORECASE)
_PLAIN = (bool, int, float, dt.date, dt.time, PurePath)
_URLS = frozenset({"url", "redis_url"})


def shown(path: FieldPath, value: Any) -> str:
    """The value of the field at `path`: short, on one line, without secrets."""
    if value is None:
        return "none"
    if isinstance(value, SecretStr) or "signing_key" in path:
        return _MASK
    # Each name on the way to an option of an extension may mark it as a secret.
    masked = value
    for name in path[1:] if path[:1] in (("custom",), ("exporters",)) else path[-1:]:
        masked = safe(name, masked)
    if isinstance(masked, dict) and masked:
        return "a table"
    text = repr(masked)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def safe(name: str, value: Any) -> Any:
    """`value`, with every part masked that may be a secret by its name or its form.

    Args:
        name: The name of the value.
        value: A value of any type. One without a plain form is replaced by the name of its type.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: safe(str(key), each) for key, each in value.items()}
    if _SECRET.search(name):
        return _MASK
    if isinstance(value, list | tuple | set | frozenset):
        return [safe(name, each) for each in value]
    return _safe_text(name, value) if isinstance(value, str) else _plain(value)


def mask_url(url: str) -> str:
    """`url` without its secrets. Any text is accepted.

    The name of a user is shown. A name without a password is masked: it may be one.
    """
    scheme, mark, rest = url.rpartition("://") if url.count("://") == 1 else ("", "", url)
    user, at, place = rest.rpartition("@")
    if at and any(each in user for each in "/?#"):
        return f"{scheme}{mark}{_MASK}"
    if at:
        name, colon, _ = user.partition(":")
        user = f"{name}:{_MASK}" if colon else _MASK
    place = _PARAMETER.sub(
        lambda m: f"{m[1]}{m[2]}={_MASK if _SECRET.search(m[2]) else m[3]}", place
    )
    return f"{scheme}{mark}{user}{at}{place}"


def _safe_text(name: str, text: str) -> str:
    # Text in place of a URL may be a password alone. JSON in the wrong variable may be a section
    # with its secrets.
    if (name in _URLS and "://" not in text) or ("{" in text and _SECRET.search(text)):
        return _MASK
    return mask_url(text) if "://" in text else text


def _plain(value: Any) -> Any:
    """A plain value, or the name of its type: the `repr` of another object may hold a secret."""
    return value if isinstance(value, _PLAIN) else f"a value of type {type(value).__name__}"
