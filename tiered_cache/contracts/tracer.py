"""Tracers: a span for each `get_or_compute`, for tracing systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tiered_cache.results import LookupStatus

__all__ = ["Tell", "Tracer"]


class Tell(Protocol):
    """The function by which the engine tells a span the outcome of its lookup.

    The engine calls it at most once, before it leaves the span. Its exceptions are logged.
    """

    def __call__(self, outcome: LookupStatus, tier: str) -> None:
        """Take the outcome.

        Args:
            outcome: `HIT`, `STALE_HIT`, or `MISS` if this caller or another one computes the value.
            tier: The name of the tier that answered; `""` for a miss.
        """
        ...


class Tracer(Protocol):
    """Begins a span for each `get_or_compute` of a cache.

    The engine guarantees that it calls the tracer, and enters and leaves the context, in the thread
    or task of the caller. The computation runs inside, in that context or a copy of it. An exception
    of the computation passes through the context.

    The implementer must not raise when the context is left. Exceptions on beginning are logged, and
    the lookup goes on without a span.
    """

    def __call__(self, key: str) -> AbstractContextManager[Tell]:
        """A span for a lookup of `key`. Keys of a view begin with the view's prefix."""
        ...
