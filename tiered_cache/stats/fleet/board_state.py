"""The statistics on a board at one moment, decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.stats.fleet.reports import (
    ProcessReport,
    Totals,
    UnknownFormatError,
    decode_report,
    decode_totals,
)
from tiered_cache.stats.snapshot.merge import at_rest, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.contracts.boards import Board, Notice
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["PROCESS", "TOTALS", "BoardState", "read_board"]

_NOW = "now:"

TOTALS = "now:!totals"
"""The notice of the totals. It sorts before all processes, so that a truncated reading has it."""

PROCESS = "now:process:"
"""Begins the name of each notice of a process. Processes and totals share the prefix `now:`, so that one
atomic reading covers both and finds each process in exactly one of them."""


class BoardState(NamedTuple):
    """The statistics on a board.

    Attributes:
        running: The report of each running process.
        ended: The reports in notices that have run out.
        totals: The totals of ended processes; `None` without any.
        unreadable: The names of notices that could not be decoded.
        nonsense: Those of `unreadable`, except the totals, that no other release can decode either.
        foreign: Whether the totals have the format of a newer release, which must maintain them.
        data: The bytes of all notices, by name.
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
        """The number of ended processes."""
        return len(self.ended) + (0 if self.totals is None else self.totals.gone)

    def stats(self, *, without: str = "", and_: Sequence[ProcessReport] = ()) -> CacheStats:
        """All snapshots, merged.

        Args:
            without: The name of a process to leave out.
            and_: Reports to add.
        """
        running = [each for each in self.running if each.name != without]
        parts = [(each.host, each.stats) for each in (*and_, *running)]
        return merged(parts + self.ended_parts())

    def ended_parts(self) -> list[tuple[str, CacheStats]]:
        """The snapshots of ended processes and of the totals, as `merged` takes them."""
        parts = [("", at_rest(each.stats)) for each in self.ended]
        if self.totals is not None:
            parts.append(("", at_rest(self.totals.stats)))
        return parts


def read_board(board: Board) -> BoardState:
    """The statistics on a board.

    Raises:
        TierUnavailableError: As the tier raises it, like its other errors.
    """
    running: list[ProcessReport] = []
    ended: list[ProcessReport] = []
    unreadable: list[str] = []
    nonsense: list[str] = []
    totals = None
    foreign = False
    notices = board.read(_NOW)
    for notice in notices:
        try:
            if notice.name == TOTALS:
                totals = decode_totals(notice.data)
            else:
                report = _report_of(notice)
                (running if notice.left_s > 0 else ended).append(report)
        except ValueError as error:
            unreadable.append(notice.name)
            newer = isinstance(error, UnknownFormatError)
            if notice.name == TOTALS:
                foreign = newer
            elif not newer:
                nonsense.append(notice.name)
    data = {notice.name: notice.data for notice in notices}
    running.sort(key=lambda each: (each.host, each.started_s, each.name))
    return BoardState(
        tuple(running), tuple(ended), totals, tuple(unreadable), tuple(nonsense), foreign, data
    )


def _report_of(notice: Notice) -> ProcessReport:
    report = decode_report(notice.data)
    if PROCESS + report.name != notice.name:
        msg = f"the report in {notice.name!r} names another process; expected its own name"
        raise ValueError(msg)
    return report
