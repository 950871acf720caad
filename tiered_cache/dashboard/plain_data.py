"""Conversions of statistics to plain data for JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["attributes", "finite", "latencies"]

_QUANTILES = ("p50_s", "p95_s", "p99_s")
_UNKNOWN = dict.fromkeys(_QUANTILES)


def attributes(source: object, names: Iterable[str]) -> dict[str, Any]:
    """The attributes `names` of `source`, as a dictionary."""
    return {name: getattr(source, name) for name in names}


def latencies(histogram: LatencyHistogram | None) -> dict[str, float | None]:
    """The 50th, 95th and 99th percentile of a histogram; `None` for each without one."""
    if histogram is None:
        return {**_UNKNOWN}
    found = histogram.to_dict()
    return {name: found[name] for name in _QUANTILES}


def finite(seconds: float | None) -> float | None:
    """`seconds`, or `None` if it is unknown or infinite, which JSON has no number for."""
    return None if seconds is None or math.isinf(seconds) else seconds
