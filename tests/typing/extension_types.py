"""Types for authors of tiers, policies, listeners and tracers; type checkers check this file."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, assert_type

import cachetools

from tiered_cache import LookupStatus, MemoryTier, TieredCache
from tiered_cache.contracts import (
    ANY,
    Absent,
    Board,
    BoardTier,
    ChangeLog,
    Clock,
    Entry,
    Found,
    Leases,
    LeaseTier,
    LoggedTier,
    OneByOne,
    Reach,
    Tell,
    Tier,
    TierContext,
    TierInfo,
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


class DictTier(OneByOne):
    name = "dict"
    reach = Reach.PROCESS
    holds_records = True

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def open(self, context: TierContext) -> None:
        self._clock: Clock = context.clock

    def get(self, key: str) -> Found | Absent:
        held = self._held.get(key)
        return Absent(None) if held is None else Found(held, math.inf, None)

    def put(
        self,
        key: str,
        item: Entry | bytes,
        lifetime_s: float,
        *,
        expected: object = ANY,
        fill: bool = False,
    ) -> bool:
        if isinstance(item, bytes):
            self._held[key] = item
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
    def make_tier(self, store: Any) -> Tier:
        return DictTier()


def is_a_tier(other: Tier) -> None:
    tier: Tier = DictTier()
    assert_type(TieredCache([MemoryTier(), tier]), TieredCache)
    assert_type(tier.get("key"), Found | Absent)
    assert_type(tier.get_many(["key"]), dict[str, Found | Absent])
    assert_type(tier.clear(), int)
    if isinstance(other, LeaseTier):
        assert_type(other.leases, Leases)
    if isinstance(other, LoggedTier):
        assert_type(other.log, ChangeLog)
    if isinstance(other, BoardTier):
        assert_type(other.board, Board)
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
