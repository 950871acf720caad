"""Keys: the strings that entries are stored under, and how arguments become such strings."""

from __future__ import annotations

from tiered_cache.keys.canonical import MAX_DEPTH, arguments_key
from tiered_cache.keys.function import FunctionKey
from tiered_cache.keys.names import (
    MAX_KEY_BYTES,
    TAG_PREFIX,
    VIEW_SEPARATOR,
    check_key,
    check_namespace,
    view_of,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_KEY_BYTES",
    "TAG_PREFIX",
    "VIEW_SEPARATOR",
    "FunctionKey",
    "arguments_key",
    "check_key",
    "check_namespace",
    "view_of",
]
