"""Statistics for Prometheus: a collector, and an application that serves them.

Names and units follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import MissingExtraError
from tiered_cache.integrations.sources import snapshots
from tiered_cache.stats.output.metrics import METRICS, Kind, Metric, samples

try:
    from prometheus_client import CollectorRegistry, make_asgi_app
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    msg = "statistics for Prometheus need prometheus-client: pip install 'tiered-cache[prometheus]'"
    raise MissingExtraError(msg) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.metrics_core import Metric as Family

    from tiered_cache.stats.snapshot.cache_stats import CacheStats
    from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = ["CacheCollector", "metrics_app", "prometheus_name"]

_FAMILIES: dict[Kind, Callable[..., Any]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.SUM: GaugeMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}
_UNITS = {"s": "seconds", "By": "bytes"}
_BOUNDS_S = tuple(base * 10.0**power for power in range(-6, 2) for base in (1, 2.5, 5))
"""Of the buckets: from a microsecond to fifty seconds."""


class CacheCollector(Collector):
    """Collects the statistics of caches when Prometheus asks for them.

    To have them beside a program's own metrics::

        REGISTRY.register(CacheCollector({"default": cache.stats}))

    Each metric has the label `cache`. Between two scrapes it costs nothing; a scrape asks each tier how
    full it is. A cache that can't give its statistics has no metrics in that scrape.

    Args:
        sources: For the name of each cache what gives its statistics: `cache.stats` for those of
            this process, `lambda: cache.fleet().stats` for those of all that share its tiers, which
            is what short-lived processes want.

    Thread-safe.
    """

    def __init__(self, sources: Mapping[str, Callable[[], CacheStats]]) -> None:
        self._sources = dict(sources)

    def describe(self) -> Iterable[Family]:
        """The metrics, without values: so that registering asks no tier."""
        return _families().values()

    def collect(self) -> Iterable[Family]:
        """The metrics that have a value."""
        families = _families()
        used = set()
        for cache, stats in snapshots(self._sources):
            for metric, labels, value in samples(stats):
                used.add(metric.name)
                values = [cache, *labels.values()]
                if metric.kind is Kind.HISTOGRAM:
                    families[metric.name].add_metric(values, **_buckets(value))
                else:
                    families[metric.name].add_metric(values, value)
        return [family for name, family in families.items() if name in used]


def metrics_app(sources: Mapping[str, Callable[[], CacheStats]]) -> Callable[..., Any]:
    """An ASGI application that answers with the metrics, to be mounted as `/metrics`.

    It has a registry of its own: only what `sources` gives is served. They are asked in a worker
    thread: a tier may have to wait for its server, and the event loop must not. For `asyncio`.

    Args:
        sources: As for `CacheCollector`.
    """
    collector = CacheCollector(sources)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        registry = CollectorRegistry()
        if scope["type"] == "http":
            registry.register(_Collected(await asyncio.to_thread(collector.collect)))
        await make_asgi_app(registry)(scope, receive, send)

    return app


class _Collected(Collector):
    """What has been collected."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def describe(self) -> Iterable[Family]:
        return self._families

    def collect(self) -> Iterable[Family]:
        return self._families


def prometheus_name(metric: Metric) -> str:
    """The name of a metric, without the `_total` that Prometheus adds to counters."""
    name = f"tiered_cache_{metric.name.replace('.', '_')}"
    unit = _UNITS.get(metric.unit)
    return name if unit is None else f"{name}_{unit}"


def _families() -> dict[str, Any]:
    return {
        metric.name: _FAMILIES[metric.kind](
            prometheus_name(metric), metric.text, labels=_label_names(metric)
        )
        for metric in METRICS
    }


def _label_names(metric: Metric) -> list[str]:
    part = [] if metric.part == "cache" else [metric.part.value]
    own = [metric.label] if metric.label else []
    return ["cache", *part, *own]


def _buckets(histogram: Any) -> dict[str, Any]:
    """A distribution in the buckets that all caches have in common."""
    counts, total_s = _counts_within(histogram)
    cumulative = list(accumulate(counts))
    bounds = [*(f"{bound:.3g}" for bound in _BOUNDS_S), "+Inf"]
    return {"buckets": list(zip(bounds, cumulative, strict=True)), "sum_value": total_s}


def _counts_within(histogram: LatencyHistogram) -> tuple[list[int], float]:
    counts = [0] * (len(_BOUNDS_S) + 1)
    total_s = 0.0
    for seconds, count in histogram.durations():
        at = next((at for at, bound in enumerate(_BOUNDS_S) if seconds <= bound), len(_BOUNDS_S))
        counts[at] += count
        total_s += seconds * count
    return counts, total_s
