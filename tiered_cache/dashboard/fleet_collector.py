"""Collects the statistics of all processes that share a cache's tiers."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.dashboard.fleet_snapshot import ALL, FleetSnapshot, ProcessRow
from tiered_cache.stats.fleet.history import WINDOWS, History, Window

if TYPE_CHECKING:
    from tiered_cache.cache import TieredCache
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["FleetCollector"]

_Past = list[tuple[float, "CacheStats"]]


class FleetCollector:
    """Reads the statistics of a cache and of all processes that share its tiers. Thread-safe.

    Args:
        cache: The cache.
    """

    def __init__(self, cache: TieredCache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._since_s = time.time()
        self._histories: dict[str, History] = {}

    def collect(self) -> FleetSnapshot:
        """The statistics now. Costs one read of the shared tier's board, some milliseconds.

        Raises:
            TimeoutError: An earlier, abandoned call is still running.
        """
        if not self._lock.acquire(blocking=False):
            msg = "the previous collection of statistics has not ended"
            raise TimeoutError(msg)
        try:
            return self._collect()
        finally:
            self._lock.release()

    def _collect(self) -> FleetSnapshot:
        fleet = self._cache.fleet()
        history, past = self._history_of(fleet.reach)
        windows = {
            name: history.since(seconds, fleet.at_s, fleet.stats)
            for name, seconds in WINDOWS.items()
        }
        history.add(fleet.at_s, fleet.stats)
        return FleetSnapshot(
            at_s=fleet.at_s,
            windows={**windows, ALL: Window(fleet.stats, None)},
            processes=self._rows(fleet),
            gone=fleet.gone,
            reach=fleet.reach,
            past=past,
            trouble=_trouble(fleet),
        )

    def _history_of(self, reach: str) -> tuple[History, _Past]:
        """The history of the totals of `reach`, and the past with which it was just filled.

        While the server is down, the totals are those of this host only. Totals of two reaches
        can't be subtracted, so each has its own history.
        """
        history = self._histories.get(reach)
        if history is not None:
            return history, []
        history = self._histories[reach] = History()
        past = [(each.at_s, each.stats) for each in self._cache.fleet_past(reach)]
        for at_s, stats in past:
            history.add(at_s, stats)
        return history, past

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
            # The dashboard's own process is listed only if its program uses the cache.
            if each.stats.lookups or (each.host, each.pid) != (host, pid)
        ]


def _trouble(fleet: FleetStats) -> list[str]:
    found = []
    if fleet.reach != "cluster" and any(tier.reach == "cluster" for tier in fleet.stats.tiers):
        found.append("The server can't be reached. The page shows this host only.")
    if fleet.unreadable:
        found.append(
            f"Processes with unreadable statistics: {fleet.unreadable}. They may run another "
            "version of tiered-cache."
        )
    return found
