"""The contract of write policies."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache_policies.contracts.tier_facts import TierFacts

__all__ = ["Durability", "QueueLimits", "QueuesWrites", "WritePlan", "WritePolicy", "WriteRequest"]


class Durability(enum.StrEnum):
    """How far a write has got when its call returns."""

    MEMORY = "memory"
    """In this process: the write is lost with the process."""
    DISK = "disk"
    """On this host's disk: the write survives a kill of the process at any instruction."""
    REMOTE = "remote"
    """In every tier, including those that hosts share: the write survives the loss of the host."""


class WriteRequest(NamedTuple):
    """A write for which the policy makes a plan.

    Attributes:
        key: The key.
        lifetime_s: The lifetime of the value in seconds, `inf` without a limit.
        cost_s: The seconds that computing the value took; 0.0 for a plain `set`.
        computed: True for the fill of a miss (`get_or_compute`), false for a change (`set`).
        durability: The level that the caller asked for in this call, `None` for no wish.
        size_bytes: The size of the record. It is 0 unless the policy has an attribute `needs_size`
            that is true, or the stack has admission policies: measuring encodes the value.
    """

    key: str
    lifetime_s: float
    cost_s: float
    computed: bool
    durability: Durability | None = None
    size_bytes: int = 0


class WritePlan(NamedTuple):
    """The levels that a write goes to.

    A level in neither `now` nor `later` is left out: its entry of the key is deleted.

    Attributes:
        now: The levels to write before the call returns, in this order.
        later: The levels that the write-back queue writes afterwards, in this order.
        journal: Whether the write for `later` is in the journal on disk before the call returns.
    """

    now: tuple[int, ...]
    later: tuple[int, ...] = ()
    journal: bool = False


@runtime_checkable
class WritePolicy(Protocol):
    """Decides which tiers a write goes to, in which order, and which of them later.

    The engine guarantees: `tiers` is the whole stack, fastest first. The implementer must answer
    from the arguments and name each level at most once; it must be quick and must not raise.
    """

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """The levels that `request` goes to."""
        ...


class QueueLimits(NamedTuple):
    """The bounds of a write-back queue.

    Attributes:
        flush_interval_s: Seconds without another write of a key before the key is flushed. Repeated
            writes of a key within them become one.
        max_delay_s: Seconds after which a key is flushed in any case.
        max_batch: The most keys in one flush.
        max_pending: The most keys in the queue. The writer of one more waits for room.
    """

    flush_interval_s: float
    max_delay_s: float
    max_batch: int
    max_pending: int


@runtime_checkable
class QueuesWrites(Protocol):
    """A write policy with plans for later; it states the bounds of the queue."""

    @property
    def limits(self) -> QueueLimits:
        """The bounds; read once, when the stack is built."""
        ...
