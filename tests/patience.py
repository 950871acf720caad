"""Tiers for tests with a healthy disk and server, on a machine that may be busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache import DiskTier, RedisTier

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PATIENCE", "patient_disk", "patient_redis"]

PATIENCE: dict[str, Any] = {"timeout": "20s", "connect_timeout": "20s"}
"""Deadlines that a busy machine does not reach, as options of a tier or as settings."""


def patient_redis(url: str, **options: Any) -> RedisTier:
    """A Redis tier with `PATIENCE`."""
    return RedisTier(url, **PATIENCE, **options)


def patient_disk(path: Path) -> DiskTier:
    """A disk tier that waits 20 s for other threads and processes."""
    return DiskTier(path, timeout="20s")
