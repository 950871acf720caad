"""The disk tier: records in files and an SQLite index, kept by `diskcache`."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import math
import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import diskcache
import platformdirs

from tiered_cache._process.fork import ForkGate, call_in_child
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import ANY, Absent, Found, PutItem, Reach, TierContext, TierInfo
from tiered_cache.entry import (
    MIN_VALUE_BYTES,
    TOKEN_BYTES,
    TOMBSTONE_LIFETIME_S,
    deleted_at,
    is_tombstone,
    make_tombstone,
)
from tiered_cache.errors import (
    ConfigurationError,
    CorruptRecordError,
    RecordRefusedError,
    TierError,
    TierTimeoutError,
    TierUnavailableError,
)
from tiered_cache.tiers.disk._board import DiskBoard
from tiered_cache.tiers.disk._bytes_disk import BytesDisk
from tiered_cache.tiers.disk._change_log import DiskLog
from tiered_cache.tiers.disk._database import DBNAME, BoundedCache, identity, open_bounded
from tiered_cache.tiers.disk._leases import DiskLeases
from tiered_cache.units import Duration, Size, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from tiered_cache.contracts.boards import Board
    from tiered_cache.contracts.change_log import ChangeLog
    from tiered_cache.contracts.leases import Leases
    from tiered_cache.entry import Entry

__all__ = ["DiskTier"]

_log = logging.getLogger("tiered_cache.tiers.disk")

_MIN_BYTES = 2**20
_BATCH = 500
_LOOK_S = 1.0
"""How often reads look whether the directory is still the one that was opened."""
_TOMBSTONE_TAG = "tombstone"

_SELECT = "SELECT mode, filename, value, expire_time FROM Cache WHERE key = ? AND raw = 1"


class DiskTier:
    """Records on this host's disk, shared by all its processes, kept across restarts.

    A read costs one SQLite lookup, and an open and read of a file for records of 32 KiB and more.
    A write is one transaction; it is on disk, in the sense that it survives the process but not a
    power failure, when the call returns. A directory that is removed is made anew, at the next write
    or within a second of reading. When the directory outgrows `max_bytes`, the records
    that were stored first are let go first: any order that counts reads would make each read a
    write.

    Args:
        path: Where to keep it, one directory for each namespace below; by default the user's
            cache directory. `~` is expanded.
        max_bytes: The most bytes on disk, such as `"1GiB"`; at least 1 MiB. While records of 32
            KiB and more are replaced, it may be exceeded by ten of them.
        timeout: How long a write waits for other threads, and again for other processes.
        max_value_bytes: The longest record that it takes.
        name: Its name in statistics and events.

    Thread-safe and fork-safe. What can't be bounded is a file system that blocks inside the
    kernel, a network share that went away, say: keep the directory on a local disk.
    """

    reach = Reach.HOST
    holds_records = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        max_bytes: Size = "1GiB",
        *,
        timeout: Duration = "2s",
        max_value_bytes: Size = "256MiB",
        name: str = "disk",
    ) -> None:
        self.name = name
        if not isinstance(path, str | os.PathLike | None):
            msg = f"path={path!r} of the disk tier must be the path of a directory"
            raise ConfigurationError(msg)
        self._root = Path(
            platformdirs.user_cache_path("tiered-cache") if path is None else path
        ).expanduser()
        self._max_bytes = parse_size(max_bytes, name="max_bytes")
        if self._max_bytes < _MIN_BYTES:
            msg = f"max_bytes={max_bytes!r} of the disk tier must be at least 1MiB: an empty database alone takes 32 KiB"
            raise ConfigurationError(msg)
        self._timeout_s = parse_duration(timeout, name="timeout")
        self._max_value_bytes = parse_size(max_value_bytes, name="max_value_bytes")
        if self._max_value_bytes < MIN_VALUE_BYTES:
            msg = f"max_value_bytes={max_value_bytes!r} of the disk tier must be at least {MIN_VALUE_BYTES}: no record is shorter"
            raise ConfigurationError(msg)
        self._cache: BoundedCache | None = None
        self._opened_file: tuple[int, int] | None = None
        self._looked_s = 0.0
        self._is_closed = False
        self._gate = ForkGate()
        self._queue = threading.RLock()
        self._directory = self._root
        self._wall = SYSTEM_CLOCK.wall
        self._leases = DiskLeases(self._timeout_s, name)
        self._board = DiskBoard(self._timeout_s, name)
        self._log = DiskLog(self._current_store, self._in_store, self._now, self._max_bytes)
        self._origin: Callable[[], str] = str
        call_in_child(self._forget_connections)

    @property
    def root(self) -> Path:
        """Where each namespace has a directory."""
        return self._root

    @property
    def directory(self) -> Path:
        """Where this namespace's records are."""
        return self._directory

    @property
    def journal_directory(self) -> Path:
        """Where queued writes of this namespace are kept: outside what is cleared or put aside."""
        # No namespace begins with a dot.
        return self._root / ".journal" / self._directory.name

    @property
    def leases(self) -> Leases:
        """Leases that the processes of this host agree on."""
        return self._leases

    @property
    def board(self) -> Board:
        """Where the processes of this host publish their statistics."""
        return self._board

    @property
    def log(self) -> ChangeLog:
        """What the processes of this host changed."""
        return self._log

    def place_in(self, source: str) -> int | None:
        """Up to where the log called `source` has been applied to this directory."""
        return self._log.place_in(source)

    def begin_place(self, source: str, position: int) -> int | None:
        """Remember a position if there is none and nothing is stored, in one transaction."""
        with self._writing("begin_place") as cache, cache.transact():
            return self._log.begin_place(cache, source, position)

    def set_place(self, source: str, position: int) -> None:
        """Remember a position, in one transaction."""
        with self._writing("set_place") as cache, cache.transact():
            self._log.set_place(cache, source, position)

    def open(self, context: TierContext) -> None:
        """Create or open the directory of the namespace."""
        self._directory = self._root / context.namespace
        self._origin = context.origin
        self._wall = context.clock.wall
        # Outside what is cleared or put aside, as the journal.
        leases = self._root / ".leases" / f"{context.namespace}.db"
        self._leases.open(leases, context.clock.monotonic)
        board = self._root / ".statistics" / f"{context.namespace}.db"
        self._board.open(board, context.clock.wall)
        if self._root.exists() and not self._root.is_dir():
            msg = f"the disk tier's path {self._root} is a file: name a directory"
            raise ConfigurationError(msg, tier=self.name)
        self._is_closed = False
        with self._in_store("open"):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._open_cache()
            except (CorruptRecordError, sqlite3.DatabaseError, TypeError) as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._quarantine(error)
                self._open_cache()

    def _open_cache(self) -> BoundedCache:
        cache = open_bounded(
            str(self._directory),
            self._timeout_s,
            disk=BytesDisk,
            disk_max_value_bytes=self._max_value_bytes,
            size_limit=self._max_bytes,
            eviction_policy="least-recently-stored",
            statistics=0,
            tag_index=1,
            cull_limit=10,
        )
        self._log.prepare(cache)
        self._opened_file = identity(self._directory / DBNAME)
        self._cache = cache
        return cache

    def _quarantine(self, error: Exception) -> None:
        """Put a database that can't be read aside, for somebody to look at, and start anew."""
        name = f"{self._directory.name}.quarantined"
        for earlier in self._root.glob(f"{name}-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        aside = self._directory.with_name(f"{name}-{time.time_ns()}")
        self._directory.rename(aside)
        self._directory.mkdir(mode=0o700)
        _log.warning(
            "The disk tier %r could not read its database (%s). It was put aside as %s, and the "
            "tier starts empty; delete that directory when you have looked at it.",
            self.name,
            type(error).__name__,
            aside,
        )

    def _forget_connections(self) -> None:
        self._queue = threading.RLock()
        if self._cache is not None:
            self._cache.abandon()
            self._cache = None

    def _now(self) -> float:
        return self._wall()  # the context's, which is another one than at first

    def _store(self) -> BoundedCache:
        return self._cache if self._cache is not None else self._open_cache()

    def _current_store(self) -> BoundedCache:
        """The database that has the directory's name now.

        Whoever empties a cache by hand removes the directory under the processes that use it:
        these would go on with a file that nobody else sees, and that is gone when they end.
        """
        store = self._store()
        if identity(self._directory / DBNAME) == self._opened_file:
            return store
        if self._is_closed:  # somebody still waits for changes, say: that makes no directory anew
            msg = f"the tier is closed, and its directory {self._directory} was removed"
            raise TierUnavailableError(msg, tier=self.name)
        _log.warning("The disk tier's directory %s was removed; it is made anew.", self._directory)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._open_cache()

    @contextlib.contextmanager
    def _in_store(self, operation: str, key: str | None = None) -> Generator[None]:
        with self._gate:
            try:
                yield
            except TierError:
                raise
            except (sqlite3.Error, OSError, diskcache.Timeout) as error:
                self._fail(error, operation, key)
            finally:
                if self._cache is not None:
                    self._cache.end_transaction()

    @contextlib.contextmanager
    def _writing(self, operation: str, key: str | None = None) -> Generator[BoundedCache]:
        # SQLite lets writers poll for its lock, and a busy process starves some of its threads:
        # these queue up here instead. Reentrant: an interruption can leave it taken, and must not
        # shut the thread out that it came to.
        queue = self._queue
        taken = False
        try:
            taken = queue.acquire(timeout=self._timeout_s)
            if not taken:
                msg = f"other threads wrote to the disk tier for {self._timeout_s:g} s"
                raise TierTimeoutError(msg, tier=self.name, operation=operation, key=key)
            with self._in_store(operation, key):
                yield self._current_store()
        finally:
            if taken:
                queue.release()

    def _fail(self, error: Exception, operation: str, key: str | None) -> NoReturn:
        """Say what a failure of the store is in our words, and leave the connection clean."""
        cache = self._cache
        if cache is not None:
            # A COMMIT that failed, on a full disk say, leaves its transaction open.
            with contextlib.suppress(sqlite3.Error):
                cache.close()
        details = {"tier": self.name, "operation": operation, "key": key}
        if isinstance(error, diskcache.Timeout) or "locked" in str(error):
            msg = f"the disk tier's database was locked for {self._timeout_s:g} s, or can't be written: {self._directory}"
            raise TierTimeoutError(msg, **details) from error
        full = getattr(error, "errno", None) == errno.ENOSPC or "full" in str(error)
        hint = "the disk is full" if full else str(error)
        msg = f"the disk tier at {self._directory} failed: {hint}"
        raise TierUnavailableError(msg, **details) from error

    def get(self, key: str) -> Found | Absent:
        """The record of `key`."""
        with self._gate:
            now = time.time()
            try:
                if not 0 <= now - self._looked_s < _LOOK_S:
                    self._looked_s = now
                    self._current_store()
                # Before the look: a clear in between must not be taken for one before it.
                generation = self._log.generation
                row = self._select(key, now)
            except (sqlite3.Error, OSError) as error:
                self._fail(error, "get", key)
        if row is None:
            return Absent(generation)
        record, expires = row
        if is_tombstone(record):
            return Absent(record[:TOKEN_BYTES], deleted_at(record))
        remaining = math.inf if expires is None else expires - now
        return Found(record, remaining, record[:TOKEN_BYTES])

    def _select(self, key: str, now: float) -> tuple[bytes, float | None] | None:
        cache = self._store()
        last = None
        while True:
            # diskcache's own get() takes half as long again to find out how it is set up.
            row = cache._con.execute(_SELECT, (key,)).fetchone()
            if row is None:
                return None
            mode, filename, value, expires = row
            if expires is not None and expires <= now:
                return None
            try:
                record: bytes = cache.disk.fetch(mode, filename, value, False)
            except FileNotFoundError:
                # It was replaced in between, unless the row stays as it is.
                if filename != last:
                    last = filename
                    continue
                record = b""
            if not record:
                msg = "the file of a row is gone or empty"
                raise CorruptRecordError(msg, tier=self.name, operation="get", key=key)
            return record, expires

    def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The records of `keys`, read one after the other: SQLite has no round trips to save."""
        answers: dict[str, Found | Absent] = {}
        for key in keys:
            try:
                answers[key] = self.get(key)
            except CorruptRecordError:
                self.delete(key)
                answers[key] = Absent(self._log.generation)
        return answers

    def put(
        self,
        key: str,
        item: Entry | bytes,
        lifetime_s: float,
        *,
        expected: object = ANY,
        fill: bool = False,
    ) -> bool:
        """Store the record `item`, in one transaction."""
        put = PutItem(item, lifetime_s, expected, fill)
        with self._writing("put", key) as cache, cache.disk.undo_files(), cache.transact():
            return self._put(cache, key, put)

    def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`, all in one transaction."""
        stored = set()
        with self._writing("put_many") as cache, cache.disk.undo_files(), cache.transact():
            for key, item in items.items():
                with contextlib.suppress(RecordRefusedError):
                    if self._put(cache, key, item):
                        stored.add(key)
        return stored

    def _put(self, cache: BoundedCache, key: str, item: PutItem) -> bool:
        record, lifetime_s, expected, fill = item
        if expected is not ANY and self._token(cache, key) != expected:
            return False
        expire = None if lifetime_s == math.inf else lifetime_s
        tag = _TOMBSTONE_TAG if isinstance(record, bytes) and is_tombstone(record) else None
        cache.set(key, record, expire=expire, tag=tag)
        if not fill:
            self._log.append(cache, self._origin(), key)
        return True

    def delete(self, key: str) -> bool:
        """Put a tombstone in the place of `key`."""
        with self._writing("delete", key) as cache, cache.transact():
            return self._delete(cache, key)

    def delete_many(self, keys: Sequence[str]) -> int:
        """Put tombstones in the places of `keys`, all in one transaction."""
        with self._writing("delete_many") as cache, cache.transact():
            return sum([self._delete(cache, key) for key in keys])

    def _delete(self, cache: BoundedCache, key: str) -> bool:
        row = self._row(cache, key, "tag")
        tombstone = make_tombstone(self._wall())
        cache.set(key, tombstone, expire=TOMBSTONE_LIFETIME_S, tag=_TOMBSTONE_TAG)
        self._log.append(cache, self._origin(), key)
        return row is not None and row[0] != _TOMBSTONE_TAG

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, in transactions of 500 keys."""
        return self.clear_in_steps(prefix, lambda _: None)

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do the same, and call `stepped` after each transaction."""
        count = 0
        self.fence(prefix)  # for fills that began earlier
        while True:
            # Tombstones too: a fill that began after a deletion, and before this, is refused then.
            rows = self._rows_after("", prefix)
            with self._writing("clear") as cache, cache.transact():
                for key, tag in rows:
                    count += bool(cache.delete(key)) and tag != _TOMBSTONE_TAG
            stepped(count)
            if len(rows) < _BATCH:
                break
        if not prefix:
            with self._writing("clear") as cache:
                cache.clear()
        self.fence(prefix)  # for what was read in between
        return count

    def fence(self, prefix: str) -> None:
        """Refuse fills that began before now, and log that keys which begin with `prefix` changed."""
        with self._writing("clear") as cache, cache.transact():
            self._log.renew_generation(cache)
            self._log.append(cache, self._origin(), prefix, is_prefix=True)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, in order, read 500 at a time."""
        last = ""
        while rows := self._rows_after(last, prefix):
            yield from [key for key, tag in rows if tag != _TOMBSTONE_TAG]
            last = rows[-1][0]

    def _rows_after(self, last: str, prefix: str) -> list[tuple[str, str | None]]:
        """The next keys, with the tags that tell their tombstones."""
        with self._in_store("scan"):
            rows = (
                self._store()
                ._sql(
                    "SELECT key, tag FROM Cache WHERE raw = 1 AND key > ? AND key >= ?"
                    " AND (expire_time IS NULL OR expire_time > ?) ORDER BY key LIMIT ?",
                    (last, prefix, time.time(), _BATCH),
                )
                .fetchall()
            )
        # Python compares the prefix: SQLite's text functions end at a NUL.
        known = [(key, tag) for key, tag in rows if type(key) is str]
        return list(itertools.takewhile(lambda row: row[0].startswith(prefix), known))

    def info(self) -> TierInfo:
        """Live records and bytes on disk; costs a walk over the expired ones in an index."""
        with self._in_store("info"):
            cache = self._store()
            now = time.time()
            ((gone,),) = cache._sql(
                "SELECT (SELECT count(*) FROM Cache WHERE expire_time <= ?)"
                " + (SELECT count(*) FROM Cache WHERE tag = ? AND expire_time > ?)",
                (now, _TOMBSTONE_TAG, now),
            ).fetchall()
            return TierInfo(
                entries=max(0, len(cache) - gone),
                bytes=cache.volume(),
                max_bytes=self._max_bytes,
                detail=str(self._directory),
            )

    def close(self) -> None:
        """Close this thread's connection; other threads' are closed when they end."""
        self._is_closed = True
        with self._gate, contextlib.suppress(sqlite3.Error):
            if self._cache is not None:
                self._cache.close()
        self._leases.close()
        self._board.close()

    def _row(self, cache: BoundedCache, key: str, columns: str) -> tuple[Any, ...] | None:
        rows = cache._sql(
            f"SELECT {columns} FROM Cache WHERE key = ? AND raw = 1"  # noqa: S608 - constants
            " AND (expire_time IS NULL OR expire_time > ?)",
            (key, time.time()),
        ).fetchall()
        return rows[0] if rows else None

    def _token(self, cache: BoundedCache, key: str) -> bytes:
        row = self._row(cache, key, f"substr(value, 1, {TOKEN_BYTES}), filename")
        if row is None:
            # Another process may have cleared: the next fill is to know.
            self._log.generation = self._log.read_generation(cache)
            return self._log.generation
        head, filename = row
        return bytes(head) if filename is None else cache.disk.read_head(filename, TOKEN_BYTES)
