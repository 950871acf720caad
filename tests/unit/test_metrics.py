"""The catalogue of metrics, and the exporters."""

from __future__ import annotations

import json
import logging
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tiered_cache import MemoryTier, TieredCache
from tiered_cache.errors import TierUnavailableError
from tiered_cache.integrations.logs import log_events
from tiered_cache.integrations.opentelemetry import export_metrics, opentelemetry_name
from tiered_cache.integrations.prometheus import CacheCollector, metrics_app, prometheus_name
from tiered_cache.policies import Histograms, Off
from tiered_cache.stats.output.metrics import METRICS, NOT_EXPORTED, Kind, Part, samples
from tiered_cache.stats.snapshot.cache_stats import (
    CacheStats,
    FunctionStats,
    NamespaceStats,
    TierStats,
)
from tiered_cache.stats.snapshot.fields import counters, gauges
from tiered_cache.testing import FakeClock
from tiered_cache_policies.latency_histogram import LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
HOSTILE = 'a"\\\n{}<script>'
SUBJECTS = {
    Part.CACHE: CacheStats,
    Part.TIER: TierStats,
    Part.NAMESPACE: NamespaceStats,
    Part.FUNCTION: FunctionStats,
}


@pytest.fixture
def cache() -> Iterator[TieredCache]:
    """A used cache: hits, misses, computations, a view, a function, an eviction."""
    with TieredCache([MemoryTier(max_entries=3)], statistics=Histograms()) as cache:

        @cache.cached
        def double(number: int) -> int:
            return 2 * number

        double(1)
        double(1)
        for key in "abcde":
            cache.get_or_compute(key, str)
        cache.namespace("view").get("nothing")
        yield cache


@pytest.mark.proves("export/table")
@pytest.mark.parametrize("part", list(Part))
def test_every_number_of_a_snapshot_is_a_metric_or_says_why_not(part: Part) -> None:
    subject = SUBJECTS[part]
    exported = {name for each in METRICS if each.part is part for name in each.fields.values()}
    there = {*counters(subject), *gauges(subject)}
    assert there - exported - NOT_EXPORTED.keys() == set()
    assert exported - there == set()


def test_names_are_unique_and_labels_are_bounded() -> None:
    names = [each.name for each in METRICS]
    assert len(set(names)) == len(names)
    for each in METRICS:
        assert bool(each.label) == ("" not in each.fields)
        assert re.fullmatch(r"[a-z]+([._][a-z]+)*", each.name)


def test_samples_are_the_numbers_of_the_snapshot(cache: TieredCache) -> None:
    stats = cache.stats()
    found = {(each.metric.name, *each.labels.values()): each.value for each in samples(stats)}
    assert found["lookups", "hit"] == stats.hits == 1
    assert found["lookups", "miss"] == stats.misses == 7
    assert found["tier.lookups", "memory", "hit"] == stats.tier("memory").hits
    assert found["tier.evictions", "memory", "size"] == stats.evictions > 0
    assert found["tier.breaker", "memory", "closed"] == 1
    assert found["tier.breaker", "memory", "open"] == 0
    assert found["namespace.lookups", "view", "miss"] == 1
    assert isinstance(found["compute.latency",], LatencyHistogram)
    assert ("bus.lag",) not in found
    (function,) = stats.functions
    assert found["function.computes", function.name, "ok"] == 1


@pytest.mark.proves("export/uncounted")
def test_uncounted_statistics_have_no_counters() -> None:
    with TieredCache([MemoryTier()], statistics=Off()) as cache:
        kinds = {each.metric.kind for each in samples(cache.stats())}
    assert kinds == {Kind.GAUGE}


