"""The base class of tiers: the contract's number, and defaults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tiered_cache.contracts.items import ItemT
from tiered_cache.contracts.offers import Offers
from tiered_cache.contracts.one_by_one import OneByOne
from tiered_cache.contracts.tier import TierInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.contracts.items import Absent, Found, Put
    from tiered_cache.contracts.tier import Reach, TierContext

__all__ = ["BaseTier"]

_NO_OFFERS = Offers()


class BaseTier(OneByOne[ItemT], ABC):
    """Implements `Tier` but for `open`, `get`, `put`, `delete` and `scan`.

    A subclass sets `name` and `reach`, in the class or in its constructor. It replaces a method for
    many keys where its store can do better than one key at a time.
    """

    # Not CONTRACT: a subclass that names no number was written for the first.
    contract: int = 1
    name: str
    reach: Reach
    holds_records: bool = True
    offers: Offers = _NO_OFFERS

    @abstractmethod
    def open(self, context: TierContext) -> None:
        """As in `Tier`."""

    @abstractmethod
    def get(self, key: str) -> Found[ItemT] | Absent:
        """As in `Tier`."""

    @abstractmethod
    def put(self, key: str, put: Put[ItemT]) -> bool:
        """As in `Tier`."""

    @abstractmethod
    def delete(self, key: str) -> bool | None:
        """As in `Tier`."""

    @abstractmethod
    def scan(self, prefix: str = "") -> Iterator[str]:
        """As in `Tier`."""

    def info(self) -> TierInfo:
        """No figures."""
        return TierInfo()

    def close(self) -> None:
        """Do nothing."""
