"""Polling for a condition, with a deadline."""

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
        condition: Called a few hundred times a second until it is true.
        what: The expectation, for the message.
        timeout_s: Seconds until it fails. A condition that becomes true costs none of them.

    Raises:
        AssertionError: It was not true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            msg = f"not true within {timeout_s:g} s: {what}"
            raise AssertionError(msg)
        time.sleep(_INTERVAL_S)
