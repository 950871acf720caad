"""The two kinds of numbers in a snapshot, and their arithmetic.

A **counter** counts events and only grows. A difference of snapshots subtracts it; a merge adds it
up. A **gauge** is a present level. A difference keeps the later value; a merge joins the values with
the function that the field declares.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["counter", "counters", "durations", "gauge", "gauges", "less", "percentiles", "summed"]

_KIND = "kind"


def counter(default: Any = 0) -> Any:
    """A field that counts events, or sums seconds or bytes."""
    return field(default=default, metadata={_KIND: "counter"})


def durations() -> Any:
    """A counter that is a `LatencyHistogram`, or `None` if the policy keeps none."""
    return field(default=None, metadata={_KIND: "durations"})


def gauge(join: Callable[[Sequence[Any]], Any], default: Any = MISSING) -> Any:
    """A field for a present level.

    Args:
        join: Makes one value from the values of several processes.
        default: The default of the field; without it the field is required.
    """
    return field(default=default, metadata={_KIND: "gauge", "join": join})


@cache
def _names(kind: Any, *wanted: str) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.metadata.get(_KIND) in wanted)


def counters(kind: Any) -> tuple[str, ...]:
    """The names of the counters of a snapshot class, histograms included."""
    return _names(kind, "counter", "durations")


@cache
def gauges(kind: Any) -> Mapping[str, Callable[[Sequence[Any]], Any]]:
    """The gauges of a snapshot class, each with its function that joins several values."""
    return {
        each.name: each.metadata["join"]
        for each in fields(kind)
        if each.metadata.get(_KIND) == "gauge"
    }


def less(later: Any, earlier: Any) -> dict[str, Any]:
    """The counters of `later`, minus those of `earlier`."""
    kind: Any = type(later)
    found: dict[str, Any] = {
        name: getattr(later, name) - getattr(earlier, name) for name in _names(kind, "counter")
    }
    for name in _names(kind, "durations"):
        mine, before = getattr(later, name), getattr(earlier, name)
        found[name] = mine if mine is None or before is None else mine - before
    return found


def summed(parts: Sequence[Any]) -> dict[str, Any]:
    """The sums of the counters of snapshots of one class."""
    kind: Any = type(parts[0])
    found: dict[str, Any] = {
        name: sum([getattr(each, name) for each in parts]) for name in _names(kind, "counter")
    }
    for name in _names(kind, "durations"):
        kept = [each for part in parts if (each := getattr(part, name)) is not None]
        found[name] = kept[0].plus(kept[1:]) if kept else None
    return found


def percentiles(histogram: LatencyHistogram | None) -> dict[str, Any] | None:
    """A histogram as plain data; `None` if the policy keeps none."""
    return None if histogram is None else histogram.to_dict()
