"""Miss-ratio curves: accurate, bounded, and live in a running cache."""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import xxhash

from tests.traces.catalog import keys_of, needs_public, project_traces, public_traces
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import Off
from tiered_cache.stats.counting.computations import Repeats
from tiered_cache.stats.curves.curves import Curves
from tiered_cache.stats.curves.shards import DIGEST_MASK, Shards
from tiered_cache.stats.snapshot.cache_stats import TierStats
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES
from tiered_cache.testing import FakeClock

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tiered_cache.contracts import Tier

_REQUESTS = 60_000
"""The part of each public trace that is replayed: an exact replay is slow."""

_OF_TWO_TIERS = 3072


def digest(key: int) -> int:
    return xxhash.xxh3_64_intdigest(key.to_bytes(8, "little")) & DIGEST_MASK


def exact(keys: Sequence[Any], sizes: Sequence[float]) -> list[int]:
    """The hits of LRU caches of these sizes, from the exact reuse distance of each request."""
    tree = [0] * (len(keys) + 1)

    def add(place: int, number: int) -> None:
        while place < len(tree):
            tree[place] += number
            place += place & -place

    def up_to(place: int) -> int:
        found = 0
        while place:
            found += tree[place]
            place -= place & -place
        return found

    last: dict[Any, int] = {}
    hits = [0] * len(sizes)
    for now, key in enumerate(keys, start=1):
        before = last.get(key)
        if before is not None:
            distance = up_to(now - 1) - up_to(before)
            for place, size in enumerate(sizes):
                hits[place] += distance < size
            add(before, -1)
        add(now, 1)
        last[key] = now
    return hits


def _mean_error(keys: Sequence[int]) -> float:
    """The mean distance of a curve from the exact one, over sizes from a thousandth to all keys."""
    unique = len(set(keys))
    sizes = [unique * 2 ** (-step / 2) for step in range(20, -1, -1)]
    shards = Shards(_OF_TWO_TIERS)
    for key in keys:
        shards.see(digest(key))
    found = shards.hits_at(sizes, len(keys))
    off = [abs(a - b) / len(keys) for a, b in zip(found, exact(keys, sizes), strict=True)]
    return sum(off) / len(off)


@pytest.mark.proves("counting/curves")
def test_curves_are_those_of_exact_replays_to_a_hundredth() -> None:
    errors = {trace.name: _mean_error(keys_of(trace.name)) for trace in project_traces()}
    assert len(errors) > 10
    assert sum(errors.values()) / len(errors) < 0.01
    assert max(errors.values()) < 0.03, errors


@pytest.mark.proves("counting/curves")
@pytest.mark.exhaustive
@needs_public
def test_curves_are_those_of_exact_replays_of_public_traces_to_a_hundredth() -> None:
    errors = {trace.name: _mean_error(keys_of(trace.name)[:_REQUESTS]) for trace in public_traces()}
    assert len(errors) > 10
    assert sum(errors.values()) / len(errors) < 0.01
    assert max(errors.values()) < 0.03, errors


