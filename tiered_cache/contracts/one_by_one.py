"""The methods for many keys, made of the methods for one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tiered_cache.errors import RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.contracts.tier import Absent, Found, PutItem, Tier

__all__ = ["OneByOne"]


class OneByOne:
    """A mixin for tiers: the methods for many keys call those for one key.

    Use it for a store that gains nothing by a request for many keys.
    """

    def get_many(self: Tier, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The answer of `get` for each of `keys`."""
        return {key: self.get(key) for key in keys}

    def put_many(self: Tier, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`. Returns the keys that were stored."""
        stored: set[str] = set()
        for key, (item, lifetime_s, expected, fill) in items.items():
            with contextlib.suppress(RecordRefusedError):
                if self.put(key, item, lifetime_s, expected=expected, fill=fill):
                    stored.add(key)
        return stored

    def delete_many(self: Tier, keys: Sequence[str]) -> int:
        """Remove each of `keys`. Returns the number that was there."""
        return sum([self.delete(key) for key in keys])

    def clear(self: Tier, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`. Returns the number that was there."""
        return self.delete_many(list(self.scan(prefix)))
