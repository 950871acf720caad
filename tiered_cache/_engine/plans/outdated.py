"""Whether what a tier holds for a key may be believed after a change of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import FAILED, OK, SKIPPED, Delete, Plan, Reply

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level

__all__ = ["remove", "trust"]


def remove(level: Level, key: str) -> Plan[Reply]:
    """Delete a key of a tier; what the tier holds is not believed where that fails."""
    ticket = level.suspects.ticket(key)
    reply: Reply = yield Delete(level.index, key)
    trust(level, key, reply, ticket)
    return reply


def trust(level: Level, key: str, reply: Reply, ticket: int | None) -> None:
    """Remember whether what a tier holds for a key may be believed after a change of it."""
    if reply.status == OK:
        if ticket is not None:
            level.suspects.clear(key, ticket)
    elif reply.status in (FAILED, SKIPPED):
        level.suspects.add(key, reply.now_s)