def zipf(requests: int, keys: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [f"k{int(rng.paretovariate(0.6)) % keys}" for _ in range(requests)]


def test_a_curve_of_few_keys_is_exact() -> None:
    keys = zipf(5000, 500)
    numbers = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    shards = Shards()
    for key in keys:
        shards.see(digest(numbers[key]))
    sizes = [1.0, 3.0, 10.0, 31.0, 100.0]
    assert shards.hits_at(sizes, len(keys)) == pytest.approx(exact(keys, sizes))


def _interrupted(function: Callable[[], object], step: int) -> bool:
    """Interrupt `function` before its line number `step` in the shards module; whether it came that far."""
    left = step
    file = Shards.hits_at.__code__.co_filename

    def trace(frame: types.FrameType, event: str, _: object) -> Any:
        nonlocal left
        # Not in finalizers that the garbage collector calls here.
        if frame.f_code.co_filename != file:
            return None
        # Not around the lock: CPython handles no signal between taking it and entering its block.
        if event == "line" and frame.f_code.co_name != "hits_at":
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_law_1_a_sample_that_was_interrupted_counts_on() -> None:
    digests = [digest(number) for number in (1, 2, 1, 3, 2, 4, 5, 6, 1, 7, 5, 7)]
    step = 0
    while True:
        shards = Shards(4)
        for each in digests:
            shards.see(each)
        if not _interrupted(partial(shards.hits_at, [1.0], 12), step):
            break
        for each in 3 * digests:
            shards.see(each)
            shards.hits_at([1.0, 2.0, 4.0], 48)
        assert shards._instants == sorted(shards._instants)
        step += 1
    assert step > 100


@pytest.mark.proves("counting/curves")
def test_law_10_a_sample_is_bounded_for_any_keys() -> None:
    rng = random.Random(2)
    tracemalloc.start()
    curves = Curves(3, lambda: 0.0)
    repeats = Repeats()
    before, _ = tracemalloc.get_traced_memory()
    most = 0
    for number in range(60_000):
        key = f"{int(rng.paretovariate(0.2)) % 10**9}"
        curves.see(hash(key) & DIGEST_MASK, 2)
        if number % 500 == 0:
            most = max(most, tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    assert most < 2**20
    del repeats


def lru_hits(keys: Sequence[str], size: float) -> int:
    held: OrderedDict[str, None] = OrderedDict()
    hits = 0
    for key in keys:
        if key in held:
            hits += 1
            held.move_to_end(key)
        else:
            held[key] = None
            if len(held) > size:
                held.popitem(last=False)
    return hits


@pytest.mark.proves("counting/curves")
@pytest.mark.parametrize("eviction", ["s3fifo", "sieve", "lru"])
def test_the_curve_of_a_running_cache_is_that_of_its_lookups(eviction: str) -> None:
    clock = FakeClock()
    keys = zipf(30_000, 3000)
    with TieredCache([MemoryTier(200, eviction=eviction)], clock=clock) as cache:
        for key in keys:
            cache.get_or_compute(key, int)
            clock.advance(0.001)
        tier = cache.stats().tier("memory")
    assert tier.curve_lookups == tier.lookups == len(keys)
    wanted = [lru_hits(keys, 200 * times) for times in CURVE_SIZES]
    off = [abs(a - b) / len(keys) for a, b in zip(tier.curve, wanted, strict=True)]
    assert sum(off) / len(off) < 0.02


@pytest.mark.proves("counting/curves-sampled")
def test_under_load_most_hits_of_sampled_keys_are_inlined() -> None:
    clock = FakeClock()
    with TieredCache([MemoryTier(100)], clock=clock) as cache:
        for number in range(200):
            cache.set(str(number), number)
        core = cache._source.core()
        seen: list[str] = []
        count = core.stack.count_hit

        def note(key: str, level: int, cost_s: float, seconds: float) -> None:
            seen.append(key)
            count(key, level, cost_s, seconds)

        core.stack.count_hit = note
        held = list(cache.keys())
        for _ in range(100):
            for key in held:
                cache.get(key)
            clock.advance(0.001)
        assert 0 < len(seen) <= len(held) + 1000
        clock.advance(2)
        cache.get(held[0])
        assert seen[-1] == held[0], "after its rest it is seen again"
        assert cache.stats().hits == 100 * len(held) + 1


def test_a_tier_that_is_not_full_is_not_sampled() -> None:
    with TieredCache([MemoryTier(100)], clock=FakeClock()) as cache:
        for _ in range(5):
            cache.get_or_compute("key", int)
        tier = cache.stats().tier("memory")
        assert (tier.curve, tier.hit_rate_at(2.0)) == ((), None)
        assert cache._source.core().hits.now().hits == 4


def test_off_samples_nothing() -> None:
    with TieredCache([MemoryTier(1)], statistics=Off()) as cache:
        for number in range(10):
            cache.set(str(number), 1)
            cache.get(str(number))
        assert cache.stats().tier("memory").curve == ()
        assert cache._source.core().hits.now().hits == 10


def test_a_lower_tier_has_a_curve_of_its_own_lookups(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(10), DiskTier(tmp_path, "1MiB")]
    with TieredCache(tiers) as cache:
        for key in zipf(500, 100):
            cache.get_or_compute(key, int)
        disk = cache.stats().tier("disk")
        assert disk.curve_lookups == disk.lookups
        assert disk.curve[-1] == pytest.approx(disk.hits, abs=0.05 * disk.lookups)


def _modules_of_statistics(call: Callable[[], object]) -> set[str]:
    """The modules of statistics that `call` enters in this thread."""
    entered: set[str] = set()

    def profile(frame: types.FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("tiered_cache.stats."):
            entered.add(module.removeprefix("tiered_cache.stats."))

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


@pytest.mark.parametrize("sampled", [True, False])
def test_a_hit_below_is_counted_in_one_module_and_curves_see_sampled_keys_only(
    tmp_path: Path, sampled: bool
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(10), DiskTier(tmp_path)]
    with TieredCache(tiers) as cache:
        cached, view = cache.cached(digest), cache.namespace("view")
        calls: list[Callable[[], object]] = [
            lambda: cached(7),
            lambda: view.get_or_compute("key", int),
            lambda: cache.get_or_compute("key", int),
        ]
        for call in calls:
            call()
        for number in range(20):
            cache.set(str(number), number)
        core = cache._source.core()
        assert core.stack.levels[0].tier.clear() == 10
        if not sampled:
            core.statistics._counters._sampled_below[:] = [0, 0]
        before = cache.stats()
        entered = [_modules_of_statistics(call) for call in calls]
        change = cache.stats() - before
    expected = {"counting.cache_counters"} | (
        {"curves.curves", "curves.shards"} if sampled else set()
    )
    assert entered == [expected] * 3
    assert (change.hits, change.tier("memory").misses, change.tier("disk").hits) == (3, 3, 3)
    assert [each.hits for each in (*change.functions, *change.namespaces)] == [1, 1]


def test_the_bound_on_sampled_digests_falls_with_the_threshold() -> None:
    curves = Curves(2, lambda: 0.0)
    for number in range(20_000):
        key = digest(number)
        if key < curves.sampled_below[1]:
            curves.see(key, 1)
    thresholds = [each.threshold for each in curves._shards]
    largest = max(thresholds)
    curves.see(largest, 1)
    assert curves.sampled_below[1] == largest < DIGEST_MASK / 4


def test_estimates_for_another_size_are_corrected_by_the_real_hit_rate() -> None:
    curve = tuple(float(10 * place) for place in range(17))
    tier = TierStats("memory", hits=500, misses=500, curve=curve, curve_lookups=1000)
    assert tier.hit_rate_at(1.0) == 0.5
    assert tier.hit_rate_at(2.0) == pytest.approx(0.52)
    assert tier.hit_rate_at(1000.0) == tier.hit_rate_at(16.0) == pytest.approx(0.58)
    assert tier.hit_rate_at(0.001) == pytest.approx(0.42)
    assert TierStats("memory", hits=5).hit_rate_at(2.0) is None


def test_curves_subtract() -> None:
    before = TierStats("m", curve=tuple([1.0] * 17), curve_lookups=5)
    after = TierStats("m", curve=tuple([3.0] * 17), curve_lookups=8)
    assert (after - before).curve == tuple([2.0] * 17)
    assert (after - before).curve_lookups == 3


def test_repeated_computations_are_counted() -> None:
    with TieredCache([MemoryTier(1)]) as cache:
        for key in ("a", "b", "a", "b", "c"):
            cache.get_or_compute(key, int)
        stats = cache.stats()
    assert (stats.computes, stats.recomputes) == (5, 2)


def test_of_many_keys_repeated_computations_are_estimated() -> None:
    repeats = Repeats()
    for _ in range(3):
        for number in range(20_000):
            repeats.computed(f"{number}")
    assert repeats.read() == pytest.approx(40_000, rel=0.2)
    assert len(repeats._followed) <= 2048
