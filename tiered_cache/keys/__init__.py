"""Keys of entries: the rules for them, and the keys of function calls.

The package imports `errors` only. Every package above it may import it.
"""

from __future__ import annotations

from tiered_cache.keys.canonical import DIGEST_LENGTH, arguments_key
from tiered_cache.keys.encoding import MAX_DEPTH
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
    "DIGEST_LENGTH",
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
