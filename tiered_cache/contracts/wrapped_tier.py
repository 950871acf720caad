"""The base class of tiers around another tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.contracts.base_tier import BaseTier
from tiered_cache.contracts.items import ItemT
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tiered_cache.contracts.items import Absent, Found, Put
    from tiered_cache.contracts.offers import Offers
    from tiered_cache.contracts.tier import Reach, Tier, TierContext, TierInfo

__all__ = ["WrappedTier"]


class WrappedTier(BaseTier[ItemT]):
    """A tier that hands every call on to another tier, and offers what that one offers.

    A subclass overrides the methods that it changes. The engine reaches the inner tier through
    `offers` as well, past those methods: by `heads`, `awaited` and `live` past reads and writes, by
    `steps` and `fence` past `clear`. A subclass replaces those that pass by a method which it changes
    (`dataclasses.replace`), and `quick` if its own methods may wait.

    Args:
        inner: The other tier.

    Raises:
        ConfigurationError: The other tier names no contract.
    """

    def __init__(self, inner: Tier[ItemT]) -> None:
        if not hasattr(inner, "contract"):
            kind = type(inner).__qualname__
            msg = f"{kind} names no contract, so it can't be wrapped: let it inherit BaseTier"
            raise ConfigurationError(msg)
        self.inner: Tier[ItemT] = inner
        self.contract: int = min(self.contract, inner.contract)
        self.name: str = inner.name
        self.reach: Reach = inner.reach
        self.holds_records: bool = inner.holds_records
        self.offers: Offers = inner.offers

    def __repr__(self) -> str:
        return f"<{type(self).__name__} around {self.inner!r}>"

    def open(self, context: TierContext) -> None:
        """Open the inner tier."""
        self.inner.open(context)

    def get(self, key: str) -> Found[ItemT] | Absent:
        """The inner tier's answer."""
        return self.inner.get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[ItemT] | Absent]:
        """The inner tier's answers."""
        return self.inner.get_many(keys)

    def put(self, key: str, put: Put[ItemT]) -> bool:
        """Store an item in the inner tier."""
        return self.inner.put(key, put)

    def put_many(self, puts: Mapping[str, Put[ItemT]]) -> set[str]:
        """Store items in the inner tier."""
        return self.inner.put_many(puts)

    def delete(self, key: str) -> bool | None:
        """Remove a key from the inner tier."""
        return self.inner.delete(key)

    def delete_many(self, keys: Sequence[str]) -> int | None:
        """Remove keys from the inner tier."""
        return self.inner.delete_many(keys)

    def clear(self, prefix: str = "") -> int | None:
        """Clear the inner tier."""
        return self.inner.clear(prefix)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The inner tier's keys."""
        return self.inner.scan(prefix)

    def info(self) -> TierInfo:
        """The inner tier's figures."""
        return self.inner.info()

    def close(self) -> None:
        """Close the inner tier."""
        self.inner.close()
