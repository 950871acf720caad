"""The statistics of all processes that share a tier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tiered_cache.stats.fleet.board_state import read_board
from tiered_cache.stats.fleet.moments import moment_before
from tiered_cache.units import seconds_text

if TYPE_CHECKING:
    from tiered_cache.contracts.boards import Board
    from tiered_cache.stats.fleet.reports import ProcessReport
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["FleetStats", "fleet_of"]


@dataclass(frozen=True, slots=True)
class FleetStats:
    """The numbers of all processes that share a tier, ended ones included.

    `str()` gives the table of `stats` below a line about the processes.

    Attributes:
        stats: Their snapshots, merged.
        span_s: The seconds that it covers; `None` for everything since the beginning.
        processes: The latest report of each running process.
        gone: The number of ended processes; `stats` includes their counts.
        unreadable: The number of notices that could not be decoded: foreign, damaged or of a newer
            release.
        reach: The processes covered: those of the `"cluster"`, of this `"host"`, or this `"process"`.
        at_s: The instant of the reading, wall clock.
    """

    stats: CacheStats
    span_s: float | None
    processes: tuple[ProcessReport, ...]
    gone: int
    unreadable: int
    reach: str
    at_s: float

    def __str__(self) -> str:
        """The processes and the span in one line, then the table of `stats`."""
        span = "" if self.span_s is None else f", last {seconds_text(self.span_s)}"
        running = f"{len(self.processes)} running, {self.gone} ended"
        return f"reach {self.reach}: {running}{span}\n{self.stats}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "reach": self.reach,
            "at_s": self.at_s,
            "span_s": self.span_s,
            "gone": self.gone,
            "unreadable": self.unreadable,
            "stats": self.stats.to_dict(),
            "processes": [
                {
                    "name": each.name,
                    "host": each.host,
                    "pid": each.pid,
                    "program": each.program,
                    "started_s": each.started_s,
                    "at_s": each.at_s,
                    "stats": each.stats.to_dict(),
                }
                for each in self.processes
            ],
        }


def fleet_of(
    board: Board, own: ProcessReport, now_s: float, reach: str, since_s: float | None
) -> FleetStats:
    """The numbers of all processes that share a board.

    Args:
        board: The board.
        own: The report of this process, in place of its published one. A process without lookups
            contributes only the levels of the shared tiers.
        now_s: The present, wall clock.
        reach: The processes that share the board.
        since_s: Seconds to look back; `None` for everything.

    Raises:
        TierUnavailableError: As the tier raises it, like its other errors.
    """
    state = read_board(board)
    others = tuple(each for each in state.running if each.name != own.name)
    looks_only = not own.stats.lookups and len(others) == len(state.running)
    mine = () if looks_only else (own,)
    levels = own.stats
    if others and not own.stats.lookups:
        levels = _without_lag(levels)
    if looks_only:
        levels = _shared_levels(levels, alone=not others)
    view = msgspec.structs.replace(own, stats=levels)
    stats = state.stats(without=own.name, and_=[view])
    span_s = None
    if since_s is not None:
        before = moment_before(board, now_s - since_s)
        if before is not None:
            stats, span_s = stats - before.stats, now_s - before.at_s
    unreadable = len(state.unreadable)
    return FleetStats(stats, span_s, (*mine, *others), state.gone, unreadable, reach, now_s)


def _without_lag(stats: CacheStats) -> CacheStats:
    """`stats` without lags: a process without lookups has no reason to read the change logs."""
    tiers = tuple(replace(tier, lag=None) for tier in stats.tiers)
    return replace(stats, tiers=tiers, bus_lag_s=None)


def _shared_levels(stats: CacheStats, *, alone: bool) -> CacheStats:
    """`stats` of a mere reader: the levels of its own memory count only if it is alone."""
    tiers = tuple(
        replace(tier, max_entries=None, max_bytes=None, entries=None, bytes=None)
        if tier.reach == "process" and not alone
        else tier
        for tier in stats.tiers
    )
    return replace(stats, tiers=tiers, processes=0)
