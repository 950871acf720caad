"""The database of a disk tier: opening, repair, turns of writers, forks and errors."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, NoReturn

import diskcache

from tiered_cache._process.fork import call_in_child
from tiered_cache._sqlite.process_gate import GATE
from tiered_cache._sqlite.sqlite_errors import is_lock, retry_while_locked
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.errors import CorruptRecordError, TierError, TierUnavailableError
from tiered_cache.tiers.disk._bytes_disk import BytesDisk
from tiered_cache.tiers.disk._database import BoundedCache
from tiered_cache.tiers.disk._inspection import inspect_database
from tiered_cache.tiers.disk._tier_errors import tier_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tiered_cache.tiers.disk._limits import DiskLimits
    from tiered_cache.tiers.disk._log_table import LogTable

__all__ = ["LOOK_S", "DiskStore"]

_log = logging.getLogger("tiered_cache.tiers.disk")

LOOK_S = 1.0
"""Seconds between two checks by readers that the directory still is the one that was opened."""


class DiskStore:
    """Opens and repairs the database of one namespace, and guards each use of it.

    A database that can't be read is put aside. A directory that was removed is created again.
    Writers of this process take turns; SQLite and its timeout order those of other processes.

    Thread-safe and fork-safe.

    Args:
        tier: The tier's name, for errors.
        directory: The directory until `open` names another one.
        limits: The tier's limits.
        log_table: The log tables, which are created with the database.
    """

    def __init__(self, tier: str, directory: Path, limits: DiskLimits, log_table: LogTable) -> None:
        self._tier = tier
        self._limits = limits
        self._log_table = log_table
        self._make_error = tier_errors(tier)
        self._wall = SYSTEM_CLOCK.wall
        self._is_closed = False
        # Reentrant: an interruption can leave it taken, and must not shut out its own thread.
        self._writers = threading.RLock()
        self.directory = directory
        self.opened: BoundedCache | None = None
        """The open database; `None` before the first use in a process."""
        self.looked_s = 0.0
        """The time by the wall clock when `look` was last called."""
        call_in_child(self._forget_connections)

    def open(self, directory: Path, wall: Callable[[], float]) -> None:
        """Create or open the database in `directory`; one that can't be read is put aside."""
        self.directory = directory
        self._wall = wall
        self._is_closed = False
        with self.using("open"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self.open_database()
            except (CorruptRecordError, sqlite3.DatabaseError, TypeError) as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._quarantine(error)
                self.open_database()

    def open_database(self) -> BoundedCache:
        """Open the database in the directory as it is now.

        Raises:
            sqlite3.DatabaseError: It is locked for too long, read-only, or no database.
            CorruptRecordError: It holds settings that a disk tier never writes.
        """
        deadline_s = time.monotonic() + self._limits.timeout_s
        # Neither SQLite nor diskcache always waits while other processes set the database up too.
        cache = retry_while_locked(self._make_cache, deadline_s)
        self._log_table.prepare(cache)
        self.opened = cache
        return cache

    def _make_cache(self) -> BoundedCache:
        directory, limits = str(self.directory), self._limits
        inspect_database(directory, limits.timeout_s)
        return BoundedCache(
            directory,
            timeout=limits.timeout_s,
            wall=self._wall,
            disk=BytesDisk,
            disk_max_value_bytes=limits.max_value_bytes,
            size_limit=limits.max_bytes,
            eviction_policy="least-recently-stored",
            statistics=0,
            tag_index=1,
            cull_limit=10,
        )

    def _quarantine(self, error: Exception) -> None:
        """Put a database that can't be read aside, for an administrator to inspect."""
        directory = self.directory
        name = f"{directory.name}.quarantined"
        for earlier in directory.parent.glob(f"{name}-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        aside = directory.with_name(f"{name}-{time.time_ns()}")
        directory.rename(aside)
        directory.mkdir(mode=0o700)
        _log.warning(
            "The disk tier %r could not read its database (%s). It was put aside as %s, and the "
            "tier starts empty; inspect that directory, then delete it.",
            self._tier,
            type(error).__name__,
            aside,
        )

    def _forget_connections(self) -> None:
        self._writers = threading.RLock()
        self.opened = None

    def cache(self) -> BoundedCache:
        """The database that this process has open, without a check that it is still in place."""
        return self.opened if self.opened is not None else self.open_database()

    def look(self, now_s: float) -> None:
        """Check that the open database is still in place; readers call it every `LOOK_S`."""
        self.looked_s = now_s
        self.current()

    def current(self) -> BoundedCache:
        """The database that has the directory's name now.

        A user may empty a cache by removing its directory. A process that went on with the removed
        file would write records that no other process sees, and that are lost when it ends.
        """
        cache = self.cache()
        if cache.is_current():
            return cache
        if self._is_closed:  # a thread that still waits for changes must not create a directory
            msg = f"the tier is closed, and its directory {self.directory} was removed"
            raise TierUnavailableError(msg, tier=self._tier)
        _log.warning(
            "The disk tier's directory %s was removed; it is created again.", self.directory
        )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.open_database()

    @contextlib.contextmanager
    def using(self, operation: str, key: str | None = None) -> Generator[None]:
        """Keep forks out of the block, and raise faults of the database as tier errors."""
        with GATE.own:
            try:
                yield
            except TierError:
                raise
            except (sqlite3.Error, OSError, diskcache.Timeout) as error:
                self.fail(error, operation, key)
            finally:
                if self.opened is not None:
                    self.opened.end_transaction()

    @contextlib.contextmanager
    def writing(self, operation: str, key: str | None = None) -> Generator[BoundedCache]:
        """The current database, for one writing thread of this process at a time.

        SQLite lets writers poll for its lock, and a busy process starves some of its threads.
        """
        with GATE.own:  # before the lock: its holder must not wait at the gate
            writers = self._writers
            taken = False
            try:
                taken = writers.acquire(timeout=self._limits.timeout_s)
                if not taken:
                    msg = f"other threads wrote to the disk tier for {self._limits.timeout_s:g} s"
                    raise self._make_error(msg, timed_out=True, operation=operation, key=key)
                with self.using(operation, key):
                    yield self.current()
            finally:
                if taken:
                    writers.release()

    def fail(self, error: Exception, operation: str, key: str | None) -> NoReturn:
        """Close the connection that failed, and raise `error` as a tier error."""
        cache = self.opened
        if cache is not None:
            # A COMMIT that failed, on a full disk for example, leaves its transaction open.
            with contextlib.suppress(sqlite3.Error):
                cache.close()
        timed_out = isinstance(error, diskcache.Timeout) or is_lock(error)
        if timed_out:
            msg = f"the disk tier's database was locked for {self._limits.timeout_s:g} s, or can't be written: {self.directory}"
        else:
            full = getattr(error, "errno", None) == errno.ENOSPC or "full" in str(error)
            cause = "the disk is full" if full else str(error)
            msg = f"the disk tier at {self.directory} failed: {cause}"
        raise self._make_error(msg, timed_out=timed_out, operation=operation, key=key) from error

    def close(self) -> None:
        """Close this thread's connection; those of other threads are closed when they end."""
        self._is_closed = True
        with GATE.own, contextlib.suppress(sqlite3.Error):
            if self.opened is not None:
                self.opened.close()
