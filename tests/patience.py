"""Redis tiers for tests in which the server is well, and only the machine may be busy."""

from __future__ import annotations

from typing import Any

from tiered_cache import RedisTier

__all__ = ["PATIENCE", "patient_redis"]

PATIENCE: dict[str, Any] = {"timeout": "20s", "connect_timeout": "20s"}
"""Deadlines that no busy machine reaches: they are not what is tested. Also of settings."""


def patient_redis(url: str, **options: Any) -> RedisTier:
    """A tier with `PATIENCE`."""
    return RedisTier(url, **PATIENCE, **options)
