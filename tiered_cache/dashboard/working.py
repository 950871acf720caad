"""Calls that block, made by worker threads and waited for only so long."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_CALLS", "WAIT_S", "Workers"]

P = ParamSpec("P")
R = TypeVar("R")

MAX_CALLS = 8
"""Calls that one dashboard makes at the same time; further ones wait their turn."""

WAIT_S = 10.0
"""Seconds after which a call is given up. Its thread ends when the tiers' own deadlines do."""


class Workers:
    """Makes calls in threads, a bounded number at once. For one event loop at a time."""

    def __init__(self) -> None:
        self._limit: anyio.CapacityLimiter | None = None

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `function` returns.

        Raises:
            TimeoutError: It took too long, or there was no thread for it in time.
        """
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(MAX_CALLS)
        with anyio.fail_after(WAIT_S):
            return await anyio.to_thread.run_sync(
                functools.partial(function, *args, **kwargs),
                abandon_on_cancel=True,
                limiter=self._limit,
            )
