"""Removing a key from one tier, and marking it as outdated where that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import FAILED, OK, SKIPPED, Delete, Plan, Reply, Write
from tiered_cache.contracts import ANY, Put
from tiered_cache.entry import TOMBSTONE_LIFETIME_S, make_voucher

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry

__all__ = ["mark", "remove", "withhold"]


def remove(level: Level, key: str) -> Plan[Reply]:
    """Delete a key of a tier; where that fails, the key is marked as outdated there."""
    ticket = level.outdated.ticket(key)
    reply: Reply = yield Delete(level.index, key)
    mark(level, key, reply, ticket)
    return reply


def withhold(
    stack: Stack, level: Level, key: str, entry: Entry, expected: object = ANY
) -> Plan[Reply]:
    """Remove the older value of a key from a tier that does not take the newer one.

    In the tier that copies are compared with, a voucher with the instant of the value stays as long as the
    value would: by it, the copies above are found to be current.
    """
    if level is not stack.unlogged:
        return (yield from remove(level, key))
    ticket = level.outdated.ticket(key)
    lifetime_s = max(TOMBSTONE_LIFETIME_S, level.capped(entry.lifetime_s, entry))
    voucher = Put(make_voucher(entry), lifetime_s, expected)
    reply: Reply = yield Write(level.index, key, voucher, "deletes")
    mark(level, key, reply, ticket)
    return reply


def mark(level: Level, key: str, reply: Reply, ticket: int | None) -> None:
    """Mark a key as outdated in a tier, or remove the mark, after a change of the key there."""
    if reply.status == OK:
        if ticket is not None:
            level.outdated.clear(key, ticket)
    elif reply.status in (FAILED, SKIPPED):
        level.outdated.add(key, reply.now_s)
