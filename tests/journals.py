"""Rows of a journal, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.contracts import JournalRow

if TYPE_CHECKING:
    from tiered_cache.contracts import Journal

__all__ = ["write_row"]


def write_row(
    journal: Journal, key: str, record: bytes | None, as_of_s: float, tiers: frozenset[str]
) -> JournalRow:
    """Write one change to `journal`; its row."""
    (row,) = journal.write([JournalRow(0, key, record, as_of_s, tiers)])
    return row
