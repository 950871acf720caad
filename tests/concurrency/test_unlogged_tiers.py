"""Copies above a shared tier that logs no changes are compared with it within the bound (law 5).

Two caches of one process stand for two processes: they learn of each other only through the tiers.
"""

from __future__ import annotations

import asyncio
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache import AsyncTieredCache, Coherence, DiskTier, MemoryTier, TieredCache
from tiered_cache.contracts import Absent, Found, Offers, WrappedTier
from tiered_cache.errors import RecordError, RecordRefusedError, TierUnavailableError
from tiered_cache.policies import MaxBytes, WriteBack, WriteThrough
from tiered_cache.testing import FakeClock, race
from tiered_cache_policies.contracts import WritePlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tiered_cache.contracts import Put, Tier, TierContext

BOUND_S = 2.0

Make = Callable[..., TieredCache]


class Unlogged(WrappedTier[bytes]):
    """A tier without a change log, which counts the reads and can be cut off."""

    def __init__(self, inner: Tier[bytes], **offers: Any) -> None:
        super().__init__(inner)
        self.offers: Offers = replace(self.offers, change_log=None, awaited=None, **offers)
        if self.offers.heads is not None:
            self.offers = replace(self.offers, heads=self._heads)
        self.is_cut = False
        self.gets = 0
        self.heads = 0

    def _check(self) -> None:
        if self.is_cut:
            msg = "cut off"
            raise TierUnavailableError(msg, tier=self.name)

    def _heads(self, keys: Sequence[str]) -> Mapping[str, Found[bytes] | Absent]:
        self._check()
        self.heads += 1
        assert self.inner.offers.heads is not None
        return self.inner.offers.heads(keys)

    def get(self, key: str) -> Found[bytes] | Absent:
        self._check()
        self.gets += 1
        return self.inner.get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        self._check()
        self.gets += 1
        return self.inner.get_many(keys)

    def put(self, key: str, put: Put[bytes]) -> bool:
        self._check()
        return self.inner.put(key, put)

    def delete(self, key: str) -> bool | None:
        self._check()
        return self.inner.delete(key)


