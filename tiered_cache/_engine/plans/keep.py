"""Keeping what was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.plans.tags import versions_after
from tiered_cache._engine.plans.write import fill
from tiered_cache._engine.terms import make_entry
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiered_cache._engine.effects import Computed, Plan
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms

__all__ = ["keep"]


def keep(
    stack: Stack,
    key: str,
    value: object,
    terms: Terms,
    computed: Computed,
    sought: Sought,
    versions: Mapping[str, int] | None,
) -> Plan[None]:
    """Store a computed value as its terms, the policies and the function itself say.

    Args:
        stack: The stack.
        key: The key.
        value: The value.
        terms: Under which it is stored.
        computed: What came of the computation.
        sought: The lookup that missed it.
        versions: The versions of its tags before the computation; `None` if they can't be known.
    """
    if computed.computation.skipped:
        return
    terms = terms.told(computed.computation)
    if versions is not None and terms.tags - versions.keys():
        added = terms.tags - versions.keys()
        began_s = computed.now_s - computed.lead_s
        versions = yield from versions_after(stack, versions, added, began_s)
    if versions is None:
        stack.faults.report("terms", "tags", "A value is not stored: its tags may have changed")
        return
    try:
        entry = make_entry(
            stack,
            key,
            value,
            terms,
            computed.now_s,
            computed.seconds / computed.keys,
            computed.lead_s,
            versions,
        )
    except TieredCacheError as error:
        # The caller gets what was computed; that it can't be stored is no fault of the function.
        stack.faults.report("terms", type(error).__name__, f"A value is not stored: {error}")
        return
    yield from fill(stack, key, entry, sought)