@pytest.mark.proves("export/same-numbers")
def test_prometheus_scrapes_the_numbers_of_the_snapshot(cache: TieredCache) -> None:
    registry = CollectorRegistry()
    registry.register(CacheCollector({HOSTILE: cache.stats}))
    text = generate_latest(registry).decode()
    scraped = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    stats = cache.stats()
    # The parser returns labels in an order of its own.
    assert scraped["tiered_cache_lookups_total", HOSTILE, "miss"] == stats.misses
    assert scraped["tiered_cache_tier_lookups_total", HOSTILE, "hit", "memory"] == 1
    assert scraped["tiered_cache_compute_time_seconds_total", HOSTILE] == stats.compute_seconds
    assert scraped["tiered_cache_staleness_bound_seconds", HOSTILE] == 0
    assert stats.compute_latency is not None
    assert (
        scraped["tiered_cache_compute_latency_seconds_count", HOSTILE]
        == stats.compute_latency.count
    )
    assert (
        scraped["tiered_cache_compute_latency_seconds_bucket", HOSTILE, "+Inf"]
        == stats.compute_latency.count
    )


def test_prometheus_buckets_count_the_durations_within_them() -> None:
    histogram = LatencyHistogram()
    for seconds in (0.5e-6, 2e-3, 3e-3, 4000.0):
        histogram.record(seconds)
    registry = CollectorRegistry()
    registry.register(CacheCollector({"c": lambda: CacheStats(compute_latency=histogram)}))
    name = "tiered_cache_compute_latency_seconds"

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"cache": "c", **labels})

    counts = [
        value(f"{name}_bucket", le=bound)
        for bound in ("1e-06", "0.001", "0.0025", "0.005", "50", "+Inf")
    ]
    assert counts == [1, 1, 2, 3, 3, 4]
    assert value(f"{name}_sum") == pytest.approx(4000.005, rel=1 / 64)


@pytest.mark.proves("export/same-numbers")
def test_a_cache_that_gives_no_statistics_is_left_out_and_registering_asks_nothing() -> None:
    asked = []

    def refuse() -> CacheStats:
        asked.append(1)
        msg = "not now"
        raise TierUnavailableError(msg)

    registry = CollectorRegistry()
    registry.register(CacheCollector({"away": refuse, "there": lambda: CacheStats(misses=3)}))
    assert not asked
    text = generate_latest(registry).decode()
    assert asked
    assert "away" not in text
    assert 'tiered_cache_lookups_total{cache="there",outcome="miss"} 3.0' in text


async def _ask(app: Any, path: str) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)


def test_an_application_serves_only_the_caches_it_was_given(cache: TieredCache) -> None:
    import asyncio

    status, body = asyncio.run(_ask(metrics_app({"default": cache.stats}), "/metrics"))
    assert status == 200
    assert b'tiered_cache_lookups_total{cache="default",outcome="miss"} 7.0' in body
    assert b"python_info" not in body


def test_an_application_asks_slow_tiers_outside_of_the_event_loop() -> None:
    import asyncio
    import threading

    async def ask() -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        turned = threading.Event()

        def slow() -> CacheStats:
            loop.call_soon_threadsafe(turned.set)
            assert turned.wait(30), "the event loop stands still"
            return CacheStats(misses=3)

        return await _ask(metrics_app({"slow": slow}), "/metrics")

    status, body = asyncio.run(ask())
    assert status == 200
    assert b'tiered_cache_lookups_total{cache="slow",outcome="miss"} 3.0' in body


