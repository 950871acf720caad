"""Collecting the numbers of all processes that share a cache's tiers."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.dashboard.reading import ALL, ProcessRow, Reading, Span
from tiered_cache.stats.fleet.history import WINDOWS, History

if TYPE_CHECKING:
    from tiered_cache.cache import TieredCache
    from tiered_cache.stats.fleet.fleet_stats import FleetStats

__all__ = ["Collector"]


class Collector:
    """Reads the numbers of a cache and of all who share its tiers. Thread-safe.

    Args:
        cache: The cache.
    """

    def __init__(self, cache: TieredCache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._since_s = time.time()
        self._history: dict[str, History] = {}

    def read(self) -> Reading:
        """The numbers now. Costs a reading of the shared tier's board, some milliseconds.

        Raises:
            TimeoutError: An earlier reading, which nobody waited for, has not ended yet.
        """
        if not self._lock.acquire(blocking=False):
            msg = "the reading before has not ended"
            raise TimeoutError(msg)
        try:
            return self._read()
        finally:
            self._lock.release()

    def _read(self) -> Reading:
        fleet = self._cache.fleet()
        # With the server away, it is those of this host: other numbers, with a history of their own.
        history = self._history.get(fleet.reach)
        past = []
        if history is None:
            history = self._history[fleet.reach] = History()
            past = [(each.at_s, each.stats) for each in self._cache.fleet_past(fleet.reach)]
            for at_s, stats in past:
                history.add(at_s, stats)
        spans = {
            name: Span(*history.since(seconds, fleet.at_s, fleet.stats))
            for name, seconds in WINDOWS.items()
        }
        history.add(fleet.at_s, fleet.stats)
        return Reading(
            at_s=fleet.at_s,
            spans={**spans, ALL: Span(fleet.stats, None)},
            processes=self._rows(fleet),
            gone=fleet.gone,
            reach=fleet.reach,
            past=past,
            trouble=_trouble(fleet),
        )

    def _rows(self, fleet: FleetStats) -> list[ProcessRow]:
        host, pid = socket.gethostname(), os.getpid()
        if fleet.reach == "process":
            own = ProcessRow(
                host, pid, Path(sys.argv[0]).name, self._since_s, fleet.at_s, fleet.stats
            )
            return [own] if fleet.stats.lookups else []
        return [
            ProcessRow(each.host, each.pid, each.program, each.started_s, each.at_s, each.stats)
            for each in fleet.processes
            # A process that only looks at the others is not one that is to be looked at.
            if each.stats.lookups or (each.host, each.pid) != (host, pid)
        ]


def _trouble(fleet: FleetStats) -> list[str]:
    said = []
    if fleet.reach != "cluster" and any(tier.reach == "cluster" for tier in fleet.stats.tiers):
        said.append("The server can't be asked: only what is on this host is shown.")
    if fleet.unreadable:
        said.append(f"{fleet.unreadable} of the processes publish what can't be read here.")
    return said
