"""Statistics and spans for OpenTelemetry.

Names and units follow https://opentelemetry.io/docs/specs/semconv/general/metrics/.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import MissingExtraError, show_key
from tiered_cache.integrations.sources import snapshots
from tiered_cache.stats.output.metrics import METRICS, Kind, Metric, samples

try:
    from opentelemetry.metrics import MeterProvider, Observation, get_meter
    from opentelemetry.trace import TracerProvider, get_tracer
except ImportError as error:
    msg = "metrics and spans for OpenTelemetry need its API: pip install 'tiered-cache[otel]'"
    raise MissingExtraError(msg) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from tiered_cache.contracts.tracer import Tell, Tracer
    from tiered_cache.stats.output.metrics import Sample
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["export_metrics", "opentelemetry_name", "span_tracer"]

_QUANTILES = (0.5, 0.95, 0.99)
_SAME_COLLECTION_S = 0.5


def export_metrics(
    sources: Mapping[str, Callable[[], CacheStats]], meter_provider: MeterProvider | None = None
) -> None:
    """Have OpenTelemetry observe the statistics of caches, as often as its readers collect.

    Between two collections it costs nothing; a collection asks each tier how full it is. Distributions are
    observed as gauges of their quantiles, since OpenTelemetry has no histogram that is observed. It
    goes on as long as the provider does.

    Args:
        sources: For the name of each cache what gives its statistics: `cache.stats` for those of
            this process, `lambda: cache.fleet().stats` for those of all that share its tiers.
        meter_provider: The provider; by default the global one.
    """
    meter = get_meter("tiered_cache", meter_provider=meter_provider)
    taken = _Taken(sources)
    for metric in METRICS:
        make: dict[Kind, Callable[..., Any]] = {
            Kind.COUNTER: meter.create_observable_counter,
            Kind.SUM: meter.create_observable_up_down_counter,
            Kind.GAUGE: meter.create_observable_gauge,
            Kind.HISTOGRAM: meter.create_observable_gauge,
        }
        make[metric.kind](
            opentelemetry_name(metric),
            callbacks=[_observer(taken, metric)],
            unit=metric.unit,
            description=metric.text,
        )


def span_tracer(tracer_provider: TracerProvider | None = None) -> Tracer:
    """What begins a span for each `get_or_compute` of a cache that is traced by it.

    For a cache, until it is ended::

        end = cache.trace(span_tracer())

    A span is called `tiered_cache.get_or_compute`, and has the attributes `tiered_cache.key`, shortened,
    `tiered_cache.outcome`, which is `hit`, `stale_hit` or `miss`, and for a hit `tiered_cache.tier`,
    the tier that answered. What the computation does is inside of it; what it raises is recorded. No
    value is ever in a span.

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
    """The name of a metric."""
    return f"tiered_cache.{metric.name}"


class _Taken:
    """The samples of one collection, which asks for each metric by itself."""

    def __init__(self, sources: Mapping[str, Callable[[], CacheStats]]) -> None:
        self._sources = dict(sources)
        self._lock = threading.Lock()
        self._at_s = -math.inf
        self._samples: dict[str, list[tuple[str, Sample]]] = {}

    def of(self, metric: Metric) -> list[tuple[str, Sample]]:
        with self._lock:
            if time.monotonic() - self._at_s > _SAME_COLLECTION_S:
                self._samples = {}
                for cache, stats in snapshots(self._sources):
                    for sample in samples(stats):
                        self._samples.setdefault(sample.metric.name, []).append((cache, sample))
                self._at_s = time.monotonic()  # when it is done: however long taking it took
            return self._samples.get(metric.name, [])


def _observer(taken: _Taken, metric: Metric) -> Callable[[object], Iterable[Observation]]:
    def observe(_: object) -> Iterable[Observation]:
        for cache, sample in taken.of(metric):
            attributes = {"tiered_cache.name": cache, **_namespaced(sample.labels)}
            value: Any = sample.value
            if metric.kind is Kind.HISTOGRAM:
                for share in _QUANTILES:
                    quantile_s = value.quantile(share)
                    if quantile_s is not None:
                        yield Observation(quantile_s, attributes | {"quantile": share})
            elif math.isfinite(value):
                yield Observation(value, attributes)

    return observe


def _namespaced(labels: Mapping[str, str]) -> dict[str, str]:
    return {f"tiered_cache.{name}": value for name, value in labels.items()}
