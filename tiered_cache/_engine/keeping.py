"""Keeping what was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.terms import make_entry
from tiered_cache._engine.writing import fill
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from tiered_cache._engine.effects import Computed, Plan
    from tiered_cache._engine.reading import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms

__all__ = ["keep"]


def keep(
    stack: Stack, key: str, value: object, terms: Terms, computed: Computed, sought: Sought
) -> Plan[None]:
    """Store a computed value as its terms, the policies and the function itself say."""
    if computed.computation.skipped:
        return
    try:
        entry = make_entry(
            stack,
            key,
            value,
            terms.told(computed.computation),
            computed.now_s,
            computed.seconds / computed.keys,
            computed.lead_s,
        )
    except TieredCacheError as error:
        # The caller gets what was computed; that it can't be stored is no fault of the function.
        stack.faults.report("terms", type(error).__name__, f"A value is not stored: {error}")
        return
    yield from fill(stack, key, entry, sought)
