"""Who owns a journal file: the process that holds its lock, which the kernel frees when it dies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment] # there is no module to put in its place

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Ownership"]

_mine: set[tuple[int, str]] = set()
"""What this process owns: by POSIX rules, closing any descriptor of a locked file unlocks it, so a
file of our own must never be opened a second time."""


class Ownership:
    """An exclusive lock on one file, held until `release` or the end of the process.

    It is a lease without a clock: a killed owner loses it at once, a stopped one keeps it, and a
    forked child does not inherit it (POSIX.1-2017, `fcntl`, F_SETLK). It needs a file system whose
    locks work, which some network file systems are not.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._pid = os.getpid()

    @classmethod
    def take(cls, path: Path) -> Ownership | None:
        """Own `path`, which is made if needed; `None` if a living process does.

        Raises:
            ConfigurationError: This platform has no such locks.
            OSError: The file can't be made.
        """
        if fcntl is None:
            msg = "durability='disk' needs POSIX file locks, which this platform does not have: use 'memory' or 'remote'"
            raise ConfigurationError(msg)
        name = (os.getpid(), str(path))
        if name in _mine:
            return None
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        _mine.add(name)
        return cls(path, descriptor)

    def release(self) -> None:
        """Own it no more; in a forked child, which never did, this does nothing."""
        if os.getpid() == self._pid:
            _mine.discard((self._pid, str(self._path)))
            os.close(self._descriptor)
