"""Kinds of SQLite errors, and retries while a database is locked."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NewerFormatError", "is_damage", "is_lock", "retry_while_locked"]

_PAUSE_S = 0.002

_T = TypeVar("_T")


class NewerFormatError(sqlite3.OperationalError):
    """A database was written by a newer release; it is left as it is."""


def is_lock(error: Exception) -> bool:
    """Whether another connection held the database for too long."""
    return "locked" in str(error)


def is_damage(error: Exception) -> bool:
    """Whether the file is damaged or no database, so that a retry can't help."""
    # Its subclasses report locks, full disks and wrong statements.
    return type(error) is sqlite3.DatabaseError


def retry_while_locked(action: Callable[[], _T], deadline_s: float) -> _T:
    """Call `action` until the database is no longer locked.

    SQLite's own timeout does not suffice: while several processes set a database up, some
    statements fail at once instead of waiting.

    Args:
        action: Opens or changes the database.
        deadline_s: When to raise the error instead, by `time.monotonic()`.
    """
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not is_lock(error) or time.monotonic() > deadline_s:
                raise
        time.sleep(_PAUSE_S)
