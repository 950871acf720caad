"""All processes together: what hangs on a board, read, merged and kept tidy."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tiered_cache.stats.fleet.history import thinned
from tiered_cache.stats.fleet.reports import (
    ProcessReport,
    Totals,
    UnknownFormatError,
    decode_report,
    decode_totals,
    encode,
)
from tiered_cache.stats.snapshot.merge import at_rest, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.contracts.boards import Board, Notice
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["PROCESS", "FleetStats", "fleet_of", "moment_before", "past_of", "read_now", "tidy"]

_NOW = "now:"
_TOTALS = "now:!totals"
"""Before all processes in order: a reading that is cut short has it."""

PROCESS = "now:process:"
"""Begins the names of the notices of processes. What they say and the totals of those that are gone
are read in one step: a process is in one of them."""

_MOMENT = "then:"
_MOMENT_S = 60.0
_TRIES = 4
"""How many moments are looked at for one: some may not be readable."""


@dataclass(frozen=True, slots=True)
class FleetStats:
    """What all processes did that share a tier, those that are gone included.

    Attributes:
        stats: Their snapshots, merged.
        span_s: The seconds that it covers; `None` for all that was ever counted.
        processes: What each running process published last.
        gone: How many are gone, whose counts are in `stats`.
        unreadable: How many notices could not be used: foreign, damaged or of a newer release.
        reach: Which processes: those of the `"cluster"`, this `"host"`, or this `"process"` only.
        at_s: When it was read, wall clock.
    """

    stats: CacheStats
    span_s: float | None
    processes: tuple[ProcessReport, ...]
    gone: int
    unreadable: int
    reach: str
    at_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
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


class BoardNow(NamedTuple):
    """What hangs on a board.

    Attributes:
        running: What each running process says.
        ended: What those say whose notice ran out.
        totals: Those of processes that are gone; `None` without any.
        unreadable: The names of what could not be used.
        nonsense: Those of them, the totals aside, that no other release can use either.
        foreign: Whether the totals are of a newer release, which is to deal with them.
        data: All notices by name, as they are.
    """

    running: tuple[ProcessReport, ...]
    ended: tuple[ProcessReport, ...]
    totals: Totals | None
    unreadable: tuple[str, ...]
    nonsense: tuple[str, ...]
    foreign: bool
    data: dict[str, bytes]

    @property
    def gone(self) -> int:
        """How many processes are gone."""
        return len(self.ended) + (0 if self.totals is None else self.totals.gone)

    def stats(self, *, without: str = "", and_: Sequence[ProcessReport] = ()) -> CacheStats:
        """All snapshots merged.

        Args:
            without: The name of a process that is left out.
            and_: Reports that are put in.
        """
        running = [each for each in self.running if each.name != without]
        parts = [(each.host, each.stats) for each in (*and_, *running)]
        parts += [("", at_rest(each.stats)) for each in self.ended]
        if self.totals is not None:
            parts.append(("", at_rest(self.totals.stats)))
        return merged(parts)


def read_now(board: Board) -> BoardNow:
    """What hangs on a board; raises what its tier raises."""
    running: list[ProcessReport] = []
    ended: list[ProcessReport] = []
    unreadable: list[str] = []
    nonsense: list[str] = []
    totals = None
    foreign = False
    notices = board.read(_NOW)
    for notice in notices:
        try:
            if notice.name == _TOTALS:
                totals = decode_totals(notice.data)
            else:
                report = _report_of(notice)
                (running if notice.left_s > 0 else ended).append(report)
        except ValueError as error:
            unreadable.append(notice.name)
            newer = isinstance(error, UnknownFormatError)
            if notice.name == _TOTALS:
                foreign = newer
            elif not newer:
                nonsense.append(notice.name)
    data = {notice.name: notice.data for notice in notices}
    running.sort(key=lambda each: (each.host, each.started_s, each.name))
    return BoardNow(
        tuple(running), tuple(ended), totals, tuple(unreadable), tuple(nonsense), foreign, data
    )


def _report_of(notice: Notice) -> ProcessReport:
    report = decode_report(notice.data)
    if PROCESS + report.name != notice.name:
        msg = "a report under a foreign name"
        raise ValueError(msg)
    return report


def tidy(board: Board, now_s: float) -> None:
    """Add up those that are gone, and keep a moment for windows: the work of one of all processes.

    To be called now and then by each; whoever is late finds it done. Raises what the tier raises.
    """
    moments = _moments(board)
    name = f"{_MOMENT}{int(now_s // _MOMENT_S)}"
    if name in moments:
        return
    now = read_now(board)
    fold(board, now, now_s)
    kept = encode(Totals(at_s=now_s, gone=now.gone, stats=at_rest(now.stats())))
    if board.swap({}, {name: kept}):
        moments[name] = now_s
        keep = set(thinned(moments.values(), now_s))
        board.remove([each for each, at_s in moments.items() if at_s not in keep])


def fold(board: Board, now: BoardNow, now_s: float) -> bool:
    """Put what ended processes did into the totals, in one step; whether it was done."""
    if now.foreign or not (now.ended or now.nonsense):
        return False
    parts = [("", at_rest(each.stats)) for each in now.ended]
    if now.totals is not None:
        parts.append(("", at_rest(now.totals.stats)))
    names = [PROCESS + each.name for each in now.ended] + [*now.nonsense]
    if _TOTALS in now.data:
        names.append(_TOTALS)
    totals = encode(Totals(at_s=now_s, gone=now.gone, stats=merged(parts)))
    return board.swap({name: now.data[name] for name in names}, {_TOTALS: totals})


def _moments(board: Board) -> dict[str, float]:
    """The names of the moments that are kept, and about when they were."""
    found = {}
    for name in board.names(_MOMENT):
        number = name.removeprefix(_MOMENT)
        # Anything else is somebody's nonsense, and goes with the oldest.
        at_s = float(number) * _MOMENT_S if number.isdecimal() and len(number) < 12 else 0.0
        found[name] = at_s
    return found


def moment_before(board: Board, at_s: float) -> Totals | None:
    """The latest moment that is no later than `at_s`; raises what the tier raises."""
    earlier = [(each, name) for name, each in _moments(board).items() if each <= at_s]
    for _, name in sorted(earlier, reverse=True)[:_TRIES]:
        for notice in board.read(name):
            with contextlib.suppress(ValueError):
                found = decode_totals(notice.data)
                if found.at_s <= at_s:
                    return found
    return None


def past_of(board: Board) -> list[Totals]:
    """The moments that are kept, oldest first: what all processes had done up to each.

    Raises:
        TierUnavailableError: And whatever else the tier raises.
    """
    found = []
    for notice in board.read(_MOMENT):
        with contextlib.suppress(ValueError):  # foreign, damaged or of a newer release
            found.append(decode_totals(notice.data))
    return sorted(found, key=lambda each: each.at_s)


def fleet_of(
    board: Board, own: ProcessReport, now_s: float, reach: str, since_s: float | None
) -> FleetStats:
    """What all processes did that share a board.

    Args:
        board: The board.
        own: What this process has to say now, in the place of what it published. One that did
            nothing only says how the shared tiers stand.
        now_s: The time.
        reach: Who shares the board.
        since_s: For how long back; `None` for all.

    Raises:
        TierUnavailableError: And whatever else the tier raises.
    """
    now = read_now(board)
    others = tuple(each for each in now.running if each.name != own.name)
    looks_only = not own.stats.lookups and len(others) == len(now.running)
    mine = () if looks_only else (own,)
    standing = own.stats
    if others and not own.stats.lookups:
        standing = _heedless(standing)
    if looks_only:
        standing = _standing(standing, alone=not others)
    view = msgspec.structs.replace(own, stats=standing)
    stats = now.stats(without=own.name, and_=[view])
    span_s = None
    if since_s is not None:
        before = moment_before(board, now_s - since_s)
        if before is not None:
            stats, span_s = stats - before.stats, now_s - before.at_s
    return FleetStats(stats, span_s, (*mine, *others), now.gone, len(now.unreadable), reach, now_s)


def _heedless(stats: CacheStats) -> CacheStats:
    """`stats` of one that looked nothing up, and so need not have read the logs of changes lately."""
    tiers = tuple(replace(tier, lag=None) for tier in stats.tiers)
    return replace(stats, tiers=tiers, bus_lag_s=None)


def _standing(stats: CacheStats, *, alone: bool) -> CacheStats:
    """How the tiers stand, by one that did nothing: not its own memory, beside that of others."""
    tiers = tuple(
        replace(tier, max_entries=None, max_bytes=None, entries=None, bytes=None)
        if tier.reach == "process" and not alone
        else tier
        for tier in stats.tiers
    )
    return replace(stats, tiers=tiers, processes=0)
