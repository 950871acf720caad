"""Waiting in an event loop for a condition, and random delays for fuzzing.

Threads wait by barriers and `tiered_cache.testing.wait_until`. Nothing else in the tests sleeps to
wait for something.
"""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

__all__ = ["random_pause", "random_turns", "until"]

_INTERVAL_S = 0.001


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Let other tasks run until `condition()` is true. The caller sets the deadline.

    Args:
        condition: Called about a thousand times a second. It may return an awaitable.
    """
    while True:
        found = condition()
        if await found if inspect.isawaitable(found) else found:
            return
        await anyio.sleep(_INTERVAL_S)


async def random_turns(dice: random.Random, most: int = 50) -> None:
    """Let other tasks run a random number of times, for another interleaving."""
    for _ in range(dice.randrange(most)):
        await anyio.lowlevel.checkpoint()


def random_pause(dice: random.Random, most_s: float) -> None:
    """Delay a thread or a process for a random time, for another interleaving."""
    time.sleep(dice.random() * most_s)
