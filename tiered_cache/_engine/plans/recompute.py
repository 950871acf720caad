"""The plan that computes a value and stores it, although a fresh one may be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import OK, Plan, ReadHeads
from tiered_cache._engine.finding import UNKNOWN
from tiered_cache._engine.plans.compute import (
    call,
    computed_entry,
    end_with,
    write_computed,
)
from tiered_cache._engine.plans.flush import as_of
from tiered_cache._engine.plans.search import Search
from tiered_cache._engine.plans.tags import versions_of
from tiered_cache.entry import NO_TAGS

if TYPE_CHECKING:
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.terms import Work
    from tiered_cache.entry import Entry

__all__ = ["recompute"]

_TRIES = 3


def recompute(stack: Stack, key: str, work: Work) -> Plan[Any]:
    """Compute `key` and replace its value in every tier.

    Other callers that miss the key share this computation. It shares none that began before. A value
    that was set, or a deletion, while it computed is not overwritten (law 4); the result of a
    computation that began earlier is.
    """
    flight, leads = stack.flights.board(key)
    if flight is not None and not leads:
        stack.flights.leave(flight)
        flight = None
    try:
        return (yield from _compute(stack, key, work, flight))
    finally:
        if flight is not None:
            stack.flights.retire(flight)


def _compute(stack: Stack, key: str, work: Work, flight: Flight | None) -> Plan[Any]:
    epoch = stack.epoch
    tags = work.terms.tags
    versions = (yield from versions_of(stack, tags)) if tags else NO_TAGS
    computed = yield from call(work, [key], [] if flight is None else [flight])
    value = computed.value
    entry = yield from computed_entry(stack, key, value, work.terms, computed, versions)
    if entry is not None:
        began_s = computed.now_s - computed.lead_s
        yield from _replace(stack, key, entry, began_s, epoch)
    end_with(flight, value)
    return value


def _replace(stack: Stack, key: str, entry: Entry, began_s: float, epoch: int) -> Plan[None]:
    """Write the entry, unless a tier holds a change that is later than `began_s`."""
    stack.flights.detach([key])
    for _ in range(_TRIES):
        tokens: list[object] = []
        for level in stack.levels:
            reply = yield ReadHeads(level.index, [key])
            if reply.status != OK:
                tokens.append(UNKNOWN)
                continue
            found = reply.value[key]
            if as_of(stack, found) > began_s:
                return
            tokens.append(found.token)
        missed = Search(None, None, tokens, is_unsure=False, epoch=epoch, ended=0)
        if (yield from write_computed(stack, key, entry, missed, is_change=True)):
            return
