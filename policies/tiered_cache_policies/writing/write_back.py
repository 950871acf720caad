"""Write-back: the fast tiers now, the slow ones later, many keys in one go."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import Durability, QueueLimits, WritePlan
from tiered_cache_policies.quantities import Duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache_policies.contracts import TierFacts, WriteRequest

__all__ = ["WriteBack"]


class WriteBack:
    """The write policy that acknowledges a write at a durability level and does the rest later.

    - `"memory"`: the write is in the tiers of this process. What waits is lost if it is killed.
    - `"disk"`: it is in the host's tiers as well, and what waits for the tiers that hosts share is
      in a journal on disk, which the next process takes over.
    - `"remote"`, for single calls: it is in every tier, as with write-through.

    A queue takes what is to be written later: of several writes of a key only the last is written.
    Other processes see a queued write when it is flushed. Computed values are queued without a
    journal: they can be computed again.

    Args:
        durability: `"memory"` or `"disk"`.
        flush_interval: How long a key must not have been written again before it is flushed.
        max_batch: The most keys that one flush writes.
        max_pending: The most keys that wait. A writer of one more waits for room.
        max_delay: After how long a key is flushed even if it keeps being written.

    Raises:
        ValueError: An option has a value that is not allowed; the message says which are.

    It has no state but its options, so any number of threads and caches may share one.
    """

    def __init__(
        self,
        durability: str = "memory",
        *,
        flush_interval: Duration = "250ms",
        max_batch: int = 500,
        max_pending: int = 10_000,
        max_delay: Duration = "5s",
    ) -> None:
        if durability not in (Durability.MEMORY, Durability.DISK):
            msg = f"durability={durability!r} of write-back must be 'memory' or 'disk'; 'remote' is write-through"
            raise ValueError(msg)
        for name, count in (("max_batch", max_batch), ("max_pending", max_pending)):
            if type(count) is not int or count < 1:
                msg = f"{name}={count!r} of write-back must be a whole number of at least 1"
                raise ValueError(msg)
        quiet_s = parse_duration(flush_interval, name="flush_interval")
        delay_s = parse_duration(max_delay, name="max_delay")
        if delay_s < quiet_s:
            msg = f"max_delay={max_delay!r} of write-back must be at least flush_interval={flush_interval!r}"
            raise ValueError(msg)
        self.durability = Durability(durability)
        self.limits = QueueLimits(quiet_s, delay_s, max_batch, max_pending)

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """What the durability demands now, the lowest tier first; the other tiers later."""
        return _plan(request.durability or self.durability, request.computed, tuple(tiers))


@lru_cache(maxsize=128)
def _plan(durability: Durability, computed: bool, tiers: tuple[TierFacts, ...]) -> WritePlan:
    """Remembered, because there are few stacks, and many writes to each."""
    if durability is Durability.REMOTE:
        return WritePlan(tuple(tier.level for tier in reversed(tiers)))
    on_disk = durability is Durability.DISK
    now = [tier.level for tier in tiers if not (tier.shared if on_disk else tier.durable)]
    later = [tier.level for tier in tiers if tier.level not in now]
    journal = on_disk and bool(later) and not computed
    return WritePlan(tuple(reversed(now)), tuple(reversed(later)), journal)
