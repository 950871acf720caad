"""The errors of a disk tier and its side databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.errors import TierTimeoutError, TierUnavailableError

if TYPE_CHECKING:
    from tiered_cache._sqlite.side_database import MakeError

__all__ = ["tier_errors"]


def tier_errors(tier: str) -> MakeError:
    """Makes `TierTimeoutError` for a lock that was not free in time, else `TierUnavailableError`."""

    def make_error(
        message: str, *, timed_out: bool, operation: str, key: str | None
    ) -> TierUnavailableError:
        kind = TierTimeoutError if timed_out else TierUnavailableError
        return kind(message, tier=tier, operation=operation, key=key)

    return make_error
