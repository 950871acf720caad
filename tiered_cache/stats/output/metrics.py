"""All metrics of a cache for monitoring systems, and their samples.

Exporters, documentation and dashboards take names, units and numbers from here. A name has dots, and
its unit is separate; each exporter adapts both to its system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.stats.output.cache_metrics import CACHE_METRICS
from tiered_cache.stats.output.group_metrics import group_metrics
from tiered_cache.stats.output.metric import Kind, Metric, Part, Sample
from tiered_cache.stats.output.tier_metrics import TIER_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["METRICS", "NOT_EXPORTED", "Kind", "Metric", "Part", "Sample", "samples"]

METRICS: tuple[Metric, ...] = (
    *CACHE_METRICS,
    *TIER_METRICS,
    *group_metrics(Part.NAMESPACE, "a namespace view"),
    *group_metrics(Part.FUNCTION, "a cached function"),
)
"""All metrics."""

NOT_EXPORTED = {
    "counted": "without counting no counter is exported",
    "tiers": "a part",
    "namespaces": "a part",
    "functions": "a part",
    "name": "a label",
    "detail": "text",
    "reach": "text",
    "lag": "in `bus.lag`",
    "breaker_changes": "a history, which monitoring systems keep themselves",
    "curve": "a model; see `hit_rate_at`",
    "curve_lookups": "a model; see `hit_rate_at`",
}
"""Snapshot fields that are not metrics, each with the reason."""


def samples(stats: CacheStats) -> Iterator[Sample]:
    """The samples of a snapshot; metrics without a value are left out.

    Labels are bounded, because the counters bound the number of views and functions.
    """
    for metric in METRICS:
        for labels, subject in _subjects(stats, metric.part):
            if metric.kind is not Kind.GAUGE and not getattr(subject, "counted", stats.counted):
                continue
            for value_of_label, name in metric.fields.items():
                value = getattr(subject, name)
                if metric.label == "state":
                    value = float(value == value_of_label)
                if value is not None:
                    own = {metric.label: value_of_label} if metric.label else {}
                    yield Sample(metric, {**labels, **own}, value)


def _subjects(stats: CacheStats, part: Part) -> Sequence[tuple[dict[str, str], Any]]:
    if part is Part.CACHE:
        return [({}, stats)]
    parts: dict[Part, Sequence[Any]] = {
        Part.TIER: stats.tiers,
        Part.NAMESPACE: stats.namespaces,
        Part.FUNCTION: stats.functions,
    }
    return [({part.value: each.name}, each) for each in parts[part]]
