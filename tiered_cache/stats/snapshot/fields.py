"""The two kinds of numbers in a snapshot, and how each subtracts and adds up.

A **counter** says what happened: it only grows, a difference subtracts it, and those of several
processes are summed. A **gauge** says how things stand: a difference keeps the later one, and
each gauge says how those of several processes become one. It is written once, at the field.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["counter", "counters", "durations", "gauge", "gauges", "less", "summed"]

_KIND = "kind"


def counter(default: Any = 0) -> Any:
    """A field that counts what happened, or adds up seconds or bytes."""
    return field(default=default, metadata={_KIND: "counter"})


def durations() -> Any:
    """A field with a `LatencyHistogram`, which is a counter, or `None` where it is not kept."""
    return field(default=None, metadata={_KIND: "durations"})


def gauge(join: Callable[[Sequence[Any]], Any], default: Any = MISSING) -> Any:
    """A field that says how things stand.

    Args:
        join: Makes one value of those of several processes.
        default: The field's default; none, and it has to be given.
    """
    return field(default=default, metadata={_KIND: "gauge", "join": join})


@cache
def _names(kind: Any, *wanted: str) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.metadata.get(_KIND) in wanted)


def counters(kind: Any) -> tuple[str, ...]:
    """The names of the counters of a class of snapshots, distributions of times included."""
    return _names(kind, "counter", "durations")


@cache
def gauges(kind: Any) -> Mapping[str, Callable[[Sequence[Any]], Any]]:
    """The gauges of a class of snapshots, and how each becomes one of several."""
    return {
        each.name: each.metadata["join"]
        for each in fields(kind)
        if each.metadata.get(_KIND) == "gauge"
    }


def less(later: Any, earlier: Any) -> dict[str, Any]:
    """What the counters of `later` have more than those of `earlier`."""
    kind: Any = type(later)
    found: dict[str, Any] = {
        name: getattr(later, name) - getattr(earlier, name) for name in _names(kind, "counter")
    }
    for name in _names(kind, "durations"):
        mine, before = getattr(later, name), getattr(earlier, name)
        found[name] = mine if mine is None or before is None else mine - before
    return found


def summed(parts: Sequence[Any]) -> dict[str, Any]:
    """The counters of snapshots of one class, added up."""
    kind: Any = type(parts[0])
    found: dict[str, Any] = {
        name: sum([getattr(each, name) for each in parts]) for name in _names(kind, "counter")
    }
    for name in _names(kind, "durations"):
        kept = [each for part in parts if (each := getattr(part, name)) is not None]
        found[name] = kept[0].plus(kept[1:]) if kept else None
    return found
