"""One board and the notice of this process on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts.boards import Board
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["Answer", "Outlet"]


class Answer(NamedTuple):
    """The result of a guarded call of a board.

    Attributes:
        asked: Whether the board was called at all.
        done: Whether the call returned.
        value: Its return value.
    """

    asked: bool
    done: bool
    value: Any = None


class Outlet:
    """A board, and the state of this process's notice on it.

    Args:
        board: The board.
        reach: The processes that share it: `"host"` or `"cluster"`.
        guarded: Calls a function that uses the board, if its tier is healthy. Never raises.

    Attributes:
        name: The name of the notice; `""` before the first publication.
        is_up: Whether the notice is on the board, as far as this process knows.
        before: The counts that the notice leaves out: they are in the totals, or the parent's.
        said: The snapshot that was published last, or may have been.
        minute: The last minute in which the board was tidied, or found tidy.
    """

    def __init__(self, board: Board, reach: str, guarded: Callable[..., Answer]) -> None:
        self.board = board
        self.reach = reach
        self.guarded = guarded
        self.minute: float = 0.0
        self.rename(None)

    def rename(self, before: CacheStats | None) -> None:
        """Publish under a new name from now on, without the counts of `before`."""
        self.name = ""
        self.is_up = False
        self.before = before
        self.said: CacheStats | None = None
