"""Checks of an existing database of a disk tier, without opening the tier."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.check_result import ok, problem
from tiered_cache.tiers.disk._inspection import is_ours

if TYPE_CHECKING:
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["check_identity", "check_lock"]

_LOCKS = Path("/proc/locks")
_WRITE_LOCK_BYTE = 120
"""The byte of the `-shm` file that a writer of a database in WAL mode locks.

Source: https://www.sqlite.org/walformat.html
"""


def check_identity(database: Path, timeout_s: float) -> CheckResult:
    """Whether `database` belongs to a disk tier, and is readable."""
    outcome = "the tier will put it aside and start empty"
    remedy = f"if another program needs {database}, move it away; otherwise do nothing"
    try:
        with contextlib.closing(_connect(database, "ro", timeout_s)) as connection:
            if is_ours(connection):
                return ok("is a database of a disk tier")
            return problem(f"is a database of another program: {outcome}", remedy)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return problem(f"is damaged, or not a database: {outcome}", remedy)


def check_lock(database: Path, timeout_s: float) -> CheckResult:
    """Whether the write lock of `database` is free within `timeout_s`."""
    try:
        with contextlib.closing(_connect(database, "rw", timeout_s)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return _locked(_holder(Path(f"{database}-shm")), timeout_s)
    return ok("free for writing")


def _locked(holder: int | None, timeout_s: float) -> CheckResult:
    until = "writes to the disk tier fail until then"
    if holder is None:
        return problem(
            f"another process has kept the database locked for more than {timeout_s:g} s",
            f"find the process that uses the database, and end it if it hangs; {until}",
        )
    return problem(
        f"process {holder} has kept the database locked for more than {timeout_s:g} s",
        f"look at it (ps -fp {holder}), and end it if it hangs; {until}",
    )


def _connect(database: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{database.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
    )


def _holder(shared_memory: Path) -> int | None:
    """The process with the write lock of a database; `None` if the system does not name it."""
    if sys.platform != "linux" or not shared_memory.exists():
        return None
    inode = shared_memory.stat().st_ino
    for line in _LOCKS.read_text().splitlines():
        fields = line.split()
        if len(fields) < 8 or fields[3] != "WRITE" or not fields[5].endswith(f":{inode}"):
            continue
        if int(fields[6]) <= _WRITE_LOCK_BYTE and fields[7] in ("EOF", str(_WRITE_LOCK_BYTE)):
            return int(fields[4]) if int(fields[4]) > 0 else None
    return None
