"""Write-back: to the fast tiers now, to the slow ones later, many keys at once."""

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
    """The write policy that acknowledges a write at a durability level and queues the rest.

    - `"memory"`: the write is in the tiers of this process. A kill loses the queued writes.
    - `"disk"`: the write is in the host's tiers as well. Queued writes to tiers that hosts share are
      in a journal on disk, which the next process takes over.
    - `"remote"`, for single calls: the write is in every tier, as with write-through.

    Of several queued writes of a key only the last is written. Other processes see a queued write
    after its flush. Computed values are queued without a journal, because they can be recomputed.

    Args:
        durability: `"memory"` or `"disk"`.
        flush_interval: The time without another write of a key before the key is flushed.
        max_batch: The most keys in one flush.
        max_pending: The most keys in the queue. A writer beyond it waits for room.
        max_delay: The time after which a key is flushed even if its writes continue.

    Raises:
        ValueError: An option is out of range. The message names the allowed values.

    Stateless: threads and caches may share one.
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
        self.durability: Durability = Durability(durability)
        self.limits: QueueLimits = QueueLimits(quiet_s, delay_s, max_batch, max_pending)

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """The levels that the durability needs now, lowest tier first; the others later."""
        return _plan(request.durability or self.durability, request.computed, tuple(tiers))


@lru_cache(maxsize=128)
def _plan(durability: Durability, computed: bool, tiers: tuple[TierFacts, ...]) -> WritePlan:
    """The plan, cached because there are few stacks and many writes to each."""
    if durability is Durability.REMOTE:
        return WritePlan(tuple(tier.level for tier in reversed(tiers)))
    on_disk = durability is Durability.DISK
    now = [tier.level for tier in tiers if not (tier.shared or (tier.durable and not on_disk))]
    later = [tier.level for tier in tiers if tier.level not in now]
    journal = on_disk and bool(later) and not computed
    return WritePlan(tuple(reversed(now)), tuple(reversed(later)), journal)
