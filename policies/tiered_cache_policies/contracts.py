"""What policies are: pure decisions, made from facts that the engine hands in.

A policy does no I/O, starts no threads and has no clock of its own: whatever it needs to know is
in the arguments. The values here are immutable, so they may be shared between threads.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "AdmissionPolicy",
    "Candidate",
    "CostAware",
    "Durability",
    "EvictionPolicy",
    "ExpiryPolicy",
    "FoundBelow",
    "Hit",
    "HitAction",
    "LockFreeReads",
    "NewValue",
    "Node",
    "PromotionPolicy",
    "QueueLimits",
    "QueuesWrites",
    "RefreshPolicy",
    "StatisticsPolicy",
    "TierFacts",
    "WritePlan",
    "WritePolicy",
    "WriteRequest",
]


class TierFacts(NamedTuple):
    """What a policy may know of a tier.

    Attributes:
        name: The tier's name, such as `"memory"`.
        level: Its place in the stack, 0 for the fastest.
        durable: Whether what it holds survives the process.
        shared: Whether other hosts see it.
    """

    name: str
    level: int
    durable: bool
    shared: bool


class FoundBelow(NamedTuple):
    """A hit in a lower tier, as a promotion policy sees it.

    Attributes:
        key: The key.
        source: The tier that holds it.
        size_bytes: The size of its record.
        age_s: Seconds since it was written.
        remaining_s: Seconds for which it stays fresh, `inf` without a limit.
        cost_s: The seconds that computing it took, 0.0 where nobody measured.
    """

    key: str
    source: TierFacts
    size_bytes: int
    age_s: float
    remaining_s: float
    cost_s: float


@runtime_checkable
class PromotionPolicy(Protocol):
    """Decides whether a value that was found in a lower tier is copied into a faster one.

    The engine guarantees: it asks once for each faster tier, fastest last, and only for fresh
    values. The implementer must answer from the arguments (and state of its own, which several
    threads may use at once), quickly and without raising. The engine carries the remaining
    lifetime; a policy can't lengthen it.
    """

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Whether `found` is copied into the tier `into`."""
        ...


class Candidate(NamedTuple):
    """A value that is about to enter a tier, as an admission policy sees it.

    Attributes:
        key: The key.
        size_bytes: The size of its record, 0 where no tier needed one.
        cost_s: The seconds that computing it took, 0.0 where nobody measured.
        lifetime_s: Seconds that it has left, `inf` without a limit.
        computed: Whether it fills the tier after a miss, computed or found below; false where it
            was set.
        read_s: The seconds that reading from the tier takes at present, 0.0 where it was not read.
    """

    key: str
    size_bytes: int
    cost_s: float
    lifetime_s: float
    computed: bool
    read_s: float


@runtime_checkable
class AdmissionPolicy(Protocol):
    """Decides whether a value may enter a tier.

    The engine guarantees: it asks for each fill, promotion and write of each tier that has an
    admission policy, after the promotion or write policy said yes. What is not admitted is left
    out of the tier; of a changed value, what the tier held before is deleted. The implementer
    must answer from the arguments (and state of its own, which several threads may use at once),
    quickly and without raising.
    """

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether `candidate` may enter the tier `into`."""
        ...


class Durability(enum.StrEnum):
    """How far a write has got when the call that made it returns."""

    MEMORY = "memory"
    """It is in this process: lost with it."""
    DISK = "disk"
    """It is on this host's disk: it survives the process, killed at any instruction."""
    REMOTE = "remote"
    """It is in every tier, those that hosts share included: it survives the loss of the host."""


class WriteRequest(NamedTuple):
    """A write, as a write policy sees it.

    Attributes:
        key: The key.
        lifetime_s: Seconds that the value may live, `inf` without a limit.
        cost_s: The seconds that computing it took; 0.0 for a plain `set`.
        computed: Whether it fills a miss (`get_or_compute`) rather than changes a value (`set`).
        durability: What the caller asked for in this call, `None` where nothing.
    """

    key: str
    lifetime_s: float
    cost_s: float
    computed: bool
    durability: Durability | None = None


class WritePlan(NamedTuple):
    """Where a write goes.

    Attributes:
        now: The levels that are written before the call returns, in this order.
        later: The levels that a write-back queue writes afterwards, in this order.
        journal: Whether what is to be written later is on disk before the call returns.
        Levels in neither are left out; what they held for the key is deleted.
    """

    now: tuple[int, ...]
    later: tuple[int, ...] = ()
    journal: bool = False


@runtime_checkable
class WritePolicy(Protocol):
    """Decides which tiers are written, in which order, and which of them later.

    The engine guarantees: `tiers` is the whole stack, fastest first. The implementer must answer
    from the arguments, quickly and without raising, and name each level at most once.
    """

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """Where `request` goes."""
        ...


