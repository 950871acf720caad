"""The journal of a cache, made when a write first needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache._process.user_directory import user_directory
from tiered_cache.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tiered_cache.contracts import Journal, Tier

__all__ = ["CacheJournal"]


class CacheJournal:
    """Gives the journal of one cache. Thread-safe.

    Args:
        tiers: The tiers of the cache.
        namespace: Its namespace.
    """

    def __init__(self, tiers: Sequence[Tier[Any]], namespace: str) -> None:
        self._tiers = tiers
        self._namespace = namespace
        self._made: Journal | None = None
        self._lock = fork_safe_lock()

    def get(self) -> Journal:
        """The journal; raises `JournalError` where there is no directory for it."""
        if self._made is None:
            # sqlite3 is imported by the first write that needs a journal, and by no other.
            from tiered_cache.journal import DiskJournal

            directory = self._directory()
            if directory is None:
                msg = (
                    "No directory was found for the journal of writes: add a disk tier with a path "
                    "(setting disk.path), or set the home directory (HOME)"
                )
                raise JournalError(msg)
            made = DiskJournal(directory)
            with self._lock:
                # Of two made at once, one is never used, and so opens nothing.
                self._made = self._made or made
        return self._made

    def exists(self) -> bool:
        """Whether a process has journaled for this cache on this host."""
        directory = self._directory()
        return directory is not None and directory.is_dir()

    def size_bytes(self) -> int:
        """The size of this process' journal on disk, 0 without one."""
        return 0 if self._made is None else self._made.size_bytes()

    def close(self) -> None:
        """Close the journal, if it was made."""
        if self._made is not None:
            self._made.close()

    def _directory(self) -> Path | None:
        """Beside the disk tier, or else below the user's state directory; `None` without a home."""
        for tier in self._tiers:
            if tier.offers.journal_directory is not None:
                return tier.offers.journal_directory / self._namespace
        state = user_directory("state")
        return None if state is None else state / "journal" / self._namespace
