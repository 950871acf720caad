"""Our shared tiers pass the suites about sick servers and about processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache import RedisTier
from tiered_cache.contracts import WrappedTier
from tiered_cache.testing import SickStoreContract, StackContract, ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier


@pytest.fixture(scope="module")
def healthy() -> Iterator[str]:
    with ValkeyServer(port=0) as server:
        yield server.url


class TestSickRedisTier(SickStoreContract):
    deadline_s = 1.0

    @pytest.fixture
    def server(self, healthy: str) -> str:
        return healthy

    def make_tier(self, address: str) -> Tier[Any]:
        return RedisTier(address, timeout="500ms", connect_timeout="500ms")


class TestDiskTierInAStack(StackContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        return tmp_path / "cache"

    def make_tier(self, store: Any) -> Tier[Any]:
        return patient_disk(store)


class TestRedisTierInAStack(StackContract):
    @pytest.fixture
    def store(self, redis_url: str) -> str:
        return redis_url

    def make_tier(self, store: Any) -> Tier[Any]:
        return patient_redis(store)


class TestWrappedRedisTierInAStack(TestRedisTierInAStack):
    def make_tier(self, store: Any) -> Tier[Any]:
        return WrappedTier(patient_redis(store))