class NewValue(NamedTuple):
    """A value that is about to be stored, as an expiry policy sees it.

    Attributes:
        key: The key.
        value: The value.
        lifetime_s: Seconds that it would be fresh: what the caller or the policy before said.
        cost_s: The seconds that computing it took, 0.0 where nobody measured.
        now_s: The wall clock, in seconds since 1970-01-01T00:00Z.
    """

    key: str
    value: Any
    lifetime_s: float
    cost_s: float
    now_s: float


@runtime_checkable
class ExpiryPolicy(Protocol):
    """Decides how long a new value is fresh.

    The engine guarantees: it asks once for each value that is set or computed, in the order in
    which a cache names its policies, each with the lifetime of the one before. The implementer
    must answer more than 0.0, `inf` without a limit, from the arguments, and without raising.
    """

    def lifetime_s(self, new: NewValue) -> float:
        """Seconds that `new` is fresh."""
        ...


class Hit(NamedTuple):
    """A fresh value that a computation was asked for, as a refresh policy sees it.

    Attributes:
        key: The key.
        age_s: Seconds since it was written.
        remaining_s: Seconds that it stays fresh.
        cost_s: The seconds that computing it took, 0.0 where nobody measured.
    """

    key: str
    age_s: float
    remaining_s: float
    cost_s: float


class HitAction(NamedTuple):
    """What a hit leads to, beside its value being served.

    Attributes:
        refresh: Whether the value is computed anew, in the background.
        renew_s: If more than 0.0, the seconds that the value stays fresh from now on.
    """

    refresh: bool = False
    renew_s: float = 0.0


@runtime_checkable
class RefreshPolicy(Protocol):
    """Decides what a hit does for the freshness of its value.

    The engine guarantees: it asks at hits of `get_or_compute` and of cached functions on values
    with a limit, and only within the window. The implementer must answer from the arguments (and
    state of its own, which several threads may use at once), quickly and without raising.
    """

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """The seconds before a value's end in which hits are of interest.

        Outside of it a hit in memory costs nothing for this policy.

        Args:
            lifetime_s: Seconds from the writing of the value to the end of its freshness.
            cost_s: The seconds that computing it took, 0.0 where nobody measured.
        """
        ...

    def on_hit(self, hit: Hit) -> HitAction:
        """What `hit` leads to."""
        ...


@runtime_checkable
class StatisticsPolicy(Protocol):
    """Says how much is counted. Both are read once, when the cache is built."""

    @property
    def one_in(self) -> int:
        """Of how many calls of a tier one is counted, for all of them; 0 to count nothing."""
        ...

    @property
    def latencies(self) -> bool:
        """Whether the distribution of the times is kept as well."""
        ...


class QueueLimits(NamedTuple):
    """The bounds of a write-back queue.

    Attributes:
        flush_interval_s: Seconds for which a key must not have been written again before it is
            flushed, so that repeated writes of it become one.
        max_delay_s: Seconds after which it is flushed in any case.
        max_batch: The most keys that one flush writes.
        max_pending: The most keys that wait; a writer of one more waits for room.
    """

    flush_interval_s: float
    max_delay_s: float
    max_batch: int
    max_pending: int


@runtime_checkable
class QueuesWrites(Protocol):
    """A write policy whose plans have levels for later: it says what bounds the queue."""

    @property
    def limits(self) -> QueueLimits:
        """The bounds; read once, when the stack is built."""
        ...


class EvictionPolicy(Protocol):
    """A bounded mapping that decides what to let go: any `cachetools.Cache` is one.

    The caller guarantees: one thread at a time (readers excepted where the policy also is
    `LockFreeReads`), and string keys. The implementer must keep `currsize <= maxsize` after every
    operation, remove entries of its own accord only through `popitem()` of the same object (so
    that whoever replaces that attribute sees every eviction), and raise `KeyError` for what it
    does not hold.
    """

    @property
    def maxsize(self) -> float:
        """The most that it holds, in the unit of `getsizeof`."""
        ...

    @property
    def currsize(self) -> float:
        """What it holds now."""
        ...

    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __delitem__(self, key: str, /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

    def popitem(self) -> tuple[str, Any]:
        """Remove and return what is to be let go next."""
        ...

    def clear(self) -> None:
        """Remove everything."""
        ...


@runtime_checkable
class CostAware(Protocol):
    """An eviction policy that weighs what entries cost.

    A memory tier replaces `getcost` by what knows the measured seconds of its entries.
    """

    getcost: Callable[[Any], float]


class Node(Protocol):
    """What a lock-free policy keeps for a key.

    Attributes:
        value: The value.
        visits: How often it was read since the policy last looked; readers add to it.
        total_visits: The visits before that.
    """

    value: Any
    visits: int
    total_visits: int


@runtime_checkable
class LockFreeReads(Protocol):
    """An eviction policy whose hits need no lock: a hit only adds to the node's `visits`.

    The caller guarantees: it only looks nodes up, and adds to `visits`, which may lose an
    increment under threads. The implementer must treat `visits` as a hint, and must hand out the
    same mapping object for as long as it lives, `clear()` included.
    """

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Its nodes by key, live."""
        ...
