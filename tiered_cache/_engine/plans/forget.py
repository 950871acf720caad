"""The plan that drops copies of values that others changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, Clear, DeleteMany, Plan
from tiered_cache.keys import TAG_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["forget"]


def forget(
    stack: Stack, levels: Sequence[Level], keys: Sequence[str], prefixes: Sequence[str]
) -> Plan[int | None]:
    """Drop copies, slowest tier first; how many, or `None` where a tier failed."""
    count = 0
    failed = False
    if prefixes:
        stack.epoch += 1
    for level in levels:
        effects: list[Clear | DeleteMany] = [Clear(level.index, prefix) for prefix in prefixes]
        if keys:
            effects.append(DeleteMany(level.index, keys))
        for effect in effects:
            reply = yield effect
            failed = failed or reply.status != OK
            count += reply.value or 0
    if prefixes:
        stack.epoch += 1
    if any(key.startswith(TAG_PREFIX) for key in keys):
        prefixes = [""]  # which computations have that tag is unknown
    for prefix in prefixes:
        stack.flights.detach_all(prefix)
    stack.flights.detach(keys)
    return None if failed else count
