"""The disk tier: records in files and an SQLite index, kept by `diskcache`."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from typing import TYPE_CHECKING

from tiered_cache._sqlite.process_gate import GATE
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import (
    ANY,
    CONTRACT,
    Absent,
    BaseTier,
    Found,
    Offers,
    Reach,
    TierInfo,
)
from tiered_cache.entry import (
    TOKEN_BYTES,
    TOMBSTONE_LIFETIME_S,
    deleted_at,
    is_tombstone,
    make_tombstone,
)
from tiered_cache.errors import ConfigurationError, CorruptRecordError, RecordRefusedError
from tiered_cache.tiers.disk._board import DiskBoard
from tiered_cache.tiers.disk._change_log import DiskLog
from tiered_cache.tiers.disk._leases import DiskLeases
from tiered_cache.tiers.disk._limits import parse_limits
from tiered_cache.tiers.disk._location import find_root
from tiered_cache.tiers.disk._log_table import GENERATION, LogTable
from tiered_cache.tiers.disk._places import DiskPlaces
from tiered_cache.tiers.disk._record_listing import (
    BATCH_KEYS,
    TOMBSTONE_TAG,
    count_records,
    keys_after,
)
from tiered_cache.tiers.disk._store import LOOK_S, DiskStore
from tiered_cache.units import bytes_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tiered_cache.contracts import Put, TierContext
    from tiered_cache.tiers.disk._database import BoundedCache
    from tiered_cache.units import Duration, Size

__all__ = ["DiskTier"]


class DiskTier(BaseTier[bytes]):
    """A bounded disk cache that all processes of a host share and that survives restarts.

    It stores and returns bytes, and never unpickles: a foreign file or row is a miss. The codec
    above it keeps types, and unpickles only records that carry a valid signature.

    A read costs one SQLite lookup; a record of 32 KiB or more costs opening and reading a file as
    well. A write is one transaction. When it returns, the record survives the process, but not a
    power failure. A directory that was removed is created again, at the next write or within a
    second of reading. When the directory outgrows `max_bytes`, the records that were stored first
    are evicted: an order by reads would make each read a write.

    Thread-safe and fork-safe. A file system that blocks inside the kernel, such as a lost network
    share, blocks its callers: keep the directory on a local disk.

    Args:
        path: The directory, which has a subdirectory for each namespace; the user's cache
            directory by default. `~` is expanded, and a relative path is made absolute at once.
        max_bytes: Most bytes on disk, such as `"1GiB"`; at least 1 MiB. While records of 32 KiB
            and more are replaced, ten of them may exceed it.
        timeout: Longest wait of a write for other threads, and again for other processes.
        max_value_bytes: The longest record; a longer one is refused.
        name: Its name in statistics and events.

    Raises:
        ConfigurationError: An option is not usable, or no home directory was found for `path`.
    """

    contract = CONTRACT
    reach = Reach.HOST

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
        self._root = find_root(path)
        self._limits = parse_limits(max_bytes, timeout, max_value_bytes)
        self._wall = SYSTEM_CLOCK.wall
        self._log_table = LogTable(self._limits.max_bytes)
        self._store = DiskStore(name, self._root, self._limits, self._log_table)
        self._leases = DiskLeases(self._limits.timeout_s, name)
        self._board = DiskBoard(self._limits.timeout_s, name)
        self.offers: Offers = Offers(
            durable=True,
            leases=self._leases,
            change_log=DiskLog(self._store, self._log_table),
            board=self._board,
            places=DiskPlaces(self._store, self._log_table),
            fence=self.fence,
            steps=self.clear_in_steps,
            journal_directory=self._root / ".journal",  # no namespace begins with a dot
        )

    def __repr__(self) -> str:
        most = bytes_text(self._limits.max_bytes)
        return f"<{type(self).__name__} {self.name}: {self._root}, at most {most}>"

    @property
    def root(self) -> Path:
        """The directory of all namespaces."""
        return self._root

    @property
    def directory(self) -> Path:
        """The directory of this namespace's records."""
        return self._store.directory

    def open(self, context: TierContext) -> None:
        """Create or open the directory of the namespace."""
        directory = self._root / context.namespace
        clock = context.clock
        self._wall = clock.wall
        self._log_table.open(context.origin)
        # Beside the namespace's directory, so that a clear or a quarantine leaves them alone.
        self._leases.open(self._root / ".leases" / f"{context.namespace}.db", clock.monotonic)
        self._board.open(self._root / ".statistics" / f"{context.namespace}.db", clock.wall)
        if self._root.exists() and not self._root.is_dir():
            remedy = "name a directory"
            msg = f"the disk tier's path {self._root} is a file: {remedy}"
            raise ConfigurationError(msg, tier=self.name, remedy=remedy)
        self._store.open(directory, clock.wall)

    def get(self, key: str) -> Found[bytes] | Absent:
        """The record of `key`."""
        with GATE.own:
            store = self._store
            now_s = self._wall()
            try:
                if not 0 <= now_s - store.looked_s < LOOK_S:
                    store.look(now_s)
                # Before the row: a clear in between must not seem to precede the lookup.
                generation = self._log_table.generation
                cache = store.opened
                if cache is None:
                    cache = store.open_database()
                row = cache.find_record(key, now_s)
            except (sqlite3.Error, OSError) as error:
                store.fail(error, "get", key)
        if row is None:
            return Absent(generation)
        record, expires_s = row
        if not record:
            msg = "the file of a row is missing or empty"
            raise CorruptRecordError(msg, tier=self.name, operation="get", key=key)
        if is_tombstone(record):
            return Absent(record[:TOKEN_BYTES], deleted_at(record))
        remaining_s = math.inf if expires_s is None else expires_s - now_s
        return Found(record, remaining_s, record[:TOKEN_BYTES])

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """The records of `keys`, read one by one: SQLite has no round trips to save."""
        answers: dict[str, Found[bytes] | Absent] = {}
        for key in keys:
            try:
                answers[key] = self.get(key)
            except CorruptRecordError:
                self.delete(key)
                answers[key] = Absent(self._log_table.generation)
        return answers

    def _put(self, cache: BoundedCache, key: str, put: Put[bytes]) -> bool:
        """Store a record if its expected token is the current one; whether it was stored."""
        record, lifetime_s = put.item, put.lifetime_s
        if put.expected is not ANY and self._token(cache, key) != put.expected:
            return False
        expires_s = None if lifetime_s == math.inf else cache.wall() + lifetime_s
        tag = TOMBSTONE_TAG if isinstance(record, bytes) and is_tombstone(record) else None
        cache.store_record(key, record, expires_s, tag)
        if not put.fill:
            self._log_table.append(cache, key)
        return True

    def _remove(self, cache: BoundedCache, key: str) -> bool:
        """Put a tombstone in the place of `key`; whether it had a record."""
        row = cache.live_row(key, "tag")
        now_s = cache.wall()
        expires_s = now_s + TOMBSTONE_LIFETIME_S
        cache.store_record(key, make_tombstone(now_s), expires_s, TOMBSTONE_TAG)
        self._log_table.append(cache, key)
        return row is not None and row[0] != TOMBSTONE_TAG

    def _token(self, cache: BoundedCache, key: str) -> bytes:
        """The token of `key`, which a compare-and-set must find."""
        row = cache.live_row(key, f"substr(value, 1, {TOKEN_BYTES}), filename")
        if row is None:
            # Another process may have cleared: the next fill then starts with the new generation.
            self._log_table.generation = cache.fact(GENERATION)
            return self._log_table.generation
        head, filename = row
        return bytes(head) if filename is None else cache.disk.read_head(filename, TOKEN_BYTES)

    def put(self, key: str, put: Put[bytes]) -> bool:
        """Store a record, in one transaction."""
        with self._store.writing("put", key) as cache, cache.disk.undo_files(), cache.transact():
            return self._put(cache, key, put)

    def put_many(self, puts: Mapping[str, Put[bytes]]) -> set[str]:
        """Store each of `puts`, all in one transaction."""
        stored = set()
        with self._store.writing("put_many") as cache, cache.disk.undo_files(), cache.transact():
            for key, put in puts.items():
                with contextlib.suppress(RecordRefusedError):
                    if self._put(cache, key, put):
                        stored.add(key)
        return stored

    def delete(self, key: str) -> bool:
        """Put a tombstone in the place of `key`; whether it had a record."""
        with self._store.writing("delete", key) as cache, cache.transact():
            return self._remove(cache, key)

    def delete_many(self, keys: Sequence[str]) -> int:
        """Put tombstones in the places of `keys`, all in one transaction; how many had a record."""
        with self._store.writing("delete_many") as cache, cache.transact():
            return sum([self._remove(cache, key) for key in keys])

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, in transactions of 500 keys."""
        return self.clear_in_steps(prefix, lambda _: None)

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Clear, and call `stepped` after each transaction with the number of keys removed so far."""
        count = 0
        self.fence(prefix)  # refuses fills that began before the clear
        while True:
            keys = self._keys_after("", prefix)
            with self._store.writing("clear") as cache, cache.transact():
                # Tombstones too: the fence refuses fills that began before their deletions.
                for key, was_deleted in keys:
                    count += cache.remove_record(key) and not was_deleted
            stepped(count)
            if len(keys) < BATCH_KEYS:
                break
        if not prefix:
            with self._store.writing("clear") as cache:
                cache.clear()
        self.fence(prefix)  # refuses fills of records that were read during the clear
        return count

    def fence(self, prefix: str) -> None:
        """Refuse fills that began before now, and log a change of all keys with `prefix`."""
        with self._store.writing("clear") as cache, cache.transact():
            self._log_table.renew_generation(cache)
            self._log_table.append(cache, prefix, is_prefix=True)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, in order, read 500 at a time."""
        last = ""
        while keys := self._keys_after(last, prefix):
            yield from [key for key, was_deleted in keys if not was_deleted]
            last = keys[-1][0]

    def _keys_after(self, last: str, prefix: str) -> list[tuple[str, bool]]:
        with self._store.using("scan"):
            return keys_after(self._store.cache(), last, prefix)

    def info(self) -> TierInfo:
        """Live records and bytes on disk; costs a walk over the expired ones in an index."""
        with self._store.using("info"):
            cache = self._store.cache()
            return TierInfo(
                entries=count_records(cache),
                bytes=cache.volume(),
                max_bytes=self._limits.max_bytes,
                detail=str(self._store.directory),
            )

    def close(self) -> None:
        """Close this thread's connection; those of other threads are closed when they end."""
        self._store.close()
        self._leases.close()
        self._board.close()
