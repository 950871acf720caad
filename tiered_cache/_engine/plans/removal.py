"""Removing a key from one tier, and marking it as outdated where that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import FAILED, OK, SKIPPED, Delete, Plan, Reply

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level

__all__ = ["mark", "remove"]


def remove(level: Level, key: str) -> Plan[Reply]:
    """Delete a key of a tier; where that fails, the key is marked as outdated there."""
    ticket = level.outdated.ticket(key)
    reply: Reply = yield Delete(level.index, key)
    mark(level, key, reply, ticket)
    return reply


def mark(level: Level, key: str, reply: Reply, ticket: int | None) -> None:
    """Mark a key as outdated in a tier, or remove the mark, after a change of the key there."""
    if reply.status == OK:
        if ticket is not None:
            level.outdated.clear(key, ticket)
    elif reply.status in (FAILED, SKIPPED):
        level.outdated.add(key, reply.now_s)
