"""Upkeep of a board: ended processes become totals, and moments are kept and thinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.stats.fleet.board_state import PROCESS, TOTALS, read_board
from tiered_cache.stats.fleet.history import thinned
from tiered_cache.stats.fleet.moments import moment_name, moments
from tiered_cache.stats.fleet.reports import Totals, encode
from tiered_cache.stats.snapshot.merge import at_rest, merged

if TYPE_CHECKING:
    from tiered_cache.contracts.boards import Board
    from tiered_cache.stats.fleet.board_state import BoardState

__all__ = ["fold", "tidy"]


def tidy(board: Board, now_s: float) -> None:
    """Fold ended processes into the totals, and keep a moment of this minute.

    Every process calls it now and then; only the first call in a minute does the work.

    Raises:
        TierUnavailableError: As the tier raises it, like its other errors.
    """
    kept = moments(board)
    name = moment_name(now_s)
    if name in kept:
        return
    state = read_board(board)
    fold(board, state, now_s)
    moment = encode(Totals(at_s=now_s, gone=state.gone, stats=at_rest(state.stats())))
    if board.swap({}, {name: moment}):
        kept[name] = now_s
        keep = set(thinned(kept.values(), now_s))
        board.remove([each for each, at_s in kept.items() if at_s not in keep])


def fold(board: Board, state: BoardState, now_s: float) -> bool:
    """Move the counts of ended processes into the totals, atomically; whether that was done.

    Raises:
        TierUnavailableError: As the tier raises it, like its other errors.
    """
    if state.foreign or not (state.ended or state.nonsense):
        return False
    names = [PROCESS + each.name for each in state.ended] + [*state.nonsense]
    if TOTALS in state.data:
        names.append(TOTALS)
    stats = merged(state.ended_parts())
    totals = encode(Totals(at_s=now_s, gone=state.gone, stats=stats))
    return board.swap({name: state.data[name] for name in names}, {TOTALS: totals})
