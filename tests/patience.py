"""Tiers for tests in which disk and server are well, and only the machine may be busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache import DiskTier, RedisTier

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PATIENCE", "patient_disk", "patient_redis"]

PATIENCE: dict[str, Any] = {"timeout": "20s", "connect_timeout": "20s"}
"""Deadlines that no busy machine reaches: they are not what is tested. Also of settings."""


def patient_redis(url: str, **options: Any) -> RedisTier:
    """A tier with `PATIENCE`."""
    return RedisTier(url, **PATIENCE, **options)


def patient_disk(path: Path) -> DiskTier:
    """A tier that waits for other threads and processes as long as a busy machine makes it."""
    return DiskTier(path, timeout="20s")
