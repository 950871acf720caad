"""Lifetimes that end at a time of day."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import NewValue

__all__ = ["Until"]


class Until:
    """The expiry policy that ends every lifetime at a time of day, such as that of a nightly job.

    Args:
        time: The time of day, such as `"03:30"` or `"03:30:15"`.
        zone: An IANA time zone, such as `"Europe/Berlin"`; `"UTC"` by default.

    Raises:
        ValueError: `time` is not a time of day, or `zone` not a time zone.

    If clocks are set forward past the time, the lifetime ends at the moment of the change. If they
    are set back and the time comes twice, the first one counts (PEP 495, `fold=0`). Stateless:
    threads and caches may share one.
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
            msg = f"zone={zone!r} is not a time zone of this system: write one such as 'Europe/Berlin'"
            raise ValueError(msg) from None

    def lifetime_s(self, new: NewValue) -> float:
        """The lifetime, at most until the next such time."""
        now = dt.datetime.fromtimestamp(new.now_s, self._zone)
        day = now.date()
        while True:
            # In UTC, because the difference of two local times ignores a clock change between them.
            end_s = dt.datetime.combine(day, self._time, self._zone).timestamp()
            if end_s > new.now_s:
                return min(new.lifetime_s, end_s - new.now_s)
            day += dt.timedelta(days=1)
