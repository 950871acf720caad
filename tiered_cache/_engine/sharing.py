"""The tiers of a stack that are shared by more processes than those above them, which hold copies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.state.log_positions import LogPosition, LogPositions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache.options import Coherence

__all__ = ["count_above", "log_positions", "unlogged_level"]


def count_above(level: Level, levels: Sequence[Level]) -> int:
    """How many levels, the first ones, are shared by fewer processes than `level`."""
    return sum(each.reach < level.reach for each in levels)


def log_positions(
    levels: Sequence[Level], coherence: Coherence, monotonic: Callable[[], float]
) -> LogPositions:
    """The positions in the change logs of the levels."""
    shared = [(level, count_above(level, levels)) for level in levels]
    return LogPositions(
        [
            LogPosition(level.index, above)
            for level, above in shared
            if above and level.log is not None
        ],
        is_compared=_is_unlogged(levels),
        bound_s=coherence.bound_s,
        serves_when_cut=coherence.serves_when_cut,
        longest_s=max([level.longest_s for level in levels[:-1]], default=math.inf),
        monotonic=monotonic,
    )


def unlogged_level(levels: Sequence[Level], coherence: Coherence) -> Level | None:
    """The slowest level, if it logs no changes, so that copies above it are compared with it.

    A level without a log that is not the slowest needs no comparison: each change goes to the slowest
    one as well.
    """
    return levels[-1] if coherence.is_bounded and _is_unlogged(levels) else None


def _is_unlogged(levels: Sequence[Level]) -> bool:
    return levels[-1].log is None and count_above(levels[-1], levels) > 0
