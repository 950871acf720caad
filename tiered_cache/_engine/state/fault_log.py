"""Log lines about faults, at most one a minute for each kind."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FaultLog"]

_log = logging.getLogger("tiered_cache")
_INTERVAL_S = 60.0


class FaultLog:
    """Logs the first fault of a kind at once, and then at most one a minute, with a count.

    Args:
        monotonic: The clock.

    Thread-safe. Messages carry tier, operation and key, never a value or a secret.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = fork_safe_lock()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}
        self._closed = False

    def close(self) -> None:
        """Stop logging: calls that a closed cache is still in may fail."""
        self._closed = True

    def report(self, tier: str, kind: str, message: str) -> None:
        """Log `message`, unless a line of the same tier and kind was logged within the minute."""
        if self._closed:
            return
        now = self._monotonic()
        with self._lock:
            last, suppressed = self._kinds.get((tier, kind), (-_INTERVAL_S, 0))
            if now - last < _INTERVAL_S:
                self._kinds[tier, kind] = last, suppressed + 1
                return
            self._kinds[tier, kind] = now, 0
        more = f" ({suppressed} more like this since the last line)" if suppressed else ""
        _log.warning("%s%s", message, more)
