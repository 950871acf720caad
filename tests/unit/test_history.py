"""Windows: differences of snapshots that are thinned with age."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache.stats.fleet.history import WINDOWS, History, thinned
from tiered_cache.stats.snapshot.cache_stats import CacheStats


@pytest.mark.proves("counting/windows")
def test_a_window_begins_with_the_latest_snapshot_that_is_old_enough() -> None:
    history = History()
    for second in range(0, 600, 5):
        history.add(float(second), CacheStats(hits=second))
    now = CacheStats(hits=600)
    window = history.since(60.0, 600.0, now)
    assert (window.span_s, window.stats.hits) == (60.0, 60)
    window = history.since(300.0, 600.0, now)
    assert window.span_s is not None
    assert 300 <= window.span_s <= 360
    assert window.stats.hits == window.span_s


def test_without_a_snapshot_that_is_old_enough_it_is_all() -> None:
    history = History()
    assert history.since(60.0, 100.0, CacheStats(hits=3)) == (CacheStats(hits=3), None)
    history.add(90.0, CacheStats(hits=1))
    assert history.since(60.0, 100.0, CacheStats(hits=3)).span_s is None


def test_after_counters_went_back_a_window_restarts() -> None:
    history = History()
    history.add(0.0, CacheStats(hits=500))
    history.add(30.0, CacheStats(hits=900))
    # A server may lose its data: a difference would be negative.
    emptied = CacheStats(hits=4)
    assert history.since(60.0, 70.0, emptied) == (emptied, None)
    history.add(70.0, emptied)
    window = history.since(60.0, 140.0, CacheStats(hits=10))
    assert (window.stats.hits, window.span_s) == (6, 70.0)


@pytest.mark.proves("counting/windows")
def test_law_10_a_history_is_bounded() -> None:
    history = History()
    most = 0
    for step in range(60_000):
        history.add(step * 2.0, CacheStats(hits=step))
        most = max(most, len(history))
    assert most <= 85
    for seconds in WINDOWS.values():
        span_s = history.since(seconds, 120_000.0, CacheStats(hits=60_000)).span_s
        assert span_s is not None
        assert seconds <= span_s <= 1.1 * seconds + 10


def test_a_window_of_a_time_without_snapshots_begins_before_it() -> None:
    history = History()
    history.add(0.0, CacheStats(hits=5))
    history.add(100_000.0, CacheStats(hits=5))
    window = history.since(3600.0, 100_000.0, CacheStats(hits=5))
    assert (window.stats.hits, window.span_s) == (0, 100_000.0)


@given(st.lists(st.floats(0, 200_000), min_size=1), st.floats(0, 1000))
def test_thinning_keeps_a_bounded_subset(instants: list[float], later: float) -> None:
    now = max(instants) + later
    kept = thinned(instants, now)
    assert kept
    assert set(kept) <= set(instants)
    assert kept == sorted(kept)
    assert len(kept) <= 85
    assert thinned(kept, now) == kept
