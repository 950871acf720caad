"""A Redis tier for tests in which the server is well, and only the machine may be busy."""

from __future__ import annotations

from typing import Any

from tiered_cache import RedisTier

__all__ = ["patient_redis"]


def patient_redis(url: str, **options: Any) -> RedisTier:
    """A tier whose deadlines no busy machine reaches: they are not what is tested."""
    return RedisTier(url, timeout="20s", connect_timeout="20s", **options)
