"""Moments: earlier totals of all processes, kept on the board for time windows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tiered_cache.stats.fleet.reports import decode_totals

if TYPE_CHECKING:
    from tiered_cache.contracts.boards import Board
    from tiered_cache.stats.fleet.reports import Totals

__all__ = ["moment_before", "moment_name", "moments", "past_of"]

_MOMENT = "then:"
_MOMENT_S = 60.0
_TRIES = 4
"""Moments that are tried for one window, because some may be unreadable."""


def moment_name(at_s: float) -> str:
    """The name of the moment for the minute of `at_s`."""
    return f"{_MOMENT}{int(at_s // _MOMENT_S)}"


def moments(board: Board) -> dict[str, float]:
    """The approximate instant of each moment on the board, by its name."""
    found = {}
    for name in board.names(_MOMENT):
        number = name.removeprefix(_MOMENT)
        # Foreign names count as the oldest moments, so they are removed first.
        at_s = float(number) * _MOMENT_S if number.isdecimal() and len(number) < 12 else 0.0
        found[name] = at_s
    return found


def moment_before(board: Board, at_s: float) -> Totals | None:
    """The latest readable moment at or before `at_s`.

    Raises:
        TierUnavailableError: As the tier raises it, like its other errors.
    """
    earlier = [(each, name) for name, each in moments(board).items() if each <= at_s]
    for _, name in sorted(earlier, reverse=True)[:_TRIES]:
        for notice in board.read(name):
            with contextlib.suppress(ValueError):
                found = decode_totals(notice.data)
                if found.at_s <= at_s:
                    return found
    return None


def past_of(board: Board) -> list[Totals]:
    """All readable moments, oldest first.

    Raises:
        TierUnavailableError: As the tier raises it, like its other errors.
    """
    found = []
    for notice in board.read(_MOMENT):
        with contextlib.suppress(ValueError):  # foreign, damaged or of a newer release
            found.append(decode_totals(notice.data))
    return sorted(found, key=lambda each: each.at_s)
