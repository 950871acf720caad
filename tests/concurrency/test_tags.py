"""Tags: an entry is no longer served once one of its tags was invalidated (laws 4 and 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache import DiskTier, InvalidKeyError, MemoryTier, TieredCache, current
from tiered_cache.policies import WriteBack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.testing import FakeClock
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

BOUND_S = 2.0
WAIT_S = 30.0

Make = Callable[..., TieredCache]


@pytest.fixture(params=["memory", "host", "cluster", "cluster of servers"])
def open_cache(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_url: str,
    valkey_cluster: ValkeyCluster,
    namespace: str,
    clock: FakeClock,
) -> Iterator[Make]:
    """Makes caches as processes of a host have them, or hosts; in memory, there is one only."""
    made: list[TieredCache] = []
    url = redis_url if request.param == "cluster" else valkey_cluster.url

    def make(**options: Any) -> TieredCache:
        if made and request.param == "memory":
            return made[0]
        tiers: list[Tier[Any]] = [MemoryTier()]
        if request.param == "host":
            tiers.append(patient_disk(tmp_path / "shared"))
        elif request.param != "memory":
            tiers += [patient_disk(tmp_path / f"host-{len(made)}"), patient_redis(url)]
        made.append(TieredCache(tiers, namespace=namespace, clock=clock, **options))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def never(*_: object) -> Any:
    pytest.fail("it was computed")


@pytest.mark.proves("law-4/tags")
def test_entries_with_an_invalidated_tag_are_gone_and_the_rest_stays(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("set", 1, tags={"repo:x", "lang:py"})
    cache.set_many({"many": 2}, tags=["repo:x"])
    assert cache.get_or_compute("computed", lambda: 3, tags={"repo:x"}) == 3
    assert cache.get_or_compute_many(["a"], lambda _: {"a": 4}, tags={"repo:x"}) == {"a": 4}
    cache.set("other", 5, tags={"repo:y"})
    cache.set("none", 6)
    keys = ["set", "many", "computed", "a", "other", "none"]
    everything = dict(zip(keys, range(1, 7), strict=True))
    for each in (cache, elsewhere):
        assert each.get_many(keys) == everything
        assert {key: each.get(key) for key in keys} == everything
        assert each.lookup("set").tags == {"repo:x", "lang:py"}
    result = cache.invalidate_tags("repo:x", "an unused tag")
    assert result
    for each in (cache, elsewhere):
        assert each.get_many(keys) == {"other": 5, "none": 6}
        assert [each.get(key) for key in keys] == [None] * 4 + [5, 6]
        assert not each.exists("set")
        assert "repo:x" in each.explain("set")[-1].why
        clock.advance(BOUND_S)
    assert elsewhere.get_or_compute("set", lambda: "new", tags={"repo:x"}) == "new"
    clock.advance(BOUND_S)
    assert cache.get_or_compute("set", never) == "new"


@pytest.mark.proves("law-5/tags")
def test_law_5_an_invalidation_elsewhere_is_seen_within_the_bound(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    for tags in (["t"], ["t", "u"]):
        cache.set("key", "value", tags=tags)
        assert elsewhere.get("key") == "value"
        cache.invalidate_tags("t")
        clock.advance(BOUND_S)
        assert elsewhere.get("key") is None
        assert elsewhere.lookup("key").status.value == "miss"


@pytest.mark.proves("law-4/tags")
@pytest.mark.parametrize("inside", [False, True])
def test_law_4_a_value_computed_before_an_invalidation_does_not_come_back(
    inside: bool, open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("an older entry", 1, tags={"t"})

    def compute() -> str:
        clock.advance(60)
        if inside:
            current().add_tags(["t"])
        elsewhere.invalidate_tags("t")
        return "outdated"

    assert cache.get_or_compute("key", compute, tags=[] if inside else ["t"]) == "outdated"
    clock.advance(BOUND_S)
    for each in (cache, elsewhere):
        assert each.get("key") is None


@pytest.mark.proves("law-4/tags")
def test_law_4_callers_after_an_invalidation_get_no_earlier_computation(
    open_cache: Make,
) -> None:
    cache = open_cache()
    began, go = threading.Event(), threading.Event()

    def compute() -> str:
        began.set()
        assert go.wait(WAIT_S)
        return "outdated"

    arguments: dict[str, Any] = {"tags": ["t"], "scope": "thread"}
    thread = threading.Thread(target=cache.get_or_compute, args=("key", compute), kwargs=arguments)
    thread.start()
    assert began.wait(WAIT_S)
    cache.invalidate_tags("t")
    assert cache.get_or_compute("key", lambda: "new", **arguments) == "new"
    go.set()
    thread.join()
    assert cache.get("key") in ("new", None)


@pytest.mark.proves("tags/named-inside")
def test_a_tag_that_is_named_inside_is_kept(open_cache: Make, clock: FakeClock) -> None:
    cache = open_cache()
    cache.set("an older entry", 1, tags={"t"})
    clock.advance(60)

    def compute() -> str:
        current().add_tags(["t", "new"])
        return "value"

    for tag in ("t", "new"):
        assert cache.get_or_compute("key", compute) == "value"
        assert cache.get("key") == "value"
        cache.invalidate_tags(tag)
        assert cache.get("key") is None
        clock.advance(60)


@pytest.mark.proves("law-4/tags", "tags/version-evicted")
def test_law_4_an_entry_does_not_outlive_the_version_of_its_tag(open_cache: Make) -> None:
    cache = open_cache()
    cache.set("key", "value", tags={"t"})
    for level in cache._source.core().stack.levels:
        level.tier.delete("\x1f\x1ft")
    assert cache.get("key") is None
    cache.set("another", 1, tags={"t"})
    assert cache.get("key") is None
    assert cache.get("another") == 1


@pytest.mark.proves("law-4/newer-tag-version")
def test_law_4_a_set_after_an_invalidation_is_not_recomputed_by_a_lagging_process(
    open_cache: Make,
) -> None:
    """It could take the entry for invalidated, and replace an acknowledged set in the shared tiers."""
    cache, elsewhere = open_cache(), open_cache()
    elsewhere.invalidate_tags("tag", "another")
    cache.invalidate_tags("tag", "another")
    keys = ["many", "looked up", "computed"]
    cache.set_many(dict.fromkeys(keys, "set"), tags=["tag", "another"])
    assert elsewhere.get_or_compute("computed", never) == "set"
    assert elsewhere.get_many(keys) == dict.fromkeys(keys, "set")
    assert elsewhere.lookup("looked up").value == "set"
    cache.invalidate_tags("another")
    elsewhere.invalidate_tags("tag")
    for each in (cache, elsewhere):
        assert each.get_or_compute("computed", lambda: "recomputed") == "recomputed"


def test_a_write_with_tags_does_not_wait_for_changes_of_others(
    open_cache: Make, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("key", 1, tags={"t"})
    elsewhere.clear()
    clock.advance(BOUND_S)
    assert cache.set("key", 2, tags={"t"})
    assert "waited too long" not in caplog.text, "no lock was waited for in vain"
    assert cache.get("key") == 2


@pytest.mark.proves("tags/no-keys")
def test_tags_are_no_keys_and_count_for_nothing(open_cache: Make) -> None:
    cache = open_cache()
    cache.set("key", 1, tags={"t"})
    assert list(cache.keys()) == ["key"]
    before = cache.stats()
    assert cache.get("key") == 1
    since = cache.stats() - before
    assert (since.hits, since.misses) == (1, 0)
    assert since.tiers[0].lookups == 1
    with pytest.raises(InvalidKeyError):
        cache.invalidate_tags("")


@pytest.mark.proves("tags/no-keys")
def test_tags_are_those_of_the_cache_with_all_its_views(open_cache: Make) -> None:
    cache = open_cache()
    view = cache.namespace("view")
    view.set("key", 1, tags={"t"})
    cache.invalidate_tags("t")
    assert view.get("key") is None
    cache.set("key", 1, tags={"t"})
    view.clear()
    assert cache.get("key") == 1


@pytest.mark.proves("tags/named-inside")
def test_queued_writes_have_tags_too(open_cache: Make) -> None:
    cache = open_cache(writing=WriteBack(flush_interval="1h", max_delay="2h"))
    cache.set("key", 1, tags={"t"})
    assert cache.get("key") == 1
    cache.invalidate_tags("t")
    assert cache.get("key") is None
    assert cache.flush()
    assert cache.get("key") is None


@pytest.mark.proves("law-4/prefixes")
def test_a_prefix_can_be_invalidated(open_cache: Make, clock: FakeClock) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set_many({"a/1": 1, "a/2": 2, "b/1": 3})
    assert len(elsewhere.get_many(["a/1", "b/1"])) == 2
    assert cache.invalidate_prefix("a/") == 2
    clock.advance(BOUND_S)
    for each in (cache, elsewhere):
        assert each.get_many(["a/1", "a/2", "b/1"]) == {"b/1": 3}


class _Counted(DiskTier):
    """A disk tier that counts its calls."""

    calls = 0

    def put(self, *arguments: Any, **options: Any) -> bool:
        self.calls += 1
        return super().put(*arguments, **options)

    def put_many(self, *arguments: Any, **options: Any) -> set[str]:
        self.calls += 1
        return super().put_many(*arguments, **options)

    def get(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        return super().get(*arguments, **options)

    def get_many(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        return super().get_many(*arguments, **options)


@pytest.mark.proves("tags/constant-cost")
def test_an_invalidation_costs_the_same_for_any_number_of_entries(tmp_path: Path) -> None:
    tier = _Counted(tmp_path)
    costs = []
    with TieredCache([MemoryTier(), tier]) as cache:
        for count in (1, 1000):
            cache.set_many({f"{count} {number}": 1 for number in range(count)}, tags={"a"})
            tier.calls = 0
            assert cache.invalidate_tags("a")
            costs.append(tier.calls)
            assert cache.get(f"{count} 0") is None
    assert costs[0] == costs[1] > 0
