"""The tier: one level of a stack."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tiered_cache.contracts.items import ItemT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tiered_cache.clock import Clock
    from tiered_cache.contracts.items import Absent, Found, Put
    from tiered_cache.contracts.offers import Offers
    from tiered_cache.entry import Entry

__all__ = [
    "CONTRACT",
    "EvictionReason",
    "Reach",
    "Tier",
    "TierContext",
    "TierInfo",
]

CONTRACT = 1
"""The number of the contract on this page. A change that an existing tier must follow raises it."""


class Reach(enum.IntEnum):
    """The processes that share a tier: one process, those of one host, or those of many hosts.

    The tiers of a stack stand in the order of their reach, the narrowest first.
    """

    PROCESS = 0
    HOST = 1
    CLUSTER = 2


class EvictionReason(enum.StrEnum):
    """Why a tier removed an entry by itself."""

    SIZE = "size"
    EXPIRED = "expired"


class TierInfo(NamedTuple):
    """The size and the bounds of a tier. `None` stands for a figure that is unknown or costly.

    Attributes:
        entries: The number of entries.
        bytes: Their size.
        max_entries: The bound on entries.
        max_bytes: The bound on bytes.
        detail: The place of the store for people, such as a directory or an address.
    """

    entries: int | None = None
    bytes: int | None = None
    max_entries: int | None = None
    max_bytes: int | None = None
    detail: str = ""


def _without_rest(_: str) -> float:
    return math.inf


class TierContext(NamedTuple):
    """The values and callbacks that a stack gives to a tier when it opens it.

    The stack guarantees that the callbacks are thread-safe, and that only `fingerprint` raises. The
    tier must hold no lock while it calls `evicted` or `mutated`.

    Attributes:
        namespace: The name that separates this cache's keys from others in a shared store.
        clock: The source of time. A store with native expiry uses its own clock as well.
        evicted: To be called with (key, size in bytes, reason) for each entry that the tier removed
            by itself.
        fingerprint: The digest of a value, by which a tier can detect that a caller changed the value.
            Raises `SerializationError` for a value that has none.
        mutated: To be called with the key of a value that a caller changed.
        window_s: Given a lifetime and a cost in seconds, the length of the window before the end of
            freshness in which hits must go through `get`, so that the refresh policy sees them.
        origin: The name of this cache, unique among the caches of all processes. A change log stores
            it with each change. It is another one in a forked child.
        trusted_until: The `clock.monotonic()` instant until which a tier of this process may serve
            hits without `get`. Later, a tier below may have changed unseen.
        rest_s: Given a key, the seconds for which it may be served without `get`: the statistics
            sample some keys. A tier needs to ask only after its first eviction.
        copy_trusted_until: Given a key and its entry, as `trusted_until` for this copy alone, to be
            asked in its place; `None` where all copies are trusted alike.
    """

    namespace: str
    clock: Clock
    evicted: Callable[[str, int, EvictionReason], None]
    fingerprint: Callable[[object], bytes]
    mutated: Callable[[str], None]
    window_s: Callable[[float, float], float]
    origin: Callable[[], str]
    trusted_until: Callable[[], float]
    rest_s: Callable[[str], float] = _without_rest
    copy_trusted_until: Callable[[str, Entry], float] | None = None


class Tier(Protocol[ItemT]):
    """One level of a stack: a store of entries or records by string key.

    `BaseTier` implements it but for `open`, `get`, `put`, `delete` and `scan`. `Tier[bytes]` holds
    records, `Tier[Entry]` live entries.

    The engine guarantees:

    - `open` is called before any other method, and again only after it raised; `close` comes last;
    - keys are non-empty strings without lone surrogates, of at most 64 KiB in UTF-8;
    - records are not empty;
    - a tier that holds entries is given entries, and a tier that holds records is given bytes;
    - methods are called from many threads at once, and in forked children.

    The implementer must:

    - answer within a deadline of its own, connecting included;
    - raise `TierTimeoutError` or `TierUnavailableError` when the store as a whole can't serve: these
      open the breaker;
    - raise `RecordRefusedError` when it can't store one record, `RecordError` when it can't hand one
      out, and nothing else for faults of the store;
    - return bytes as they were given; it may test them with `is_tombstone`, and no more;
    - connect in `open` or at first use: its constructor opens nothing that would outlive a failed
      configuration.

    `tiered_cache.testing.TierContract` checks all of this.
    """

    @property
    def contract(self) -> int:
        """The `CONTRACT` that the tier was written for."""
        ...

    @property
    def offers(self) -> Offers:
        """The abilities and limits of the tier, constant from its construction."""
        ...

    @property
    def name(self) -> str:
        """The tier's name in statistics and events, unique in its stack."""
        ...

    @property
    def reach(self) -> Reach:
        """The processes that share the tier."""
        ...

    @property
    def holds_records(self) -> bool:
        """Whether the tier holds records, which are bytes. False for live entries."""
        ...

    def open(self, context: TierContext) -> None:
        """Take the context.

        Raises:
            TierUnavailableError: The store can't be used now. The engine keeps the tier and opens it
                later, unless it is the only one.
            ConfigurationError: An option is wrong.
        """
        ...

    def get(self, key: str) -> Found[ItemT] | Absent:
        """The item of `key`. Expired records and tombstones are absent."""
        ...

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[ItemT] | Absent]:
        """The answer of `get` for each of `keys`, in one round trip where possible."""
        ...

    def put(self, key: str, put: Put[ItemT]) -> bool:
        """Store an item.

        Returns:
            Whether it was stored; false only where `put.expected` no longer fits.
        """
        ...

    def put_many(self, puts: Mapping[str, Put[ItemT]]) -> set[str]:
        """Store the item of each key as `put` does, in one round trip or transaction where possible.

        Returns:
            The keys that were stored. For each other key, `expected` no longer fits or the tier
            refuses the item.
        """
        ...

    def delete(self, key: str) -> bool | None:
        """Remove `key`, and make each token given for it stale.

        Returns whether it was there; `None` if the store does not say.
        """
        ...

    def delete_many(self, keys: Sequence[str]) -> int | None:
        """Remove each of `keys` as `delete` does.

        Returns the number that was there; `None` if the store does not say.
        """
        ...

    def clear(self, prefix: str = "") -> int | None:
        """Remove every key that begins with `prefix`, in bounded steps.

        Returns the number that was there; `None` if the store does not say. Fills that began before it are refused. Keys of other
        namespaces stay.
        """
        ...

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix` and have not expired, each once, in any order.

        A key that is added or removed during the scan may be in it or not.
        """
        ...

    def info(self) -> TierInfo:
        """The tier's size and bounds.

        It is called while the breaker is closed. An answer does not show that the store works: it
        may come from memory.
        """
        ...

    def close(self) -> None:
        """Release every resource. It may be called again."""
        ...
