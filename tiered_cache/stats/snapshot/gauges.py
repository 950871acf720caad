"""Functions that join a gauge of several processes into one value."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tiered_cache.contracts.change_log import Lag
    from tiered_cache.stats.snapshot.breaker_change import BreakerChange

__all__ = [
    "MAX_BREAKER_CHANGES",
    "all_true",
    "any_of",
    "furthest",
    "largest",
    "latest",
    "total",
    "worst",
]

MAX_BREAKER_CHANGES = 20
"""Bound on the changes of a breaker that a merged snapshot keeps."""

_BY_SEVERITY = ("closed", "half_open", "open")


def total(values: Sequence[Any]) -> Any:
    """The sum of the known values; `None` if none is known."""
    known = [each for each in values if each is not None]
    return sum(known) if known else None


def largest(values: Sequence[Any]) -> Any:
    """The largest known value; `None` if none is known."""
    return max([each for each in values if each is not None], default=None)


def any_of(values: Sequence[Any]) -> Any:
    """The most frequent value that is not empty; the first value if all are."""
    said = Counter(each for each in values if each)
    return said.most_common(1)[0][0] if said else values[0]


def furthest(lags: Sequence[Lag | None]) -> Lag | None:
    """The lag that is furthest behind. A log that was never read is behind all others."""
    known = [each for each in lags if each is not None]
    return max(known, key=_behind_s, default=None)


def _behind_s(lag: Lag) -> float:
    return math.inf if lag.behind_s is None else lag.behind_s


def all_true(values: Sequence[bool]) -> bool:
    """Whether every value is true."""
    return all(values)


def worst(states: Iterable[str]) -> str:
    """The state in which a breaker admits the fewest calls."""
    return max(states, key=lambda each: _BY_SEVERITY.index(each) if each in _BY_SEVERITY else -1)


def latest(histories: Iterable[Sequence[BreakerChange]]) -> tuple[BreakerChange, ...]:
    """The latest changes of all breakers, oldest first, at most `MAX_BREAKER_CHANGES`."""
    together = sorted(itertools.chain.from_iterable(histories), key=lambda each: each.at_s)
    return tuple(together[-MAX_BREAKER_CHANGES:])
