"""Blocking calls in worker threads: a bounded number, each with a deadline."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_CALLS", "WAIT_S", "BlockingCalls"]

P = ParamSpec("P")
R = TypeVar("R")

MAX_CALLS = 8
"""Calls that one dashboard runs at the same time; further calls wait for a thread."""

WAIT_S = 10.0
"""Deadline of a call in seconds. An overdue thread ends at the deadlines of the tiers."""


class BlockingCalls:
    """Runs blocking functions in threads, at most `MAX_CALLS` at a time. For one event loop."""

    def __init__(self) -> None:
        self._limit: anyio.CapacityLimiter | None = None

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of `function`.

        Raises:
            TimeoutError: It took longer than `WAIT_S`, waiting for a thread included.
        """
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(MAX_CALLS)
        with anyio.fail_after(WAIT_S):
            return await anyio.to_thread.run_sync(
                functools.partial(function, *args, **kwargs),
                abandon_on_cancel=True,
                limiter=self._limit,
            )
