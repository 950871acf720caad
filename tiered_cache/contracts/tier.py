"""The tier: one level of a stack."""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tiered_cache.errors import RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tiered_cache.clock import Clock
    from tiered_cache.entry import Entry

__all__ = [
    "ANY",
    "Absent",
    "EvictionReason",
    "Found",
    "OneByOne",
    "PutItem",
    "Reach",
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
