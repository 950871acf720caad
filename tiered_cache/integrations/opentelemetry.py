"""Statistics and spans for OpenTelemetry.

Names and units follow https://opentelemetry.io/docs/specs/semconv/general/metrics/.
"""

from __future__ import annotations

import functools
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import MissingExtraError, show_key
from tiered_cache.integrations._snapshots import Exported, snapshots
from tiered_cache.stats.output.metrics import METRICS, Kind, Metric, samples
from tiered_cache_policies.latency_histogram import LatencyHistogram

try:
    from opentelemetry.metrics import MeterProvider, Observation, get_meter
    from opentelemetry.trace import TracerProvider, get_tracer
except ImportError as _error:
    msg = "The OpenTelemetry integration needs its API: pip install 'tiered-cache[otel]'"
    raise MissingExtraError(msg) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from tiered_cache.cache import TieredCache
    from tiered_cache.contracts.tracer import Tell, Tracer
    from tiered_cache.stats.output.metrics import Sample
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["export_metrics", "opentelemetry_name", "span_tracer", "start"]

_QUANTILES = (0.5, 0.95, 0.99)
_SAME_COLLECTION_S = 0.5

_exported = Exported()


def export_metrics(
    sources: Mapping[str, Callable[[], CacheStats]], meter_provider: MeterProvider | None = None
) -> None:
    """Register observable instruments for the statistics of caches.

    Each collection takes one snapshot a cache, which asks every tier for its fill level. Nothing runs
    between collections. Histograms become gauges of their quantiles, because OpenTelemetry has no
    observable histogram. The instruments live as long as the provider.

    Args:
        sources: A function that returns the snapshot, by the name of the cache: `cache.stats` for
            this process, `lambda: cache.fleet().stats` for all processes that share its tiers.
        meter_provider: The provider; by default the global one.
    """
    own = dict(sources)
    _make_instruments(lambda: own, meter_provider)


def start(cache: TieredCache, *, spans: bool = False) -> Callable[[], None]:
    """Export the statistics of a cache to the global provider, as the exporter `opentelemetry`.

    The instruments are made once in a process, and stay.

    Args:
        cache: The cache. Its name is the attribute `tiered_cache.name`.
        spans: Make a span for each `get_or_compute` too. Hits in memory are not inlined then.
    """
    _make_global_instruments()
    stops = [cache.trace(span_tracer())] if spans else []
    stops.append(_exported.add(cache))

    def stop() -> None:
        for each in stops:
            each()

    return stop


@functools.cache
def _make_global_instruments() -> None:
    _make_instruments(lambda: _exported.sources, None)


def _make_instruments(
    sources: Callable[[], Mapping[str, Callable[[], CacheStats]]],
    meter_provider: MeterProvider | None,
) -> None:
    meter = get_meter("tiered_cache", meter_provider=meter_provider)
    collection = _Collection(sources)
    for metric in METRICS:
        make: dict[Kind, Callable[..., Any]] = {
            Kind.COUNTER: meter.create_observable_counter,
            Kind.SUM: meter.create_observable_up_down_counter,
            Kind.GAUGE: meter.create_observable_gauge,
            Kind.HISTOGRAM: meter.create_observable_gauge,
        }
        make[metric.kind](
            opentelemetry_name(metric),
            callbacks=[_observer(collection, metric)],
            unit=metric.unit,
            description=metric.text,
        )


def span_tracer(tracer_provider: TracerProvider | None = None) -> Tracer:
    """A tracer that begins a span for each `get_or_compute`.

    To trace a cache until `end()` is called::

        end = cache.trace(span_tracer())

    The span is named `tiered_cache.get_or_compute`. Its attributes are `tiered_cache.key`, shortened;
    `tiered_cache.outcome`: `hit`, `stale_hit` or `miss`; and for a hit `tiered_cache.tier`, the tier
    that answered. The computation runs inside the span, which records its exception. No value is in
    a span.

    Args:
        tracer_provider: The provider; by default the global one.
    """
    tracer = get_tracer("tiered_cache", tracer_provider=tracer_provider)

    @contextmanager
    def begin(key: str) -> Generator[Tell]:
        attributes = {"tiered_cache.key": show_key(key)}
        with tracer.start_as_current_span(
            "tiered_cache.get_or_compute", attributes=attributes
        ) as span:

            def tell(outcome: str, tier: str) -> None:
                span.set_attribute("tiered_cache.outcome", outcome)
                if tier:
                    span.set_attribute("tiered_cache.tier", tier)

            yield tell

    return begin


def opentelemetry_name(metric: Metric) -> str:
    """The name of a metric in OpenTelemetry."""
    return f"tiered_cache.{metric.name}"


class _Collection:
    """The samples of one collection, shared by the callbacks of all metrics. Thread-safe."""

    def __init__(self, sources: Callable[[], Mapping[str, Callable[[], CacheStats]]]) -> None:
        self._sources = sources
        self._lock = threading.Lock()
        self._at_s = -math.inf
        self._samples: dict[str, list[tuple[str, Sample]]] = {}

    def of(self, metric: Metric) -> list[tuple[str, Sample]]:
        with self._lock:
            if time.monotonic() - self._at_s > _SAME_COLLECTION_S:
                self._samples = {}
                for cache, stats in snapshots(self._sources()):
                    for sample in samples(stats):
                        self._samples.setdefault(sample.metric.name, []).append((cache, sample))
                self._at_s = time.monotonic()  # after the snapshots, which may take long
            return self._samples.get(metric.name, [])


def _observer(collection: _Collection, metric: Metric) -> Callable[[object], Iterable[Observation]]:
    def observe(_: object) -> Iterable[Observation]:
        for cache, sample in collection.of(metric):
            attributes = {"tiered_cache.name": cache, **_namespaced(sample.labels)}
            value = sample.value
            if isinstance(value, LatencyHistogram):
                for share in _QUANTILES:
                    quantile_s = value.quantile(share)
                    if quantile_s is not None:
                        yield Observation(quantile_s, attributes | {"quantile": share})
            elif math.isfinite(value):
                yield Observation(value, attributes)

    return observe


def _namespaced(labels: Mapping[str, str]) -> dict[str, str]:
    return {f"tiered_cache.{name}": value for name, value in labels.items()}
