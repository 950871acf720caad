"""The tiers of a stack that are shared by more processes than those above them, which hold copies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.state.log_positions import LogPosition, LogPositions
from tiered_cache._engine.state.validators import Validators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache.entry import Entry
    from tiered_cache.options import Coherence

__all__ = ["copy_trusted_until", "count_above", "log_positions", "unlogged_levels"]


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
        has_unlogged=any(above and level.log is None for level, above in shared),
        bound_s=coherence.bound_s,
        serves_when_cut=coherence.serves_when_cut,
        longest_s=max([level.longest_s for level in levels[:-1]], default=math.inf),
        monotonic=monotonic,
    )


def unlogged_levels(
    levels: Sequence[Level],
    coherence: Coherence,
    created_at: Callable[[bytes], float],
    monotonic: Callable[[], float],
) -> tuple[Level, ...]:
    """The levels without a change log with which copies are compared; each gets its validators."""
    if not coherence.is_bounded:
        return ()
    found = tuple(each for each in levels if each.log is None and count_above(each, levels))
    for level in found:
        level.validators = Validators(created_at, coherence.bound_s, monotonic)
    return found


def copy_trusted_until(unlogged: Sequence[Level]) -> Callable[[str, Entry], float] | None:
    """As of `TierContext.copy_trusted_until`, given the levels without a log."""
    validators = [level.validators for level in unlogged if level.validators is not None]
    if not validators:
        return None

    def trusted_until(key: str, entry: Entry) -> float:
        return min([each.trusted_until(key, entry.created_s) for each in validators])

    return trusted_until
