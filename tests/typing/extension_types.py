"""Types for authors of tiers, policies, listeners and tracers; type checkers check this file."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, assert_type

import cachetools

from tiered_cache import LookupStatus, MemoryTier, TieredCache
from tiered_cache.contracts import (
    Absent,
    BaseTier,
    Board,
    ChangeLog,
    Clock,
    Entry,
    Found,
    Leases,
    Offers,
    Put,
    Reach,
    Tell,
    Tier,
    TierContext,
    TierInfo,
    WrappedTier,
    make_tombstone,
    parse_duration,
    parse_size,
)
from tiered_cache.policies import (
    AllOf,
    AnyOf,
    HitAction,
    Jittered,
    MaxBytes,
    MinCost,
    Negative,
    Not,
    RefreshAhead,
    Sieve,
    WriteBack,
)
from tiered_cache.testing import FakeClock, TierContract

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tiered_cache.policies import Hit, NewValue


class DictTier(BaseTier[bytes]):
    name = "dict"
    reach = Reach.PROCESS
    offers = Offers(quick=True)

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def open(self, context: TierContext) -> None:
        self._clock: Clock = context.clock

    def get(self, key: str) -> Found[bytes] | Absent:
        held = self._held.get(key)
        return Absent(None) if held is None else Found(held, math.inf, None)

    def put(self, key: str, put: Put[bytes]) -> bool:
        assert_type(put.lifetime_s, float)
        self._held[key] = put.item
        return True

    def delete(self, key: str) -> bool:
        return self._held.pop(key, None) is not None

    def scan(self, prefix: str = "") -> Iterator[str]:
        return iter([key for key in self._held if key.startswith(prefix)])

    def info(self) -> TierInfo:
        return TierInfo(entries=len(self._held))

    def close(self) -> None:
        self._held.clear()


class TestDictTier(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return DictTier()


class Counted(WrappedTier[bytes]):
    gets = 0

    def get(self, key: str) -> Found[bytes] | Absent:
        self.gets += 1
        return super().get(key)


def is_a_tier(other: Tier[Entry]) -> None:
    tier: Tier[bytes] = Counted(DictTier())
    assert_type(TieredCache([MemoryTier(), tier]), TieredCache)
    assert_type(tier.get("key"), Found[bytes] | Absent)
    assert_type(tier.get_many(["key"]), dict[str, Found[bytes] | Absent])
    other.put("key", Put(b"record", 1.0))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    assert_type(tier.clear(), int | None)
    assert_type(other.offers.leases, Leases | None)
    assert_type(other.offers.change_log, ChangeLog | None)
    assert_type(other.offers.board, Board | None)
    TieredCache([object()])  # type: ignore[list-item] # pyright: ignore[reportArgumentType] # must be refused


def helps_tiers() -> None:
    assert_type(make_tombstone(0.0), bytes)
    assert_type(parse_duration("1h"), float)
    assert_type(parse_size("1MiB"), int)
    clock: Clock = FakeClock()
    assert_type(clock.monotonic(), float)


class Unchanged:
    def lifetime_s(self, new: NewValue) -> float:
        return new.lifetime_s


class Unrefreshed:
    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        return 0.0

    def on_hit(self, hit: Hit) -> HitAction:
        return HitAction()


def is_a_policy() -> None:
    assert_type(MinCost("1s") & MaxBytes("1MiB"), AllOf)
    assert_type(MinCost("1s") | MaxBytes("1MiB"), AnyOf)
    assert_type(~MinCost("1s"), Not)
    assert_type(MinCost("1s").least_s, float)
    lru: cachetools.LRUCache[str, Any] = cachetools.LRUCache(100)
    TieredCache(
        [
            MemoryTier(eviction="s3fifo"),
            MemoryTier(eviction=Sieve, name="sieve"),
            MemoryTier(eviction=lru, name="lru"),
        ],
        writing=WriteBack(durability="disk", flush_interval="1s"),
        admission={"memory": MinCost("1s")},
        expiry=[Jittered(), Negative("1m")],
        refreshing=RefreshAhead(0.8),
    )
    TieredCache([MemoryTier()], expiry=Unchanged(), refreshing=Unrefreshed())
    MemoryTier(copy="deepest")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    TieredCache([MemoryTier()], writing=Unchanged())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused


@contextmanager
def span(key: str) -> Generator[Tell]:
    def tell(outcome: LookupStatus, tier: str) -> None:
        assert_type(outcome.counter, str)

    yield tell


def is_a_tracer(cache: TieredCache) -> None:
    end = cache.trace(span)
    assert_type(end(), None)
    outcome: Literal["hit"] = "hit"
    assert_type(LookupStatus(outcome), LookupStatus)
