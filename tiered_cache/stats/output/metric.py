"""Metrics for monitoring systems: the types of a metric and of its samples."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["COMPUTE_OUTCOMES", "OUTCOMES", "Kind", "Metric", "Part", "Sample"]

OUTCOMES = {"hit": "hits", "stale_hit": "stale_hits", "miss": "misses"}
"""The outcomes of a lookup, with the fields that count them."""

COMPUTE_OUTCOMES = {"ok": "computes", "error": "compute_errors"}
"""The outcomes of a computation, with the fields that count them."""


class Kind(enum.StrEnum):
    """The kind of a metric."""

    COUNTER = "counter"
    """It only grows."""
    SUM = "sum"
    """A sum that may fall."""
    GAUGE = "gauge"
    """A present level."""
    HISTOGRAM = "histogram"
    """A distribution of times. Those of tiers and of encoding need the statistics policy `Histograms`."""


class Part(enum.StrEnum):
    """The subject of a metric. Except for `CACHE`, it is also the name of a label."""

    CACHE = "cache"
    TIER = "tier"
    NAMESPACE = "namespace"
    FUNCTION = "function"


class Metric(NamedTuple):
    """One metric.

    Attributes:
        part: Its subject.
        name: Its name, with dots.
        kind: Its kind.
        unit: Its UCUM code, as OpenTelemetry uses it: `s`, `By`, or `{thing}` for a count.
        text: Its description.
        fields: The snapshot field for each value of its label; under `""` without a label.
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
    """The value of a metric at one instant.

    Attributes:
        metric: The metric.
        labels: Its labels, except the name of the cache.
        value: A number, or a `LatencyHistogram` for a histogram.
    """

    metric: Metric
    labels: Mapping[str, str]
    value: float | LatencyHistogram
