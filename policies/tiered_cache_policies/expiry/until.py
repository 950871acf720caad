"""Lifetimes that end at a time of day."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import NewValue

__all__ = ["Until"]


class Until:
    """The expiry policy that lets everything end at a time of day, for what a nightly job renews.

    Args:
        time: The time of day, such as `"03:30"` or `"03:30:15"`.
        zone: An IANA time zone, such as `"Europe/Berlin"`; `"UTC"` by default.

    Raises:
        ValueError: There is no such time or zone.

    Where clocks are set forward past the time, it is taken at the moment of the change; where they
    are set back and it comes twice, the first counts (PEP 495, `fold=0`). It has no state, so any
    number of threads and caches may share one.
    """

    def __init__(self, time: str, zone: str = "UTC") -> None:
        try:
            self._time = dt.time.fromisoformat(time)
        except (ValueError, TypeError):
            msg = f"time={time!r} is not a time of day: write it as '03:30'"
            raise ValueError(msg) from None
        if self._time.tzinfo is not None:
            msg = f"time={time!r} has an offset: name a zone instead, such as zone='Europe/Berlin'"
            raise ValueError(msg)
        try:
            self._zone: dt.tzinfo = dt.UTC if zone == "UTC" else ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            msg = (
                f"zone={zone!r} is not a time zone that this system knows, such as 'Europe/Berlin'"
            )
            raise ValueError(msg) from None

    def lifetime_s(self, new: NewValue) -> float:
        """The lifetime, at most until the next such time."""
        now = dt.datetime.fromtimestamp(new.now_s, self._zone)
        day = now.date()
        while True:
            # Through UTC, because the difference of two local times ignores a change between them.
            end_s = dt.datetime.combine(day, self._time, self._zone).timestamp()
            if end_s > new.now_s:
                return min(new.lifetime_s, end_s - new.now_s)
            day += dt.timedelta(days=1)
