"""Writes of records inside a transaction, each with its row of the change log."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts.tier import ANY
from tiered_cache.entry import TOKEN_BYTES, TOMBSTONE_LIFETIME_S, is_tombstone, make_tombstone

if TYPE_CHECKING:
    from tiered_cache.contracts.tier import PutItem
    from tiered_cache.tiers.disk._database import BoundedCache
    from tiered_cache.tiers.disk._log_table import LogTable

__all__ = ["TOMBSTONE_TAG", "delete_record", "put_record"]

TOMBSTONE_TAG = "tombstone"
"""Marks the rows of tombstones, so that they are counted and listed without a look at the data."""


def put_record(cache: BoundedCache, log: LogTable, key: str, item: PutItem) -> bool:
    """Store a record if its expected token is the current one; whether it was stored."""
    record, lifetime_s, expected, fill = item
    if expected is not ANY and _token(cache, log, key) != expected:
        return False
    expires_s = None if lifetime_s == math.inf else cache.wall() + lifetime_s
    tag = TOMBSTONE_TAG if isinstance(record, bytes) and is_tombstone(record) else None
    cache.store_record(key, record, expires_s, tag)
    if not fill:
        log.append(cache, key)
    return True


def delete_record(cache: BoundedCache, log: LogTable, key: str) -> bool:
    """Put a tombstone in the place of `key`; whether it had a record."""
    row = _live_row(cache, key, "tag")
    now_s = cache.wall()
    cache.store_record(key, make_tombstone(now_s), now_s + TOMBSTONE_LIFETIME_S, TOMBSTONE_TAG)
    log.append(cache, key)
    return row is not None and row[0] != TOMBSTONE_TAG


def _token(cache: BoundedCache, log: LogTable, key: str) -> bytes:
    """The token of `key`, which a compare-and-set must find."""
    row = _live_row(cache, key, f"substr(value, 1, {TOKEN_BYTES}), filename")
    if row is None:
        # Another process may have cleared: the next fill then starts with the new generation.
        log.generation = log.read_generation(cache)
        return log.generation
    head, filename = row
    return bytes(head) if filename is None else cache.disk.read_head(filename, TOKEN_BYTES)


def _live_row(cache: BoundedCache, key: str, columns: str) -> tuple[Any, ...] | None:
    rows = cache.sql(
        f"SELECT {columns} FROM Cache WHERE key = ? AND raw = 1"  # noqa: S608 - constants
        " AND (expire_time IS NULL OR expire_time > ?)",
        (key, cache.wall()),
    ).fetchall()
    return rows[0] if rows else None