@pytest.mark.proves("export/same-numbers")
def test_opentelemetry_observes_the_numbers_of_the_snapshot(cache: TieredCache) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    export_metrics({"default": cache.stats}, provider)
    data = reader.get_metrics_data()
    assert data is not None
    observed = {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    lookups = observed["tiered_cache.tier.lookups"]
    assert lookups.unit == "{lookup}"
    points = {
        tuple(dict(point.attributes or {}).values()): point.value  # type: ignore[union-attr] # of a sum
        for point in lookups.data.data_points
    }
    assert points["default", "memory", "hit"] == cache.stats().hits
    quantiles = [
        dict(point.attributes or {})["quantile"]
        for point in observed["tiered_cache.compute.latency"].data.data_points
    ]
    assert quantiles == [0.5, 0.95, 0.99]
    assert observed.keys() <= {opentelemetry_name(each) for each in METRICS}
    provider.shutdown()


def test_one_collection_by_opentelemetry_takes_one_snapshot_however_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("tiered_cache.integrations.opentelemetry.time", clock)
    taken = []

    def slow() -> CacheStats:
        taken.append(1)
        clock.advance(2.0)
        return CacheStats(hits=1)

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    export_metrics({"slow": slow}, provider)
    assert "tiered_cache.lookups" in str(reader.get_metrics_data())
    assert len(taken) == 1
    clock.advance(1.0)
    reader.get_metrics_data()
    assert len(taken) == 2
    provider.shutdown()


def test_opentelemetry_is_told_no_infinity() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    export_metrics({"c": lambda: CacheStats(staleness_bound_s=math.inf)}, provider)
    assert "inf" not in reader.get_metrics_data().to_json().lower().replace("info", "")  # type: ignore[union-attr] # there are some
    provider.shutdown()


@pytest.mark.proves("export/event-log")
def test_events_are_structured_log_records(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="tiered_cache.events")
    with TieredCache([MemoryTier()]) as cache:
        stop = log_events(cache, ["miss", "compute"])
        cache.get_or_compute("k\n\x1b[2J", lambda: "secret")
        stop()
        cache.get("after")
    fields = [
        (each.cache_event, each.cache_tier, each.cache_key)  # type: ignore[attr-defined] # in `extra`
        for each in caplog.records
    ]
    assert fields == [("miss", "memory", r"'k\n\x1b[2J'"), ("compute", "", r"'k\n\x1b[2J'")]
    assert "secret" not in caplog.text
    assert all("\n" not in each.getMessage() for each in caplog.records)


@pytest.mark.proves("export/html")
def test_a_notebook_shows_a_table_in_which_every_text_is_escaped(cache: TieredCache) -> None:
    html = cache._repr_html_()
    assert html == cache.stats()._repr_html_()
    assert html.count("<tr>") == 2
    assert "12.5% hits" in html
    hostile = CacheStats(tiers=(TierStats("<script>", hits=3, breaker="open"),))
    assert "<script>" not in hostile._repr_html_()
    assert "&lt;script&gt; (breaker open)" in hostile._repr_html_()
    assert "policy is <code>Off" in CacheStats(counted=False)._repr_html_()


def test_a_plot_is_saved_in_the_format_of_its_name(cache: TieredCache, tmp_path: Path) -> None:
    stats = cache.stats()
    stats.plot(tmp_path / "stats.png")
    stats.plot(tmp_path / "stats.SVG")
    assert (tmp_path / "stats.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "stats.SVG").read_text()
    assert len(stats.plot().axes) == 3
    with pytest.raises(ValueError, match=r"must end in \.png or \.svg"):
        stats.plot("stats.pdf")
    assert len(CacheStats().plot().axes) == 2


def _exported() -> Iterator[tuple[str, dict[str, set[str]]]]:
    """The names of the time series, each with its labels and their fixed values."""
    for each in METRICS:
        labels = {"cache": set[str](), each.part.value: set[str](), each.label: set(each.fields)}
        name = prometheus_name(each)
        if each.kind is Kind.HISTOGRAM:
            yield f"{name}_bucket", {**labels, "le": set()}
            yield f"{name}_sum", labels
            yield f"{name}_count", labels
        else:
            yield f"{name}_total" if each.kind is Kind.COUNTER else name, labels


@pytest.mark.proves("export/grafana")
def test_the_grafana_dashboard_asks_for_metrics_that_there_are() -> None:
    board = json.loads((ROOT / "docs" / "how-to" / "grafana-dashboard.json").read_text())
    expressions = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", [])
    ]
    assert len(expressions) > 10
    exported = dict(_exported())
    for expression in expressions:
        asked = re.findall(r"\b(tiered_cache_\w+)\{([^}]*)\}", expression)
        assert len(asked) == expression.count("tiered_cache_") > 0, expression
        for name, selector in asked:
            labels = exported[name]
            for label, wanted in re.findall(r"(\w+)=~?\"([^\"]*)\"", selector):
                assert wanted == f"${label}" or set(wanted.split("|")) <= labels[label], expression
            for grouped in re.findall(r"by \(([^)]*)\)", expression):
                assert set(re.split(r",\s*", grouped)) <= labels.keys(), expression
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(each["x"] >= 0 and each["x"] + each["w"] <= 24 for each in places)
