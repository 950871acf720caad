"""What can be wrong with the place of a disk tier, looked at before the tier is opened.

Opening makes directories, and puts a database aside that it can't read: a diagnosis changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.findings import advise, fine, wrong
from tiered_cache.tiers.disk._database import DBNAME, is_ours
from tiered_cache.units import parse_duration, parse_size

if TYPE_CHECKING:
    from tiered_cache.config.schema import DiskSettings
    from tiered_cache.diagnosis.findings import Finding
    from tiered_cache.diagnosis.notes import Notes

__all__ = ["file_system", "look_at_disk"]

_MOUNTS = Path("/proc/self/mountinfo")
_LOCKS = Path("/proc/locks")
_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs"}
)
_REMOTE_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone")
_LEAST_FREE_BYTES = 64 * 2**20
_WRITE_LOCK_BYTE = 120
"""The byte of the `-shm` file that a writer of a database in WAL mode locks.

Source: https://www.sqlite.org/walformat.html
"""


def look_at_disk(
    name: str, root: Path, namespace: str, options: DiskSettings, notes: Notes
) -> bool:
    """Look at where a disk tier is to be; whether it can be opened."""
    directory = root / namespace
    database = directory / DBNAME
    if not notes.look(name, "directory", lambda: _directory(root, directory, database)):
        return False
    standing = _nearest(directory)
    notes.look(name, "file system", lambda: _file_system(standing))
    notes.look(name, "space", lambda: _space(standing, directory, parse_size(options.max_bytes)))
    if not database.exists():
        return True
    timeout_s = parse_duration(options.timeout)
    return notes.look(name, "database", lambda: _database(database, timeout_s)) and notes.look(
        name, "lock", lambda: _lock(database, timeout_s)
    )


def _nearest(path: Path) -> Path:
    """The path itself, or what there is of it."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _directory(root: Path, directory: Path, database: Path) -> Finding:
    standing = _nearest(directory)
    if not standing.is_dir():
        return wrong(
            f"{standing} is a file, and a directory is needed there",
            "name a directory in disk.path, or remove the file",
        )
    for each in (standing, database) if database.exists() else (standing,):
        if not os.access(each, os.R_OK | os.W_OK | (os.X_OK if each.is_dir() else 0)):
            return wrong(
                f"{each} can't be written by this user: {_owner(each)}",
                "run as its owner, chown or chmod it, or name another directory in disk.path",
            )
    aside = sorted(root.glob(f"{directory.name}.quarantined-*"))
    if aside:
        return advise(
            f"beside {directory} is a database that could not be read and was put aside",
            f"look at {aside[-1]} and delete it",
        )
    return fine(f"{directory}" if directory.exists() else f"{directory}, to be made when needed")


def _owner(path: Path) -> str:
    status = path.stat()
    return f"it belongs to user {status.st_uid} with mode {status.st_mode & 0o7777:o}"


def _file_system(path: Path) -> Finding:
    if not _MOUNTS.exists():
        return fine("which one it is can't be told on this system")
    kind = file_system(path.resolve(), _MOUNTS.read_text(errors="replace"))
    if kind in _REMOTE or kind.startswith(_REMOTE_FUSE):
        return wrong(
            f"{kind}, a network file system: locks and shared memory of SQLite don't work there",
            "name a directory on a local disk in disk.path; hosts share through Redis",
        )
    if kind in ("tmpfs", "ramfs"):
        return advise(
            f"{kind}: what is there takes memory and ends with the machine's next start",
            "name a directory on a disk in disk.path, unless that is what you want",
        )
    return fine(kind)


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system that `path` is on, by the text of `/proc/self/mountinfo`.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        mounted, _, described = line.partition(" - ")
        fields = mounted.split()
        if len(fields) < 5 or not described:
            continue
        # Blanks and backslashes in names are written as \040 and \134.
        point = Path(fields[4].encode().decode("unicode_escape"))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), described.split()[0]
    return kind


def _space(standing: Path, directory: Path, max_bytes: int) -> Finding:
    free = shutil.disk_usage(standing).free
    used = sum(each.stat().st_size for each in directory.glob("cache.db*"))
    if free < _LEAST_FREE_BYTES:
        return wrong(
            f"{_size(free)} are free on the disk",
            "make room, or name a directory on another disk in disk.path",
        )
    if free < max_bytes - used:
        return advise(
            f"{_size(free)} are free, and the tier may take {_size(max_bytes)}",
            "lower disk.max_bytes, or make room: a full disk fails writes of everybody",
        )
    return fine(f"{_size(free)} are free, and the tier may take {_size(max_bytes)}")


def _size(number: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} TiB"


def _database(database: Path, timeout_s: float) -> Finding:
    will = "the tier will put it aside and start empty"
    look = f"see what {database} is; move it away if somebody needs it, else do nothing"
    try:
        with contextlib.closing(_connect(database, "ro", timeout_s)) as connection:
            if is_ours(connection):
                return fine("is one of a disk tier")
            return wrong(f"is a database of somebody else: {will}", look)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return wrong(f"can't be read: {will}", look)


def _lock(database: Path, timeout_s: float) -> Finding:
    try:
        with contextlib.closing(_connect(database, "rw", timeout_s)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        holder = _holder(Path(f"{database}-shm"))
        who = f"process {holder}" if holder else "another process"
        return wrong(
            f"{who} has kept the database locked for more than {timeout_s:g} s",
            "see what it does, and end it if it hangs; writes to the disk tier fail meanwhile",
        )
    return fine("free for writing")


def _connect(database: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{database.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
    )


def _holder(shared_memory: Path) -> int | None:
    """The process that writes to a database, where the system tells."""
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
