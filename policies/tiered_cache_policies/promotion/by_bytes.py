"""Promote small records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.quantities import Size, parse_size

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["ByBytes"]


class ByBytes:
    """The promotion policy that copies records of at most `most` bytes into every faster tier.

    Args:
        most: The largest size, such as `"64KiB"`.

    Raises:
        ValueError: `most` is not a size.

    Stateless: threads and caches may share one.
    """

    def __init__(self, most: Size = "64KiB") -> None:
        self.most_bytes: int = parse_size(most, name="most")

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Whether the record is small enough."""
        return found.size_bytes <= self.most_bytes
