"""The contracts between the engine, the tiers, the codec and whoever extends them.

The parts below (`_engine`, `tiers`, `codec`, `stats`) never import each other; they meet here.
"""

from __future__ import annotations

import contextlib
import enum
import math
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from tiered_cache.errors import RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tiered_cache.clock import Clock
    from tiered_cache.entry import Entry
    from tiered_cache.leases import LeaseAnswer
    from tiered_cache.outcomes import JournalEntry
    from tiered_cache_policies.contracts import Node

__all__ = [
    "ANY",
    "Absent",
    "AwaitableTier",
    "AwaitedTier",
    "Codec",
    "Counting",
    "EvictionReason",
    "FencingTier",
    "Found",
    "LiveTier",
    "OneByOne",
    "PutItem",
    "QuickTier",
    "Reach",
    "Recorder",
    "SteppedTier",
    "Tier",
    "TierContext",
    "TierInfo",
]


class Reach(enum.IntEnum):
    """Who shares a tier. A stack's tiers go from the narrowest reach to the widest."""

    PROCESS = 0
    HOST = 1
    CLUSTER = 2


class EvictionReason(enum.StrEnum):
    """Why an entry left a tier without anybody asking for it."""

    SIZE = "size"
    EXPIRED = "expired"


class _Any(enum.Enum):
    ANY = "any"


ANY = _Any.ANY
"""For `Tier.put(expected=…)`: write whatever is there."""


class Found(NamedTuple):
    """A tier holds the key.

    Attributes:
        item: What it holds.
        remaining_s: Seconds until the tier itself drops it, by the tier's own clock: `inf` where
            it keeps no time. The engine takes the smaller of this and the record's own lifetime.
        token: What a compare-and-set of this key must still find. Opaque: only the tier that gave
            it compares it.
    """

    item: Entry | bytes
    remaining_s: float
    token: object


class Absent(NamedTuple):
    """A tier does not hold the key.

    Attributes:
        token: What a fill must still find in order to land.
        deleted_s: When it was deleted, where the tier remembers that; else `-inf`.
    """

    token: object
    deleted_s: float = float("-inf")


class PutItem(NamedTuple):
    """One of the items of `Tier.put_many`; the fields are those of `Tier.put`."""

    item: Entry | bytes
    lifetime_s: float
    expected: object = ANY
    fill: bool = False


class TierInfo(NamedTuple):
    """What a tier says of itself; `None` where it would be expensive or impossible to know."""

    entries: int | None = None
    bytes: int | None = None
    max_entries: int | None = None
    max_bytes: int | None = None
    detail: str = ""


def _for_ever(_: str) -> float:
    return float("inf")


class TierContext(NamedTuple):
    """What the stack lends to a tier when it is opened.

    Attributes:
        namespace: Keeps this cache's keys apart from all others in a shared store.
        clock: The time; tiers that keep time natively use their own as well.
        evicted: To be called, without a lock held, with (key, size in bytes, reason) for each
            entry that the tier lets go of its own accord.
        fingerprint: A digest of a value, by which a tier can notice that a caller changed it.
        mutated: To be called with the key when it did.
        window_s: For a lifetime and a cost in seconds, how long before the end of its freshness a
            value is to be read through `get`, so that the engine sees its hits.
        origin: Gives who uses the tier: no two caches of any process have the same.
        trusted_until: Gives the `clock.monotonic()` up to which what a tier of this process holds
            may be handed out without a `get`: others may have changed it in tiers below.
        rest_s: Gives, for a key, for how many seconds it may be handed out without a `get`: of some
            keys, the hits are to be seen for the statistics. To be asked once the tier has evicted.
    """

    namespace: str
    clock: Clock
    evicted: Callable[[str, int, EvictionReason], None]
    fingerprint: Callable[[object], bytes]
    mutated: Callable[[str], None]
    window_s: Callable[[float, float], float]
    origin: Callable[[], str]
    trusted_until: Callable[[], float]
    rest_s: Callable[[str], float] = _for_ever


