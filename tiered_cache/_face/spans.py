"""Spans: one for each `get_or_compute` of a cache with a tracer."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tiered_cache.contracts import Tell, Tracer

__all__ = ["begin_span"]


@contextmanager
def begin_span(
    tracer: Tracer, key: str, failed: Callable[[Exception], object]
) -> Generator[Tell | None]:
    """A span for a lookup of `key`; `None` if the tracer raises, after a call of `failed`."""
    with ExitStack() as spans:
        tell = None
        try:
            tell = spans.enter_context(tracer(key))
        except Exception as error:
            failed(error)
        yield tell
