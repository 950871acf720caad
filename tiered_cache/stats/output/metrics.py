"""The metrics of a cache for monitoring systems: names, units, and the numbers behind them.

Exporters, documentation and dashboards all take them from here. A name has dots, and the unit is by
itself: each exporter makes of it what its system is used to.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tiered_cache.stats.snapshot.cache_stats import CacheStats
    from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = ["METRICS", "NOT_EXPORTED", "Kind", "Metric", "Part", "Sample", "samples"]


class Kind(enum.StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    """It only grows."""
    SUM = "sum"
    """It adds up, and may fall."""
    GAUGE = "gauge"
    """It says how things stand."""
    HISTOGRAM = "histogram"
    """A distribution of times; only kept under the statistics policy `Histograms`."""


class Part(enum.StrEnum):
    """What a metric is about; but for the cache as a whole it is also the name of a label."""

    CACHE = "cache"
    TIER = "tier"
    NAMESPACE = "namespace"
    FUNCTION = "function"


class Metric(NamedTuple):
    """One metric.

    Attributes:
        part: What it is about.
        name: Its name, with dots.
        kind: How it behaves.
        unit: By the UCUM code, as OpenTelemetry wants it: `s`, `By`, or `{thing}` for a count.
        text: What it says, for people.
        fields: For each value of its label the field of the snapshot; a metric without a label
            has one, under `""`.
        label: The name of its label.
    """

    part: Part
    name: str
    kind: Kind
    unit: str
    text: str
    fields: Mapping[str, str]
    label: str = ""


class Sample(NamedTuple):
    """A metric's value at one instant.

    Attributes:
        metric: The metric.
        labels: Its labels, without the name of the cache.
        value: A number, or a `LatencyHistogram` for a histogram.
    """

    metric: Metric
    labels: Mapping[str, str]
    value: float | LatencyHistogram


_OUTCOMES = {"hit": "hits", "stale_hit": "stale_hits", "miss": "misses"}
_STATES = ("closed", "open", "half_open")


def _of_groups(part: Part, what: str) -> list[Metric]:
    """The metrics of namespaces, and of functions."""
    name = part.value
    return [
        Metric(
            part,
            f"{name}.lookups",
            Kind.COUNTER,
            "{lookup}",
            f"Lookups of {what}, by how they ended.",
            _OUTCOMES,
            "outcome",
        ),
        Metric(
            part,
            f"{name}.computes",
            Kind.COUNTER,
            "{computation}",
            f"Computations for {what}, by how they ended.",
            {"ok": "computes", "error": "compute_errors"},
            "outcome",
        ),
        Metric(
            part,
            f"{name}.compute.time",
            Kind.COUNTER,
            "s",
            f"Time spent computing for {what}.",
            {"": "compute_seconds"},
        ),
        Metric(
            part,
            f"{name}.saved",
            Kind.SUM,
            "s",
            f"Computing time that hits of {what} made unnecessary, less what they took.",
            {"": "seconds_saved"},
        ),
        Metric(
            part,
            f"{name}.compute.latency",
            Kind.HISTOGRAM,
            "s",
            f"Times of the computations for {what}.",
            {"": "compute_latency"},
        ),
    ]


METRICS: tuple[Metric, ...] = (
    Metric(
        Part.CACHE,
        "lookups",
        Kind.COUNTER,
        "{lookup}",
        "Lookups of single keys, by how they ended.",
        _OUTCOMES,
        "outcome",
    ),
    Metric(
        Part.CACHE,
        "computes",
        Kind.COUNTER,
        "{computation}",
        "Computations of missing values, by how they ended.",
        {"ok": "computes", "error": "compute_errors"},
        "outcome",
    ),
    Metric(
        Part.CACHE,
        "compute.time",
        Kind.COUNTER,
        "s",
        "Time spent computing missing values.",
        {"": "compute_seconds"},
    ),
    Metric(
        Part.CACHE,
        "coalesced",
        Kind.COUNTER,
        "{lookup}",
        "Misses that took the outcome of a computation that was under way.",
        {"": "coalesced"},
    ),
    Metric(
        Part.CACHE,
        "waits",
        Kind.COUNTER,
        "{wait}",
        "Waits for a computation of another caller.",
        {"": "waits"},
    ),
    Metric(
        Part.CACHE,
        "recomputes",
        Kind.COUNTER,
        "{computation}",
        "Computations of keys that the same process had computed before, estimated.",
        {"": "recomputes"},
    ),
    Metric(
        Part.CACHE,
        "compute.latency",
        Kind.HISTOGRAM,
        "s",
        "Times of the computations.",
        {"": "compute_latency"},
    ),
    Metric(
        Part.CACHE,
        "serialize.latency",
        Kind.HISTOGRAM,
        "s",
        "Times of turning values into records.",
        {"": "serialize_latency"},
    ),
    Metric(
        Part.CACHE,
        "queue.depth",
        Kind.GAUGE,
        "{key}",
        "Keys that wait in the write-back queue.",
        {"": "queue_depth"},
    ),
    Metric(
        Part.CACHE,
        "queue.age",
        Kind.GAUGE,
        "s",
        "For how long the oldest queued write waits.",
        {"": "queue_age_s"},
    ),
    Metric(
        Part.CACHE,
        "queue.parked",
        Kind.GAUGE,
        "{write}",
        "Queued writes that were given up and are in the journal.",
        {"": "queue_parked"},
    ),
    Metric(
        Part.CACHE,
        "journal.size",
        Kind.GAUGE,
        "By",
        "The size of the journal on disk.",
        {"": "journal_bytes"},
    ),
    Metric(
        Part.CACHE,
        "bus.lag",
        Kind.GAUGE,
        "s",
        "By how much what others changed is known late.",
        {"": "bus_lag_s"},
    ),
    Metric(
        Part.CACHE,
        "staleness.bound",
        Kind.GAUGE,
        "s",
        "For how long a value may be served that was changed elsewhere.",
        {"": "staleness_bound_s"},
    ),
    Metric(
        Part.CACHE,
        "processes",
        Kind.GAUGE,
        "{process}",
        "How many processes the numbers are of.",
        {"": "processes"},
    ),
    Metric(
        Part.TIER,
        "tier.lookups",
        Kind.COUNTER,
        "{lookup}",
        "Lookups that reached the tier, by how they ended there.",
        {**_OUTCOMES, "error": "errors", "skip": "skips"},
        "outcome",
    ),
    Metric(
        Part.TIER,
        "tier.time",
        Kind.COUNTER,
        "s",
        "Time spent in the tier.",
        {"read": "read_seconds", "write": "write_seconds"},
        "operation",
    ),
    Metric(
        Part.TIER,
        "tier.reads",
        Kind.COUNTER,
        "{read}",
        "Reads that are in the time spent.",
        {"": "timed_reads"},
    ),
    Metric(
        Part.TIER,
        "tier.io",
        Kind.COUNTER,
        "By",
        "Bytes of records that were read and written.",
        {"read": "read_bytes", "write": "written_bytes"},
        "operation",
    ),
    Metric(
        Part.TIER,
        "tier.saved",
        Kind.SUM,
        "s",
        "Computing time that the tier's hits made unnecessary, less what they took.",
        {"": "seconds_saved"},
    ),
    Metric(
        Part.TIER,
        "tier.promotions",
        Kind.COUNTER,
        "{record}",
        "Copies that landed in the tier after a hit below.",
        {"": "promotions"},
    ),
    Metric(
        Part.TIER,
        "tier.writes",
        Kind.COUNTER,
        "{write}",
        "Writes to the tier, by how they ended.",
        {
            "written": "writes",
            "refused": "write_refusals",
            "not_admitted": "not_admitted",
            "error": "write_errors",
        },
        "outcome",
    ),
    Metric(
        Part.TIER,
        "tier.deletes",
        Kind.COUNTER,
        "{key}",
        "Keys that were deleted in the tier.",
        {"": "deletes"},
    ),
    Metric(
        Part.TIER,
        "tier.evictions",
        Kind.COUNTER,
        "{entry}",
        "Entries that the tier let go of its own accord, by why.",
        {"size": "evictions", "expired": "expirations"},
        "reason",
    ),
    Metric(
        Part.TIER,
        "tier.corrupt",
        Kind.COUNTER,
        "{record}",
        "Stored bytes that could not be used.",
        {"": "corrupt"},
    ),
    Metric(
        Part.TIER,
        "tier.entries",
        Kind.GAUGE,
        "{entry}",
        "Entries that the tier holds.",
        {"": "entries"},
    ),
    Metric(
        Part.TIER,
        "tier.entries.limit",
        Kind.GAUGE,
        "{entry}",
        "The most entries that it may hold.",
        {"": "max_entries"},
    ),
    Metric(Part.TIER, "tier.size", Kind.GAUGE, "By", "Bytes that the tier holds.", {"": "bytes"}),
    Metric(
        Part.TIER,
        "tier.size.limit",
        Kind.GAUGE,
        "By",
        "The most bytes that it may hold.",
        {"": "max_bytes"},
    ),
    Metric(
        Part.TIER,
        "tier.breaker",
        Kind.GAUGE,
        "1",
        "1 for the state that the tier's breaker is in, 0 for the others.",
        dict.fromkeys(_STATES, "breaker"),
        "state",
    ),
    Metric(
        Part.TIER,
        "tier.latency",
        Kind.HISTOGRAM,
        "s",
        "Times of the calls of the tier.",
        {"read": "read_latency", "write": "write_latency"},
        "operation",
    ),
    *_of_groups(Part.NAMESPACE, "a namespace view"),
    *_of_groups(Part.FUNCTION, "a cached function"),
)
"""All metrics."""

NOT_EXPORTED = {
    "counted": "where nothing was counted there are no counters",
    "tiers": "a part",
    "namespaces": "a part",
    "functions": "a part",
    "name": "a label",
    "detail": "text",
    "reach": "text",
    "lag": "in `bus.lag`",
    "breaker_changes": "what a monitoring system keeps by itself",
    "curve": "a model; see `hit_rate_at`",
    "curve_lookups": "a model; see `hit_rate_at`",
}
"""The fields of snapshots that are no metric, and why."""


def samples(stats: CacheStats) -> Iterator[Sample]:
    """The metrics of a snapshot; those without a value are left out.

    Namespaces and functions are bounded where they are counted, so the labels are bounded too.
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
