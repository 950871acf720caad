"""Statistics for Prometheus: a collector, and an ASGI application that serves it.

Names and units follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import asyncio
import os
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.errors import MissingExtraError
from tiered_cache.integrations._snapshots import Exported, snapshots
from tiered_cache.stats.output.metrics import METRICS, Kind, Metric, samples
from tiered_cache_policies.latency_histogram import LatencyHistogram

try:
    from prometheus_client import (
        REGISTRY,
        CollectorRegistry,
        make_asgi_app,  # pyright: ignore[reportUnknownVariableType] # the stubs leave out its result
        start_http_server,
    )
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
    from prometheus_client.registry import Collector
except ImportError as _error:
    msg = "The Prometheus integration needs its client: pip install 'tiered-cache[prometheus]'"
    raise MissingExtraError(msg) from _error

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric as Family

    from tiered_cache.cache import TieredCache
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["CacheCollector", "metrics_app", "prometheus_name", "start"]

_FAMILIES: dict[Kind, Callable[..., Any]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.SUM: GaugeMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}
_UNITS = {"s": "seconds", "By": "bytes"}
_BOUNDS_S = tuple(base * 10.0**power for power in range(-6, 2) for base in (1, 2.5, 5))
"""The upper bounds of the histogram buckets, from a microsecond to fifty seconds."""


class CacheCollector(Collector):
    """Collects the statistics of caches at each scrape.

    To export them beside a program's own metrics::

        REGISTRY.register(CacheCollector({"default": cache.stats}))

    Each metric has the label `cache`. A scrape takes one snapshot a cache, which asks every tier for
    its fill level. Nothing runs between scrapes. A cache with a failing snapshot is left out of
    that scrape. Thread-safe.

    Args:
        sources: A function that returns the snapshot, by the name of the cache: `cache.stats` for
            this process, `lambda: cache.fleet().stats` for all processes that share its tiers.
            Short-lived processes need the latter.
    """

    def __init__(self, sources: Mapping[str, Callable[[], CacheStats]]) -> None:
        self._own = dict(sources)

    def _sources(self) -> Mapping[str, Callable[[], CacheStats]]:
        return self._own

    def describe(self) -> Iterable[Family]:
        """The metrics without values, so that registration asks no tier."""
        return _families().values()

    def collect(self) -> Iterable[Family]:
        """The metrics with values."""
        families = _families()
        used: set[str] = set()
        for cache, stats in snapshots(self._sources()):
            for metric, labels, value in samples(stats):
                used.add(metric.name)
                values = [cache, *labels.values()]
                if isinstance(value, LatencyHistogram):
                    families[metric.name].add_metric(values, **_buckets(value))
                else:
                    families[metric.name].add_metric(values, value)
        return [family for name, family in families.items() if name in used]


def start(
    cache: TieredCache, *, port: int | None = None, address: str = "127.0.0.1"
) -> Callable[[], None]:
    """Export the statistics of a cache through the default registry, as the exporter `prometheus`.

    Args:
        cache: The cache. Its name is the label `cache`.
        port: Serve the registry at this port too, in a thread; by default the program serves it.
        address: The address to serve at.

    Raises:
        OSError: The port is in use.
    """
    with _lock:
        if not _exported.sources:
            REGISTRY.register(_collector)
        stops = [_exported.add(cache)]
        if port is not None:
            try:
                stops.append(_served(port, address))
            except BaseException:
                _end(stops)
                raise

    def stop() -> None:
        with _lock:
            _end(stops)

    return stop


def _end(stops: Sequence[Callable[[], object]]) -> None:
    for each in reversed(stops):
        each()
    if not _exported.sources:
        REGISTRY.unregister(_collector)


def _served(port: int, address: str) -> Callable[[], None]:
    """Serve the default registry, once for all caches; a function that ends it with the last."""
    place = (address, port)
    if place not in _servers:
        server, thread = start_http_server(port, address)
        _servers[place] = _Server(server, thread, os.getpid())
    _servers[place].users += 1

    def release() -> None:
        served = _servers[place]
        served.users -= 1
        if not served.users:
            del _servers[place]
            served.close()

    return release


class _Server:
    """The server of one address.

    Args:
        server: The server.
        thread: Its thread.
        pid: The process that has the thread: a forked child has the socket alone.
    """

    def __init__(self, server: Any, thread: threading.Thread, pid: int) -> None:
        self._server = server
        self._thread = thread
        self._pid = pid
        self.users = 0

    def close(self) -> None:
        if os.getpid() == self._pid:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


_servers: dict[tuple[str, int], _Server] = {}


def metrics_app(sources: Mapping[str, Callable[[], CacheStats]]) -> Callable[..., Any]:
    """An ASGI application for `asyncio` that serves the metrics; mount it as `/metrics`.

    It serves only the caches in `sources`, from a registry of its own. The snapshots are taken in a
    worker thread, because a tier may wait for its server.

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


_lock = fork_safe_lock()
_exported = Exported()


class _ExportedCaches(CacheCollector):
    """Collects the statistics of the caches that are exported at the time."""

    def _sources(self) -> Mapping[str, Callable[[], CacheStats]]:
        return _exported.sources


_collector = _ExportedCaches({})


class _Collected(Collector):
    """A collector of metrics that were collected before."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def describe(self) -> Iterable[Family]:
        return self._families

    def collect(self) -> Iterable[Family]:
        return self._families


def prometheus_name(metric: Metric) -> str:
    """The name of a metric in Prometheus, without the suffix `_total` of counters."""
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


def _buckets(histogram: LatencyHistogram) -> dict[str, Any]:
    """The arguments of a histogram sample, in buckets that all caches share."""
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
