"""Waiting for something that can be observed, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wait_until"]

_INTERVAL_S = 0.002


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """Return as soon as `condition()` is true.

    Args:
        condition: Called again and again, a few hundred times a second.
        what: What is waited for, for the message.
        timeout_s: When to give up. It costs nothing where the condition comes true.

    Raises:
        AssertionError: It did not come true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            msg = f"waited {timeout_s:g} s in vain: {what}"
            raise AssertionError(msg)
        time.sleep(_INTERVAL_S)
