"""Following each `get_or_compute` from its beginning to its end, for tracing systems."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from tiered_cache.results import LookupStatus

__all__ = ["Tell", "Tracer", "begun"]


class Tell(Protocol):
    """What a span is told of the lookup that it is about."""

    def __call__(self, outcome: LookupStatus, tier: str) -> None:
        """Take how the lookup ended.

        Args:
            outcome: `HIT`, `STALE_HIT`, or `MISS` where the value is computed, here or by another
                caller.
            tier: The tier that answered; `""` for a miss.
        """
        ...


class Tracer(Protocol):
    """Begins a span for each `get_or_compute` of a cache.

    It is called, and its context is entered and left, in the thread or task of the caller; what is
    computed runs inside, in that context or in a copy of it. That the computation raises, leaving the
    context says. What it raises itself, when it begins or is told, is logged and changes nothing; it
    must not raise when it is left.
    """

    def __call__(self, key: str) -> AbstractContextManager[Tell]:
        """A span for a lookup of `key`, that of a view with the view's prefix."""
        ...


@contextmanager
def begun(
    tracer: Tracer, key: str, failed: Callable[[Exception], object]
) -> Generator[Tell | None]:
    """A span, or `None` where the tracer fails to begin one: then `failed` is called."""
    with ExitStack() as spans:
        tell = None
        try:
            tell = spans.enter_context(tracer(key))
        except Exception as error:
            failed(error)
        yield tell
