"""The kind of file system below a path, and its fitness for an SQLite database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.check_result import advise, ok, problem

if TYPE_CHECKING:
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["check_file_system", "file_system"]

_MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs"}
)
_REMOTE_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def check_file_system(path: Path) -> CheckResult:
    """Whether the file system of `path`, which must exist, can hold a disk tier."""
    if not _MOUNTS.exists():
        return ok("unknown: this system has no /proc")
    kind = file_system(path.resolve(), _MOUNTS.read_text(errors="replace"))
    if kind in _REMOTE or kind.startswith(_REMOTE_FUSE):
        return problem(
            f"{kind} is a network file system: SQLite's locks and shared memory fail there",
            "set disk.path to a directory on a local disk; hosts share values through Redis",
        )
    if kind in _IN_MEMORY:
        return advise(
            f"{kind} holds files in memory, and loses them when the machine restarts",
            "set disk.path to a directory on a disk, unless you want that",
        )
    return ok(kind)


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system of `path`, from the text of `/proc/self/mountinfo`.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        mounted, _, described = line.partition(" - ")
        fields = mounted.split()
        if len(fields) < 5 or not described:
            continue
        # The file has \040 for a blank and \134 for a backslash.
        point = Path(fields[4].encode().decode("unicode_escape"))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), described.split()[0]
    return kind
