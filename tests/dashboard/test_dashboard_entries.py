"""Single entries on the page: search, explanation, deletion, invalidation of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_redis
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.dashboard import entry_browser
from tiered_cache.dashboard.entry_browser import MAX_FOUND, EntryBrowser

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dashboard.conftest import Site
    from tiered_cache.contracts import Tier

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "user:\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "x" * 10_240,
    "nul\x00bel\x07esc\x1b[31m",
    "line\nbreak\u2028",
    "emoji \U0001f4a9",
    "{{7*7}}${7*7}",
]


@pytest.mark.proves("dashboard/hostile-key")
@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_key_is_found_explained_and_deleted_as_it_is(
    serve: Callable[..., Site], cache: TieredCache, key: str
) -> None:
    cache.set(key, 1, tags={"<b>tag</b>"})
    site = serve(allow_changes=True)
    assert site.post("/api/search", {"text": key[2:40]}).json()["keys"] == [key]
    found = site.post("/api/explain", {"key": key}).json()
    assert (found["key"], found["tags"]) == (key, ["<b>tag</b>"])
    assert [each["present"] for each in found["tiers"]] == [True, True]
    answer = site.post("/api/delete", {"key": key})
    assert answer.json()["deleted"] is True
    assert answer.body.isascii()
    assert key not in cache


def test_searching_finds_keys_with_the_text_and_prefix_matches_first(
    cache: TieredCache,
) -> None:
    for key in ("b:a", "a:1", "c", "a:2"):
        cache.set(key, 1)
    found = EntryBrowser(cache, show_values=False).search("a")
    assert sorted(found["keys"][:2]) == ["a:1", "a:2"]
    assert found["keys"][2:] == ["b:a"]
    assert (found["looked_at"], found["whole"]) == (4, True)
    assert len(EntryBrowser(cache, show_values=False).search("")["keys"]) == 4


@pytest.mark.proves("dashboard/bounded")
def test_law_10_a_search_is_bounded(cache: TieredCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set_many({f"key:{number}": 1 for number in range(300)})
    browser = EntryBrowser(cache, show_values=False)
    found = browser.search("key")
    assert (len(found["keys"]), found["whole"]) == (MAX_FOUND, False)
    monkeypatch.setattr(entry_browser, "SEARCH_S", -1.0)
    assert browser.search("nowhere") == {"keys": [], "looked_at": 64, "whole": False}


@pytest.mark.proves("dashboard/looking")
def test_looking_into_the_cache_changes_and_counts_nothing(
    tmp_path: Path, redis_url: str, namespace: str
) -> None:
    with TieredCache(
        [DiskTier(tmp_path / "1"), patient_redis(redis_url)], namespace=namespace
    ) as one:
        one.set("key", "value")
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path / "2"), patient_redis(redis_url)]
    with TieredCache(tiers, namespace=namespace) as other:
        browser = EntryBrowser(other, show_values=True)
        assert browser.search("key")["keys"] == ["key"]
        said = browser.explain("key")
        assert said["value"] == "'value'"
        assert [each["present"] for each in said["tiers"]] == [False, False, True]
        assert [each.present for each in other.explain("key")] == [False, False, True]
        stats = other.stats()
        assert (stats.lookups, sum(tier.lookups for tier in stats.tiers)) == (0, 0)


def test_a_value_is_shown_in_part_and_its_own_code_can_do_no_harm(tmp_path: Path) -> None:
    class Angry:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    with TieredCache([MemoryTier()]) as cache:
        browser = EntryBrowser(cache, show_values=True)
        cache.set("angry", Angry())
        assert browser.explain("angry")["value"].startswith("<Angry instance at")
        cache.set("long", "x" * 1_000_000)
        assert len(browser.explain("long")["value"]) < 20_001
        assert browser.explain("absent")["value"] is None


def test_a_lifetime_without_a_limit_is_null(cache: TieredCache) -> None:
    cache.set("for ever", 1)
    cache.set("an hour", 1, ttl="1h")
    browser = EntryBrowser(cache, show_values=False)
    assert [each["remaining_s"] for each in browser.explain("for ever")["tiers"]] == [None, None]
    assert all(3500 < each["remaining_s"] <= 3600 for each in browser.explain("an hour")["tiers"])


def test_a_tag_is_invalidated(serve: Callable[..., Site], cache: TieredCache) -> None:
    cache.set("tagged", 1, tags={"repo:x"})
    cache.set("other", 1)
    assert serve(allow_changes=True).post("/api/invalidate", {"tag": "repo:x"}).json() == {
        "missed": []
    }
    assert ("tagged" in cache, "other" in cache) == (False, True)


def test_a_refusal_of_the_cache_is_reported(serve: Callable[..., Site]) -> None:
    answer = serve(allow_changes=True).post("/api/delete", {"key": "x" * 70_000})
    assert answer.status == 400
    assert "key" in answer.json()["error"]
