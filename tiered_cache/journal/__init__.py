"""The journal of write-back: queued changes on disk, until every tier has them.

`_face` and users import `DiskJournal` from here; the engine knows the contract only.
"""

from __future__ import annotations

from tiered_cache.journal.disk_journal import DiskJournal

__all__ = ["DiskJournal"]
