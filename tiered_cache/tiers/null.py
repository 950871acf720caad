"""The null tier, which holds nothing: it takes the place of a tier that is switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.contracts import CONTRACT, Absent, BaseTier, Offers, Reach, TierInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.contracts import Put, TierContext
    from tiered_cache.entry import Entry

__all__ = ["NullTier"]


class NullTier(BaseTier["Entry"]):
    """A tier that accepts every write and stores none; every lookup is a miss.

    Args:
        name: Its name in statistics and events.
    """

    contract = CONTRACT
    reach = Reach.PROCESS
    holds_records = False
    offers: Offers = Offers(quick=True)

    def __init__(self, *, name: str = "null") -> None:
        self.name = name

    def open(self, context: TierContext) -> None:
        """Do nothing."""

    def get(self, key: str) -> Absent:
        """Always absent."""
        return Absent(None)

    def put(self, key: str, put: Put[Entry]) -> bool:
        """Accept the item without storing it."""
        return True

    def delete(self, key: str) -> bool:
        """Always false."""
        return False

    def scan(self, prefix: str = "") -> Iterator[str]:
        """No keys."""
        return iter(())

    def info(self) -> TierInfo:
        """Zero entries and bytes, of at most zero."""
        return TierInfo(entries=0, bytes=0, max_entries=0, max_bytes=0)
