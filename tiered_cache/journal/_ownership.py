"""Ownership of a journal file: a lock that the kernel releases when its process dies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment] # no module takes its place

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Ownership"]

_owned: set[tuple[int, str]] = set()
"""The locks of this process, by process id and path.

Closing any descriptor of a locked file releases the lock (POSIX), so a process must never open a
file that it has locked.
"""


class Ownership:
    """An exclusive lock on one file, held until `release` or the end of the process.

    It is a lease without a clock: a killed owner loses it at once, a stopped one keeps it, and a
    forked child does not inherit it (POSIX.1-2017, `fcntl`, F_SETLK). The file system must support
    such locks; some network file systems do not.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._pid = os.getpid()

    @classmethod
    def take(cls, path: Path) -> Ownership | None:
        """Lock `path`, which is created if it is missing; `None` if a live process holds the lock.

        Raises:
            ConfigurationError: The platform has no POSIX locks.
            OSError: The file can't be created.
        """
        if fcntl is None:
            msg = "durability='disk' needs POSIX file locks, which this platform lacks: use 'memory' or 'remote'"
            raise ConfigurationError(msg)
        name = (os.getpid(), str(path))
        if name in _owned:
            return None
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        _owned.add(name)
        return cls(path, descriptor)

    def release(self) -> None:
        """Release the lock; a no-op in a forked child, which never held it."""
        if os.getpid() == self._pid:
            _owned.discard((self._pid, str(self._path)))
            os.close(self._descriptor)