@pytest.fixture(params=["host", "cluster"])
def reach(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(params=["heads", "no heads", "no tokens"])
def offers(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {
        "heads": {},
        "no heads": {"heads": None},
        "no tokens": {"heads": None, "compare_and_set": False},
    }
    return found[request.param]


@pytest.fixture
def open_cache(
    reach: str,
    offers: dict[str, Any],
    tmp_path: Path,
    redis_url: str,
    namespace: str,
    clock: FakeClock,
) -> Iterator[Make]:
    """Makes caches as different processes of a host have them, or different hosts."""
    made: list[TieredCache] = []

    def make(**options: Any) -> TieredCache:
        options.setdefault("clock", clock)
        tiers: list[Tier[Any]] = [MemoryTier()]
        if reach == "host":
            tiers.append(Unlogged(patient_disk(tmp_path / "shared"), **offers))
        else:
            tiers.append(patient_disk(tmp_path / f"host-{len(made)}"))
            tiers.append(Unlogged(patient_redis(redis_url), **offers))
        made.append(TieredCache(tiers, namespace=namespace, **options))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def tiers_of(cache: TieredCache) -> list[Tier[Any]]:
    return [level.tier for level in cache._source.core().stack.levels]


def shared(cache: TieredCache) -> Unlogged:
    tier: Any = tiers_of(cache)[-1]
    return tier if isinstance(tier, Unlogged) else tier.inner


CHANGES: dict[str, Callable[[TieredCache], object]] = {
    "set": lambda cache: cache.set("a/1", "new"),
    "set_many": lambda cache: cache.set_many({"a/1": "new", "b": 1}),
    "delete": lambda cache: cache.delete("a/1"),
    "delete_many": lambda cache: cache.delete_many(["a/1", "b"]),
    "clear": lambda cache: cache.clear(),
    "prefix": lambda cache: cache.invalidate_prefix("a/"),
    "tags": lambda cache: cache.invalidate_tags("tag"),
    "touch": lambda cache: cache.touch("a/1", "1s"),
}


@pytest.mark.proves("law-5/without-log")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "read", ["get", "get_many", "exists", "compute", "compute_many", "explain"]
)
def test_law_5_a_change_elsewhere_is_seen_within_the_bound_without_a_log(
    change: str, read: str, open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    keeps_tokens = shared(cache).offers.compare_and_set
    if not keeps_tokens and change in ("touch", "tags"):
        # Neither works over such a tier: the first compares tokens, versions of tags are fills.
        return
    cache.set("a/1", "old", tags=["tag"] if change == "tags" else [])
    assert elsewhere.get("a/1") == "old"
    assert elsewhere.get("a/1") == "old"
    assert cache.staleness_bound == elsewhere.staleness_bound == BOUND_S
    clock.advance(1)
    CHANGES[change](cache)
    clock.advance(BOUND_S)
    new = "new" if change.startswith("set") else None
    for _ in range(2):
        if read == "get":
            assert elsewhere.get("a/1") == new
        elif read == "get_many":
            assert elsewhere.get_many(["a/1"]).get("a/1") == new
        elif read == "exists":
            assert elsewhere.exists("a/1") == (new is not None)
        elif read == "compute":
            assert elsewhere.get_or_compute("a/1", lambda: "computed") == (new or "computed")
        elif read == "compute_many":
            found = elsewhere.get_or_compute_many(["a/1"], lambda keys: dict.fromkeys(keys, "made"))
            assert found["a/1"] == (new or "made")
        else:
            assert not elsewhere.explain("a/1")[0].present


def never(*_: object) -> Any:
    pytest.fail("it was computed")


def in_memory(cache: TieredCache) -> int:
    return cache.stats().tier("memory").hits


@pytest.mark.proves("law-5/without-log-cost")
def test_an_unchanged_copy_is_compared_once_in_the_bound_and_stays(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    keeps_tokens = shared(cache).offers.compare_and_set
    cache.set("set", "by cache")
    assert cache.get_or_compute("computed", lambda: "by cache") == "by cache"
    assert elsewhere.get("set") == "by cache"
    for reader in (cache, elsewhere):
        keys = ["set", "computed"] if keeps_tokens and reader is cache else ["set"]
        for _ in range(5):
            clock.advance(BOUND_S)
            before = in_memory(reader), shared(reader).heads + shared(reader).gets
            for _ in range(3):
                for key in keys:
                    assert reader.get(key) == "by cache"
            assert in_memory(reader) == before[0] + 3 * len(keys)
            assert shared(reader).heads + shared(reader).gets == before[1] + len(keys)


@pytest.mark.proves("law-5/without-log-cost")
def test_many_copies_are_compared_in_one_go(open_cache: Make, clock: FakeClock) -> None:
    cache = open_cache()
    values = {f"key {number}": number for number in range(50)}
    cache.set_many(values)
    clock.advance(BOUND_S)
    before = shared(cache).heads + shared(cache).gets
    assert cache.get_many(values) == values
    assert shared(cache).heads + shared(cache).gets == before + 1
    assert in_memory(cache) == 50


@pytest.mark.proves("law-5/without-log-cost")
def test_tasks_of_a_loop_compare_their_copies_in_one_go(open_cache: Make, clock: FakeClock) -> None:
    cache = open_cache()
    keys = [f"key {number}" for number in range(50)]
    cache.set_many(dict.fromkeys(keys, "value"))
    clock.advance(BOUND_S)

    async def work() -> list[object]:
        awaited = AsyncTieredCache.of(cache)
        found: list[object] = await asyncio.gather(
            *[awaited.get_or_compute(key, never) for key in keys]
        )
        return found

    before = shared(cache).heads + shared(cache).gets
    assert asyncio.run(work()) == ["value"] * 50
    assert shared(cache).heads + shared(cache).gets == before + 1


@pytest.mark.proves("law-5/without-log-cost")
def test_hits_between_two_comparisons_are_inlined(open_cache: Make, clock: FakeClock) -> None:
    cache = open_cache()
    level = cache._source.core().stack.levels[0]
    cache.set("key", "value")
    for _ in range(3):
        clock.advance(BOUND_S)
        for _ in range(2):  # compared by the first, and trusted from the second on
            assert cache.get("key") == "value"
        trusted_until_s = clock.monotonic() + BOUND_S
        assert level.live["key"].value.until == pytest.approx(trusted_until_s, abs=BOUND_S / 2)
        assert level.live["key"].value.until <= trusted_until_s


@pytest.mark.proves("law-5/without-log-away")
@pytest.mark.parametrize("when_cut", ["skip", "serve"])
def test_law_5_while_the_tier_is_away_the_rules_of_a_cut_log_hold(
    when_cut: str, open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(coherence=Coherence(when_cut=when_cut)), open_cache()
    cache.set_many({"changed": "old", "kept": "as it is"})
    shared(cache).is_cut = True
    elsewhere.set("changed", "new")
    clock.advance(BOUND_S)
    if when_cut == "serve":
        assert cache.staleness_bound == math.inf
        assert cache.get_many(["changed", "kept"]) == {"changed": "old", "kept": "as it is"}
    else:
        assert cache.staleness_bound == BOUND_S
        assert cache.get_many(["changed", "kept"]) == {}
        assert cache.lookup("kept").status.value == "error"
        assert cache.get_or_compute("other", lambda: "computed") == "computed"
        assert cache.get_or_compute("other", never) == "computed", "it is younger than the bound"
    shared(cache).is_cut = False
    clock.advance(60)
    assert cache.get("changed") == "new"
    before = in_memory(cache)
    assert cache.get("kept") == "as it is"
    assert in_memory(cache) == before + 1, "it was not dropped"


@pytest.mark.proves("law-5/not-when-serving")
def test_without_a_bound_nothing_is_compared(open_cache: Make, clock: FakeClock) -> None:
    cache, elsewhere = open_cache(coherence=Coherence(bound=None)), open_cache()
    cache.set("key", "old")
    elsewhere.set("key", "new")
    clock.advance(3600)
    before = shared(cache).heads + shared(cache).gets
    assert cache.get("key") == "old"
    assert cache.staleness_bound == math.inf
    assert shared(cache).heads + shared(cache).gets == before


LONG = "value" * 1000


class FastOnly(WriteThrough):
    """Writes to the first two tiers only."""

    def plan(self, request: object, tiers: Sequence[object]) -> WritePlan:
        return WritePlan(tuple(reversed(range(len(tiers) - 1))))


WITHHELD: dict[str, dict[str, Any]] = {
    "too long": {"offers": {"max_item_bytes": 1000}},
    "not admitted": {"admission": {"shared": MaxBytes("1KB")}},
    "not planned": {"writing": FastOnly()},
}


@pytest.fixture(params=WITHHELD)
def withholding(
    request: pytest.FixtureRequest, reach: str, tmp_path: Path, redis_url: str, namespace: str
) -> Iterator[Make]:
    """Makes caches above a tier that does not get the long values."""
    made: list[TieredCache] = []

    def make(host: str, clock: FakeClock) -> TieredCache:
        options = dict(WITHHELD[request.param])
        inner: Any = (
            DiskTier(tmp_path / "shared", timeout="20s", name="shared")
            if reach == "host"
            else patient_redis(redis_url, name="shared")
        )
        tiers: list[Tier[Any]] = [MemoryTier(), Unlogged(inner, **options.pop("offers", {}))]
        if reach == "cluster":
            tiers.insert(1, patient_disk(tmp_path / host))
        made.append(TieredCache(tiers, namespace=namespace, clock=clock, **options))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


@pytest.mark.proves("law-5/withheld")
@pytest.mark.parametrize("store", ["set", "compute", "refresh"])
@pytest.mark.parametrize("change", [*CHANGES, "set for a second", "delete, long ago"])
def test_a_copy_of_a_value_that_the_tier_does_not_take_is_kept_until_its_key_changes(
    store: str, change: str, withholding: Make, clock: FakeClock
) -> None:
    cache, elsewhere = withholding("here", clock), withholding("there", clock)
    if store == "set":
        cache.set("a/1", LONG)
    elif store == "compute":
        assert cache.get_or_compute("a/1", lambda: LONG) == LONG
    else:
        cache.set("a/1", "old")
        clock.advance(1)
        assert cache.refresh("a/1", lambda: LONG) == LONG
    for step_s in (0, 1, BOUND_S, BOUND_S, 7200):
        clock.advance(step_s)
        for _ in range(2):
            assert cache.get_or_compute("a/1", never) == LONG
    if change == "set for a second":
        elsewhere.set("a/1", "new", ttl=1)
        clock.advance(1)
    elif change == "delete, long ago":
        elsewhere.delete("a/1")
        clock.advance(7200)
    elif change in ("touch", "tags"):
        return  # elsewhere the value is unknown, and it has no tag
    else:
        CHANGES[change](elsewhere)
    clock.advance(BOUND_S)
    takes_nothing = isinstance(cache._source.core().stack.options.writing, FastOnly)
    is_there = change in ("set", "set_many") and not takes_nothing
    assert cache.get("a/1") == ("new" if is_there else None)


def test_law_7_a_value_that_only_the_disk_took_is_there_after_a_restart(
    tmp_path: Path, redis_url: str, namespace: str, clock: FakeClock
) -> None:
    def make() -> TieredCache:
        shared = Unlogged(patient_redis(redis_url), max_item_bytes=1000)
        tiers: list[Tier[Any]] = [MemoryTier(), patient_disk(tmp_path), shared]
        return TieredCache(tiers, namespace=namespace, clock=clock)

    with make() as cache:
        result = cache.set("key", LONG, durability="disk")
        assert [each.outcome.value for each in result.tiers] == ["written", "written", "refused"]
        assert cache.set("pickled", {"a lambda": len}).stored
    clock.advance(60)
    with make() as cache:
        assert cache.get("key") == LONG
        assert cache.get("pickled") == {"a lambda": len}
        assert in_memory(cache) == 0
        assert cache.get_or_compute("key", never) == LONG
        assert in_memory(cache) == 1


class Refusing(Unlogged):
    """Refuses long records only when they come."""

    def __init__(self, inner: Tier[bytes], during: Callable[[], object] = lambda: None) -> None:
        super().__init__(inner)
        self.during = during

    def put(self, key: str, put: Put[bytes]) -> bool:
        if len(put.item) > 1000:
            self.during()
            raise RecordRefusedError("too long", tier=self.name, operation="put", key=key)
        return super().put(key, put)

    def put_many(self, puts: Mapping[str, Put[bytes]]) -> set[str]:
        return {key for key, put in puts.items() if self.put(key, put)}


def test_a_computed_value_that_is_refused_when_it_comes_is_kept(
    tmp_path: Path, clock: FakeClock
) -> None:
    tier = Refusing(patient_disk(tmp_path))
    with TieredCache([MemoryTier(), tier], clock=clock) as cache:
        assert cache.get_or_compute("key", lambda: LONG) == LONG
        for _ in range(3):
            clock.advance(BOUND_S)
            assert cache.get_or_compute("key", never) == LONG


def test_a_queued_value_that_the_tier_does_not_take_is_kept(
    tmp_path: Path, clock: FakeClock
) -> None:
    tier = Unlogged(patient_disk(tmp_path), max_item_bytes=1000)
    writing = WriteBack("memory", flush_interval="1h", max_delay="1h")
    with TieredCache([MemoryTier(), tier], clock=clock, writing=writing) as cache:
        cache.set("key", LONG)
        cache.flush()
        for _ in range(3):
            clock.advance(BOUND_S)
            assert cache.get("key") == LONG


def test_a_voucher_lives_as_long_as_a_touched_copy(tmp_path: Path, clock: FakeClock) -> None:
    tier = Unlogged(patient_disk(tmp_path), max_item_bytes=1000)
    with TieredCache([MemoryTier(), tier], clock=clock) as cache:
        cache.set("key", LONG, ttl=4000)
        clock.advance(10)
        assert cache.touch("key", 40_000)
        clock.advance(9000)
        assert cache.get("key") == LONG


def test_law_4_a_refused_refresh_vouches_for_nothing_older_than_a_change(
    tmp_path: Path, clock: FakeClock
) -> None:
    with TieredCache([MemoryTier(), Unlogged(patient_disk(tmp_path))], clock=clock) as elsewhere:
        tier = Refusing(patient_disk(tmp_path))
        with TieredCache([MemoryTier(), tier], clock=clock) as cache:
            cache.set("key", "old")
            clock.advance(1)
            tier.during = lambda: elsewhere.set("key", "newer")
            assert cache.refresh("key", lambda: LONG) == LONG
            clock.advance(BOUND_S)
            assert cache.get("key") == elsewhere.get("key") == "newer"


def test_what_no_record_can_hold_stays_in_memory(open_cache: Make, clock: FakeClock) -> None:
    cache = open_cache()
    assert cache.set("key", value := (lambda: None)).stored
    assert cache.get("key") is value
    if shared(cache).offers.compare_and_set:
        clock.advance(BOUND_S)
        assert cache.get("key") is value


def test_law_8_a_strict_cache_that_serves_when_cut_does_not_raise(
    open_cache: Make, clock: FakeClock
) -> None:
    cache = open_cache(strict=True, coherence=Coherence(when_cut="serve"))
    cache.set("key", "value")
    shared(cache).is_cut = True
    clock.advance(BOUND_S)
    assert cache.get("key") == "value"
    careful = open_cache(strict=True)
    careful.set("key", "value")
    shared(careful).is_cut = True
    clock.advance(BOUND_S)
    with pytest.raises(TierUnavailableError):
        careful.get("key")


def test_one_unreadable_record_leaves_the_other_copies(tmp_path: Path, clock: FakeClock) -> None:
    class Unreadable(Unlogged):
        def get_many(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
            answers = super().get_many(keys)
            if "key 7" in keys:
                msg = "it can't be read"
                raise RecordError(msg)
            return answers

    tier = Unreadable(patient_disk(tmp_path))
    with TieredCache([MemoryTier(), tier], clock=clock) as cache:
        values = {f"key {number}": number for number in range(64)}
        cache.set_many(values)
        clock.advance(BOUND_S)
        found = cache.get_many(values)
        assert in_memory(cache) == 63
        assert {**found, "key 7": 7} == values
        assert tier.gets < 20


def test_a_tier_that_does_not_ask_for_each_copy_inlines_no_hit(
    tmp_path: Path, clock: FakeClock
) -> None:
    class Simple(MemoryTier):
        """Knows `trusted_until` alone."""

        def open(self, context: TierContext) -> None:
            super().open(context._replace(copy_trusted_until=None))

    tier = Unlogged(patient_disk(tmp_path))
    with TieredCache([Simple(), tier], clock=clock) as cache:
        cache.set("key", "old")
        node = cache._source.core().stack.levels[0].live["key"]
        assert cache.get("key") == "old"
        assert node.value.until < clock.monotonic()


def test_a_change_during_a_slow_write_is_not_trusted_away(tmp_path: Path, clock: FakeClock) -> None:
    """The trust in a copy begins before it was written: the process may have been frozen since."""

    class Frozen(Unlogged):
        def put(self, key: str, put: Put[bytes]) -> bool:
            stored = super().put(key, put)
            elsewhere.set(key, "newer")
            clock.advance(BOUND_S)
            return stored

    with (
        TieredCache([MemoryTier(), Unlogged(patient_disk(tmp_path))], clock=clock) as elsewhere,
        TieredCache([MemoryTier(), Frozen(patient_disk(tmp_path))], clock=clock) as cache,
    ):
        cache.set("key", "new")
        assert cache.get("key") == "newer"
        cache.delete("computed")
        assert cache.get_or_compute("computed", lambda: "new") == "new"
        assert cache.get("computed") == "newer"


def test_a_queued_change_of_the_process_itself_is_served_until_it_is_written(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = (
        open_cache(writing=WriteBack("memory", flush_interval="1h", max_delay="1h")),
        open_cache(),
    )
    elsewhere.set("key", "old")
    assert cache.get("key") == "old"
    cache.set("key", "new")
    clock.advance(BOUND_S)
    assert cache.get("key") == "new"
    assert elsewhere.get("key") == "old"
    cache.flush()
    clock.advance(BOUND_S)
    before = in_memory(cache)
    assert cache.get("key") == elsewhere.get("key") == "new"
    assert in_memory(cache) == before + 1, "the copy is that of the flush"


def test_a_copy_that_was_outdated_is_removed_from_its_tier(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("key", "old")
    elsewhere.delete("key")
    clock.advance(BOUND_S)
    assert cache.get("key") is None
    for tier in tiers_of(cache):
        assert list(tier.scan()) == []


@pytest.mark.proves("law-5/without-log")
def test_law_4_and_5_under_threads_and_random_changes_without_a_log(
    open_cache: Make, offers: dict[str, Any], clock: FakeClock
) -> None:
    caches = [open_cache() for _ in range(4)]

    def work(number: int) -> None:
        chance = random.Random(number)
        cache = caches[number % 4]
        for turn in range(100):
            key = f"key {chance.randrange(3)}"
            action = chance.randrange(7)
            if action == 0:
                cache.set(key, f"{number}/{turn}")
            elif action == 1:
                cache.delete(key)
            elif action == 2:
                cache.clear()
            elif action == 3:
                clock.advance(BOUND_S / 3)
            else:
                cache.get_or_compute(key, f"{number}/{turn}".strip)

    race(8, work)
    clock.advance(BOUND_S)
    keys = [f"key {number}" for number in range(3)]
    found = [cache.get_many(keys) for cache in caches]
    if offers.get("compare_and_set", True):
        assert all(each == found[0] for each in found)
        return
    # Such a tier holds what was set. What was computed above it is known to one cache alone.
    held = {key: value for each in found for key, value in each.items()}
    assert all(each.items() <= held.items() for each in found)


_WRITER = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from tests.concurrency.test_unlogged_tiers import open_over
with open_over(*sys.argv[1:]) as cache:
    for line in sys.stdin:
        cache.set("key", int(line))
        print("done", flush=True)
"""


def open_over(url: str, namespace: str) -> TieredCache:
    tier = Unlogged(patient_redis(url))
    return TieredCache(
        [MemoryTier(), tier], namespace=namespace, coherence=Coherence(bound="100ms")
    )


@pytest.mark.proves("law-5/without-log-processes")
def test_law_5_of_two_processes_over_a_server_without_a_log(redis_url: str, namespace: str) -> None:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", _WRITER, root, redis_url, namespace]
    with (
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, bufsize=1) as writer,
        open_over(redis_url, namespace) as cache,
    ):
        assert writer.stdin is not None
        assert writer.stdout is not None
        for number in range(10):
            writer.stdin.write(f"{number}\n")
            assert writer.stdout.readline() == "done\n"
            changed_s = began_s = time.monotonic()
            while cache.get("key") != number:
                assert began_s < changed_s + cache.staleness_bound
                began_s = time.monotonic()
            inlined = cache.stats().tier("memory").hits
            assert cache.get("key") == number
            assert cache.stats().tier("memory").hits == inlined + 1
        writer.stdin.close()
        assert writer.wait(30) == 0
