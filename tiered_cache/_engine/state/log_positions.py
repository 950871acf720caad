"""The positions in the change logs of shared tiers, and until when copies may be served."""

from __future__ import annotations

import math
import threading
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from tiered_cache._process.fork import call_in_child
from tiered_cache.contracts import Lag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["IDLE_S", "LogPosition", "LogPositions"]

IDLE_S = 30.0
"""Seconds after the last lookup after which a follower's thread ends."""


class LogPosition:
    """One change log, and how far it was read.

    Attributes:
        level: The place of the tier that keeps it.
        above: How many tiers above hold copies: the first ones of the stack.
        position: Up to where it was applied; `None` at the beginning.
        placed: The position that the shared tiers above remember.
        read_s: The monotonic instant at which it was last read to its end.
        delay_s: Seconds that the last change by others took to arrive; `None` before the first.
        trusted_until_s: The monotonic instant up to which the tiers above may be served.
        turn: Held by the thread that reads on.
        is_watched: Whether a thread waits for changes.
        is_fresh: Whether nothing was put into the tiers of this process yet.
    """

    def __init__(self, level: int, above: int) -> None:
        self.level = level
        self.above = above
        self.position: int | None = None
        self.placed: int | None = None
        self.read_s = -math.inf
        self.delay_s: float | None = None
        self.trusted_until_s = -math.inf
        self.turn = threading.Lock()
        self.is_watched = False
        self.is_fresh = True


class LogPositions:
    """The change logs of one stack, as each lookup needs them for law 5.

    Thread-safe; a forked child goes on where its parent was.

    Args:
        logs: The logs that are read.
        is_compared: Whether the slowest tier is shared and keeps no log.
        bound_s: The longest that a copy is served without reading the log, or without a comparison
            where there is none.
        serves_when_cut: Whether copies are served while that is impossible.
        longest_s: The longest lifetime of a copy.
        monotonic: The clock.
    """

    def __init__(
        self,
        logs: Sequence[LogPosition],
        *,
        is_compared: bool,
        bound_s: float,
        serves_when_cut: bool,
        longest_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.all = logs
        self.bound_s = bound_s
        self.is_used = False
        """Whether there was a lookup since the followers looked."""
        self._is_shared = bool(logs) or is_compared
        self._serves = serves_when_cut and bool(logs)
        self.serves_when_cut = serves_when_cut
        self._longest_s = longest_s
        self.monotonic = monotonic
        self.trusted_until_s = math.inf
        """The monotonic instant up to which no tier is doubted."""
        # Without a Python frame: the memory tier asks for each value that it takes.
        trusted: Callable[[], float] = partial(attrgetter("trusted_until_s"), self)
        self.live_until = self._served_until if self._serves else trusted
        """Gives the monotonic instant up to which hits of the first tier need no lookup."""
        self.trust()
        call_in_child(self._start_over)

    def _start_over(self) -> None:
        for each in self.all:
            each.turn = threading.Lock()
            each.is_watched = False

    @property
    def staleness_bound_s(self) -> float:
        """The longest that a value is served that was changed elsewhere."""
        if not self._is_shared:
            return 0.0
        return self._longest_s if self.serves_when_cut else self.bound_s

    def lag(self, level: int) -> Lag | None:
        """The state of the log of the tier at a place; `None` where no log is followed."""
        for each in self.all:
            if each.level == level:
                behind_s = self.monotonic() - each.read_s
                return Lag(
                    position="" if each.position is None else str(each.position),
                    behind_s=None if behind_s == math.inf else behind_s,
                    delay_s=each.delay_s,
                )
        return None

    def _served_until(self) -> float:
        # Copies are served in any case, but a cache whose hits ask nothing counts as idle.
        return self.monotonic() + IDLE_S / 2

    def doubted(self) -> int:
        """How many tiers, from the first, may hold copies that were outdated too long ago."""
        self.is_used = True
        now_s = self.monotonic()
        if now_s < self.trusted_until_s:
            return 0
        return max([each.above for each in self.all if now_s >= each.trusted_until_s], default=0)

    def skipped(self) -> int:
        """How many tiers, from the first, are not to be served, after the logs were read."""
        return 0 if self._serves else self.doubted()

    def trust(self) -> None:
        """Take over that a log was read to its end."""
        # Without a lock: of two threads, one may store the minimum from before the other's reading.
        # It is too early, never too late, and costs some inlined hits until the next reading.
        self.trusted_until_s = min([each.trusted_until_s for each in self.all], default=math.inf)
