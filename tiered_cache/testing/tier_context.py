"""A `TierContext` for tests of a tier without a stack."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import EvictionReason, TierContext

if TYPE_CHECKING:
    from tiered_cache.clock import Clock

__all__ = ["ContextRecord", "make_context"]


class ContextRecord:
    """The calls that a tier made to its context.

    Attributes:
        evicted: The (key, size in bytes, reason) of each entry that the tier removed by itself.
        mutated: The keys of values that the tier found mutated.
    """

    def __init__(self) -> None:
        self.evicted: list[tuple[str, int, EvictionReason]] = []
        self.mutated: list[str] = []


def make_context(
    namespace: str = "test", clock: Clock = SYSTEM_CLOCK
) -> tuple[TierContext, ContextRecord]:
    """A context, and a record of the calls that a tier makes to it.

    Its `fingerprint` is the `repr` of the value, which suits plain data and needs no codec.
    """
    record = ContextRecord()
    context = TierContext(
        namespace=namespace,
        clock=clock,
        evicted=lambda key, size, reason: record.evicted.append((key, size, reason)),
        fingerprint=lambda value: repr(value).encode(),
        mutated=record.mutated.append,
        window_s=lambda _lifetime_s, _cost_s: 0.0,
        origin=lambda: "a test",
        trusted_until=lambda: math.inf,
    )
    return context, record
