"""The methods for many keys, made of the methods for one."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Generic

from tiered_cache.contracts.items import ItemT
from tiered_cache.errors import RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.contracts.items import Absent, Found, Put
    from tiered_cache.contracts.tier import Tier

__all__ = ["OneByOne"]

_BATCH_KEYS = 500


class OneByOne(Generic[ItemT]):
    """A mixin for tiers: the methods for many keys call those for one key.

    Use it for a store that gains nothing by a request for many keys.
    """

    def get_many(self: Tier[ItemT], keys: Sequence[str]) -> dict[str, Found[ItemT] | Absent]:
        """The answer of `get` for each of `keys`."""
        return {key: self.get(key) for key in keys}

    def put_many(self: Tier[ItemT], puts: Mapping[str, Put[ItemT]]) -> set[str]:
        """Store each of `puts`. Returns the keys that were stored."""
        stored: set[str] = set()
        for key, put in puts.items():
            with contextlib.suppress(RecordRefusedError):
                if _put(self, key, put):
                    stored.add(key)
        return stored

    def delete_many(self: Tier[ItemT], keys: Sequence[str]) -> int | None:
        """Remove each of `keys`. Returns the number that was there, if known."""
        return _total([self.delete(key) for key in keys])

    def clear(self: Tier[ItemT], prefix: str = "") -> int | None:
        """Remove every key that begins with `prefix`. Returns the number that was there, if known.

        Fills that began before it are refused only for keys that were there, unless the tier offers a
        fence.
        """
        fence = self.offers.fence if _has_contract(self) else None
        if fence is not None:
            fence(prefix)
        keys = self.scan(prefix)
        counts: list[int | None] = []
        while batch := list(itertools.islice(keys, _BATCH_KEYS)):
            counts.append(self.delete_many(batch))
        if fence is not None:
            fence(prefix)  # refuses fills of records that were read during the clear
        return _total(counts)


def _total(counts: Sequence[int | None]) -> int | None:
    """The sum of counts; `None` if one is unknown."""
    known = [each for each in counts if each is not None]
    return sum(known) if len(known) == len(counts) else None


def _has_contract(tier: object) -> bool:
    """Whether a tier is one of today, not one that is adapted (until release 0.3)."""
    return hasattr(tier, "contract")


def _put(tier: Any, key: str, put: Put[Any]) -> bool:
    if _has_contract(tier):
        return bool(tier.put(key, put))
    return bool(tier.put(key, put.item, put.lifetime_s, expected=put.expected, fill=put.fill))