class Tier(Protocol):
    """One level of a stack: a store of entries or records by string key.

    The engine guarantees: `open` is called once, before anything else, and `close` once, after
    everything else; keys are non-empty strings; a tier that holds entries is given entries, one
    that holds records is given bytes; methods are called from many threads at once, and after a
    fork.

    The implementer must:

    - answer within its own deadline, connecting included;
    - raise `TierTimeoutError` or `TierUnavailableError` when the store as a whole can't serve
      (these open the breaker), `RecordRefusedError` when it can't take one record, `RecordError`
      when what it holds for one key can't be handed out, and nothing else for faults of the store;
    - hand bytes back as they were given, without interpreting them beyond `is_tombstone`;
    - open nothing in its constructor that outlives a failed configuration: connect in `open`, or
      when first used.

    `tiered_cache.testing.TierContract` checks all of this.
    """

    @property
    def name(self) -> str:
        """How it appears in statistics and events, unique in its stack."""
        ...

    @property
    def reach(self) -> Reach:
        """Who shares it."""
        ...

    @property
    def holds_records(self) -> bool:
        """Whether it holds bytes (true) or live entries (false)."""
        ...

    def open(self, context: TierContext) -> None:
        """Take the context; raise `TierUnavailableError` if the store can't be used right now.

        The engine keeps a tier that was unavailable here and asks it again later, unless it is
        the only one. A mistake in the options is a `ConfigurationError`.
        """
        ...

    def get(self, key: str) -> Found | Absent:
        """What the tier holds for `key`. Expired records and tombstones are absent."""
        ...

    def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """What the tier holds for each of `keys`, in one round trip where that is possible."""
        ...

    def put(
        self,
        key: str,
        item: Entry | bytes,
        lifetime_s: float,
        *,
        expected: object = ANY,
        fill: bool = False,
    ) -> bool:
        """Store `item` until `lifetime_s` seconds have passed by the tier's own clock.

        Args:
            key: The key.
            item: An entry or a record's bytes, according to `holds_records`.
            lifetime_s: More than 0, `inf` without a limit.
            expected: `ANY`, or the token that must still describe what the tier holds: a
                compare-and-set, atomic against every user of the store.
            fill: Whether it is no change, but a copy of what a tier below holds, or was computed: a
                tier that logs its changes does not log it.

        Returns:
            Whether it was stored; false only where `expected` no longer fits.
        """
        ...

    def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items` as `put` does, in one round trip or transaction where possible.

        Returns:
            The keys that were stored; the others' `expected` no longer fitted, or the tier does
            not take their records.
        """
        ...

    def delete(self, key: str) -> bool:
        """Remove `key`, and make every token given out for it so far stale; whether it was there."""
        ...

    def delete_many(self, keys: Sequence[str]) -> int:
        """Remove each of `keys` as `delete` does; how many were there."""
        ...

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, in bounded steps; how many there were.

        It removes this namespace's keys only, whatever else the store holds.
        """
        ...

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix` and are not expired, in no particular order.

        Keys that come or go meanwhile may or may not be seen; none is given twice.
        """
        ...

    def info(self) -> TierInfo:
        """How full it is. Asked while its breaker is closed; that it answers proves nothing."""
        ...

    def close(self) -> None:
        """Let go of every resource. May be called again."""
        ...


class OneByOne:
    """Gives a tier the methods for many keys, made of those for one.

    For a store where asking for many keys at once saves nothing.
    """

    def get_many(self: Tier, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """What the tier holds for each of `keys`."""
        return {key: self.get(key) for key in keys}

    def put_many(self: Tier, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`; the keys that were stored."""
        stored = set()
        for key, (item, lifetime_s, expected, fill) in items.items():
            with contextlib.suppress(RecordRefusedError):
                if self.put(key, item, lifetime_s, expected=expected, fill=fill):
                    stored.add(key)
        return stored

    def delete_many(self: Tier, keys: Sequence[str]) -> int:
        """Remove each of `keys`; how many were there."""
        return sum([self.delete(key) for key in keys])

    def clear(self: Tier, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`; how many there were."""
        return self.delete_many(list(self.scan(prefix)))


@runtime_checkable
class HeadTier(Protocol):
    """A tier that can say cheaply how old what it holds is, without handing it out."""

    def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """As `get_many`, but of each record only the first `HEAD_BYTES`, and no lifetimes."""
        ...


@runtime_checkable
class QuickTier(Protocol):
    """A tier that says whether its calls may be made by an event loop itself."""

    @property
    def is_quick(self) -> bool:
        """Whether no call for one key waits, does I/O, or takes longer for a larger value."""
        ...


class AwaitedTier(Protocol):
    """The side of a tier that one event loop of `asyncio` uses. Not thread-safe.

    Each method answers as the one of `Tier`, `HeadTier` or `Leases` with its name, within the same
    deadline, and raises the same. Cancelling a call leaves open whether it was done.
    """

    async def get(self, key: str) -> Found | Absent:
        """As `Tier.get`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """As `Tier.get_many`."""
        ...

    async def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """As `HeadTier.get_heads`."""
        ...

    async def put(self, key: str, item: PutItem) -> bool:
        """As `Tier.put`."""
        ...

    async def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """As `Tier.put_many`."""
        ...

    async def delete(self, key: str) -> bool:
        """As `Tier.delete`."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> int:
        """As `Tier.delete_many`."""
        ...

    async def clear(self, prefix: str) -> int:
        """As `Tier.clear`."""
        ...

    async def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """As `Leases.acquire`."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """As `Leases.release`."""
        ...

    async def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """As `Leases.wait`."""
        ...

    async def aclose(self) -> None:
        """Let go of what this loop uses."""
        ...


@runtime_checkable
class AwaitableTier(Protocol):
    """A tier that `asyncio` need not ask from a thread. It has leases."""

    def awaited(self) -> AwaitedTier | None:
        """A side of its own for the running event loop, which opens nothing until it is used.

        `None` where threads have to ask it nevertheless.
        """
        ...


@runtime_checkable
class FencingTier(Protocol):
    """A tier that can do the first half of a `clear`, for one that comes late and is to spare what is newer."""

    def fence(self, prefix: str) -> None:
        """Refuse every fill that began before now, and log that keys which begin with `prefix` changed.

        Nothing is removed. Raises as `Tier.clear` does.
        """
        ...


@runtime_checkable
class SteppedTier(Protocol):
    """A tier that can say how far a `clear` has come, which takes long where there is much."""

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do what `clear` does, and call `stepped` after each step with the keys removed so far.

        It is called without a lock held, and does not raise.
        """
        ...


class JournalRow(NamedTuple):
    """One change that is on disk until every tier has it.

    Attributes:
        serial: Its number in the journal; a later change of the same key has a higher one.
        key: The key.
        record: The bytes of the value; `None` for a deletion.
        as_of_s: When the change was made, wall clock.
        tiers: The names of the tiers that are to have it: a stack without one of them can't write
            it down.
        trouble: Why it is parked, `""` if it is not.
        clears: Whether it is a deletion of all keys that begin with `key`, which may be empty.
    """

    serial: int
    key: str
    record: bytes | None
    as_of_s: float
    tiers: frozenset[str]
    trouble: str = ""
    clears: bool = False


class Journal(Protocol):
    """Where queued changes survive the process. Thread-safe.

    Its methods raise `JournalError` when the disk can't serve, and answer within their deadline.
    """

    def write(
        self, key: str, record: bytes | None, as_of_s: float, tiers: frozenset[str]
    ) -> JournalRow:
        """Have a change on disk, in the place of an earlier one of the same key."""
        ...

    def write_many(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Have several changes on disk, all or none; the rows with their numbers."""
        ...

    def forget(self, rows: Sequence[JournalRow]) -> None:
        """Remove changes that every tier has; those that were replaced meanwhile stay."""
        ...

    def park(self, row: JournalRow, trouble: str) -> None:
        """Keep a change that could not be written, for somebody to look at."""
        ...

    def entries(self) -> list[JournalEntry]:
        """What all processes of this host have journaled for this cache."""
        ...

    def take_parked(
        self, tiers: AbstractSet[str], keys: Container[str] | None = None
    ) -> list[JournalRow]:
        """Move what is parked for some of `tiers`, of all processes, here; park it no more."""
        ...

    def drop_parked(self, tiers: AbstractSet[str], keys: Container[str] | None = None) -> int:
        """Forget what is parked, of all processes; how many changes were."""
        ...

    def clear(self, prefix: str, as_of_s: float) -> None:
        """Forget the changes of keys that begin with `prefix` and are no later than `as_of_s`.

        Those of dead processes too, and what living ones have parked. Clears stay.
        """
        ...

    def adopt(self, tiers: AbstractSet[str], most: float = math.inf) -> list[JournalRow]:
        """The changes for some of `tiers` that dead processes left; they are this one's now.

        After `most`, no further process's are taken over.
        """
        ...

    def size_bytes(self) -> int:
        """The size on disk of what this process has journaled; 0 where it did not yet."""
        ...

    def close(self) -> None:
        """Let go of the journal; what is left in it is the next process's."""
        ...


@runtime_checkable
class DurableTier(Protocol):
    """A tier on this host's disk, which has a place for the journal beside its own data."""

    @property
    def journal_directory(self) -> Path:
        """A directory that nothing else uses; it need not exist."""
        ...


@runtime_checkable
class LiveTier(Protocol):
    """A tier whose hits may be read without a lock and without a call: the engine inlines them.

    The node's value has `until` (`clock.monotonic()` seconds up to which it is fresh) and `value`.
    """

    @property
    def live(self) -> Mapping[str, Node]:
        """Nodes by key; empty where hits must go through `get`. The same object for ever."""
        ...

    @property
    def counts_live_hits(self) -> bool:
        """Whether `live` has a node for every key that it holds, and all hits add to its visits."""
        ...

    def live_token(self, key: str) -> object:
        """The token of a key that is not in `live`, without a lock; see `Absent`."""
        ...

    def live_seconds_saved(self) -> float:
        """The computing seconds that the hits in its nodes' visits made unnecessary, about."""
        ...


class Recorder(Protocol):
    """Counts what one tier does; exact under threads. The rules are in `stats.snapshot`."""

    def missed(self) -> object:
        """Count one miss that was seen without a call of the tier. Far cheaper than `looked_up`."""
        ...

    def looked_up(self, outcome: str, seconds: float, size_bytes: int, saved_s: float) -> None:
        """Count one lookup.

        Args:
            outcome: One of the counters `hits`, `stale_hits`, `misses`, `errors`, `skips`.
            seconds: How long the tier took; 0.0 where it was not called.
            size_bytes: The size of the record that was read.
            saved_s: The computing seconds that it made unnecessary.
        """
        ...

    def wrote(self, outcome: str, seconds: float, size_bytes: int) -> None:
        """Count one write: `writes`, `promotions`, `write_refusals`, `write_errors` or `deletes`."""
        ...

    def count(self, counter: str) -> None:
        """Add one to `corrupt`, `evictions`, `expirations` or `not_admitted`."""
        ...


class Counting(Protocol):
    """Counts what a cache does as a whole; exact under threads. The rules are in `stats.snapshot`."""

    @property
    def times_serializing(self) -> bool:
        """Whether `serialized` wants to be told. Read once."""
        ...

    def hit(self, key: str, level: int, cost_s: float, seconds: float) -> None:
        """Count a lookup that found a fresh value, other than an inlined hit.

        Args:
            key: The key.
            level: The place of the tier that held it.
            cost_s: The seconds that computing the value took.
            seconds: Those that reading it took.
        """
        ...

    def stale_hit(self, key: str, level: int) -> None:
        """Count a lookup that found a stale value, in the tier at the place `level`."""
        ...

    def miss(self, key: str) -> None:
        """Count a lookup that found nothing."""
        ...

    def computed(self, seconds: float, failed: bool, keys: Sequence[str] = ()) -> None:
        """Count one computation, of all of `keys`."""
        ...

    def coalesced(self) -> object:
        """Count a miss that took the outcome of a computation that was under way."""
        ...

    def waited(self) -> object:
        """Count that a caller waits for a computation of another one."""
        ...

    def serialized(self, seconds: float) -> None:
        """Count the time of turning a value into a record."""
        ...


class Codec(Protocol):
    """Turns entries into records and back. Thread-safe; does no I/O."""

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of `entry`, readable wherever a tier of `reach` is shared.

        Raises:
            SerializationError: The value can't be written under the rules for `reach`; the
                message says what to do.
        """
        ...

    def decode(self, key: str, record: bytes) -> Entry:
        """The entry of a record that some tier held for `key`.

        Raises:
            RecordError: The bytes are corrupt, foreign, unsigned or of an unknown format.
        """
        ...

    def as_of(self, record: bytes) -> float:
        """As of when a record's value holds, in wall-clock seconds, by its unverified header.

        `-inf` for bytes that are no record.
        """
        ...

    def fingerprint(self, value: object) -> bytes:
        """A digest that changes when `value` is changed."""
        ...
