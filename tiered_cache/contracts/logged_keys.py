"""Keys as a change log stores them: cut to a bounded length, and packed where entries are costly."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tiered_cache.contracts.change_log import MAX_LOGGED_KEY, Change

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["logged_change", "pack_keys", "unpack_changes"]

_HEADER = struct.Struct("<?I")
_MAX_PACKED_BYTES = 4096


def logged_change(origin: str, key: str, *, is_prefix: bool = False) -> Change:
    """The change of `key` for a log: a key over `MAX_LOGGED_KEY` is cut, and becomes a prefix."""
    if len(key) > MAX_LOGGED_KEY:
        return Change(origin, key[:MAX_LOGGED_KEY], is_prefix=True)
    return Change(origin, key, is_prefix)


def pack_keys(keys: Iterable[str], *, are_prefixes: bool = False) -> list[bytes]:
    """The changed keys, packed into as few strings of about 4 KiB as they need.

    For a log in which each entry has a cost. `unpack_changes` reads the strings.
    """
    packed = [bytearray()]
    for key in keys:
        name = key[:MAX_LOGGED_KEY].encode("utf-8", "surrogatepass")
        if len(packed[-1]) + len(name) > _MAX_PACKED_BYTES:
            packed.append(bytearray())
        is_prefix = are_prefixes or len(key) > MAX_LOGGED_KEY
        packed[-1] += _HEADER.pack(is_prefix, len(name)) + name
    return [bytes(each) for each in packed if each]


def unpack_changes(origin: str, packed: bytes, made_s: float | None = None) -> list[Change]:
    """The changes in one string of `pack_keys`.

    Raises:
        ValueError: The bytes are not such a string.
    """
    changes: list[Change] = []
    start = 0
    while start < len(packed):
        try:
            is_prefix, length = _HEADER.unpack_from(packed, start)
        except struct.error as error:
            raise ValueError(str(error)) from error
        start += _HEADER.size + length
        name = packed[start - length : start]
        changes.append(Change(origin, name.decode("utf-8", "surrogatepass"), is_prefix, made_s))
    return changes
