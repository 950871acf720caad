"""Turns an error of a check into its result: the cause and the remedy, in plain words."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.check_result import problem
from tiered_cache.diagnosis.known_errors import find_known_error
from tiered_cache.errors import ConfigurationError, TieredCacheError, TierTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["LOST_KEYS", "REPORT", "result_of"]

REPORT = "report it to the maintainers of the tier"
"""The advice for a fault in a tier's own code."""

LOST_KEYS = (
    "find out what removes keys from the tier: an eviction policy, a limit that is too small, or a "
    "FLUSHALL by another program"
)
"""The advice for a value that disappeared."""

_EXPECTED = (TieredCacheError, OSError, sqlite3.Error)


def result_of(error: Exception) -> CheckResult:
    """The result of a check that raised `error`.

    Of an unexpected exception, only the type is shown: its text may hold a secret.
    """
    if not isinstance(error, _EXPECTED):
        name = type(error).__name__
        return problem(f"failed with {name}, which no tier may raise", REPORT)
    known = find_known_error(_texts_of_chain(error))
    if known is not None:
        return problem(f"{known.cause} ({_fault_of(error)})", known.remedy)
    remedy = error.remedy if isinstance(error, TieredCacheError) else None
    return problem(_fault_of(error), "; ".join(filter(None, (_advice_by_type(error), remedy))))


def _advice_by_type(error: Exception) -> str:
    if isinstance(error, TierTimeoutError):
        return (
            "check whether the server or disk is overloaded, or a firewall drops packets; if the "
            "tier is only far away, raise its timeout"
        )
    if isinstance(error, ConfigurationError):
        return "correct the setting; `tiered-cache config show` names the source of each"
    return ""


def _fault_of(error: Exception) -> str:
    """The message of an error, without its remedy and without the tier and the key."""
    return error.fault if isinstance(error, TieredCacheError) else str(error)


def _texts_of_chain(error: BaseException) -> str:
    return " ".join(_texts(error)).lower()


def _texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
