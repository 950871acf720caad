"""One function in many threads that start together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["race"]

T = TypeVar("T")


def race(count: int, function: Callable[[int], T], timeout_s: float = 60.0) -> list[T]:
    """Return the results of `function(0)` to `function(count - 1)`, each called in its own thread.

    A barrier releases all threads together.

    Args:
        count: The number of threads.
        function: Called with the number of its thread.
        timeout_s: Seconds until the threads must have ended.

    Raises:
        AssertionError: A thread did not end in time. It is left behind as a daemon.
        BaseException: The first exception of a call.
    """
    barrier = threading.Barrier(count)
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(timeout_s)
            results[number] = function(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    stuck = sum(thread.is_alive() for thread in threads)
    if stuck:
        msg = f"{stuck} of {count} threads did not end within {timeout_s:g} s"
        raise AssertionError(msg)
    return [results[number] for number in range(count)]
