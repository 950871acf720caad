"""Our tiers, and the one in the documentation, pass the public conformance suite."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache.contracts import Absent, PutItem, Tier
from tiered_cache.policies import TTL
from tiered_cache.testing import TierContract, ValkeyServer, make_context
from tiered_cache.tiers.memory import MemoryTier
from tiered_cache.tiers.null import NullTier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.testing.valkey_cluster import ValkeyCluster

_HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-tier.md"


class TestMemoryTierSieve(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(eviction="sieve")


class TestMemoryTierLRU(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(eviction="lru")


class TestMemoryTierLFU(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(eviction="lfu")


class TestMemoryTierFIFO(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(eviction="fifo")


class TestMemoryTierTTL(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(eviction=lambda maxsize: TTL(maxsize, ttl=3600.0))


class TestMemoryTierInBytes(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(max_bytes="64MiB")


class TestMemoryTierDeepCopies(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(copy="deep")


class TestMemoryTierChecksCallers(TierContract):
    def make_tier(self, store: Any) -> Tier:
        return MemoryTier(copy="check")


class TestDiskTier(TierContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        return tmp_path / "cache"

    def make_tier(self, store: Any) -> Tier:
        return patient_disk(store)


class TestRedisTierOnValkey(TierContract):
    native_time = True

    @pytest.fixture
    def store(self, redis_url: str) -> str:
        return redis_url

    def make_tier(self, store: Any) -> Tier:
        return patient_redis(store)


class TestRedisTierOnACluster(TierContract):
    native_time = True

    @pytest.fixture
    def store(self, valkey_cluster: ValkeyCluster) -> str:
        return valkey_cluster.url

    def make_tier(self, store: Any) -> Tier:
        return patient_redis(store)


_REDIS = shutil.which("redis-server")

if _REDIS is not None:  # no wheel brings it

    @pytest.fixture(scope="module")
    def redis_server() -> Iterator[str]:
        with ValkeyServer(_REDIS) as server:
            yield server.url

    class TestRedisTierOnRedis(TierContract):
        native_time = True

        @pytest.fixture
        def store(self, redis_server: str) -> str:
            return redis_server

        def make_tier(self, store: Any) -> Tier:
            return patient_redis(store)


@pytest.fixture(scope="module")
def dict_tier() -> Any:
    """The class on the how-to page about tiers, which is its only source."""
    code = re.search(r"```python\n(.*?)```", _HOW_TO.read_text(), re.DOTALL)
    assert code is not None
    page: dict[str, Any] = {}
    exec(compile(code[1], str(_HOW_TO), "exec"), page)
    return page["DictTier"]


class TestDocumentedTier(TierContract):
    @pytest.fixture
    def store(self, dict_tier: Any) -> Any:
        return dict_tier

    def make_tier(self, store: Any) -> Tier:
        tier: Tier = store()
        return tier


class TestNullTier:
    """The null tier accepts every write and holds none."""

    @pytest.fixture
    def tier(self) -> NullTier:
        tier = NullTier()
        tier.open(make_context()[0])
        return tier

    def test_it_is_a_tier(self, tier: NullTier) -> None:
        as_tier: Tier = tier
        assert as_tier.name == "null"

    def test_every_lookup_is_a_miss(self, tier: NullTier) -> None:
        assert tier.put("key", b"x", 1.0) is True
        assert tier.put_many({"key": PutItem(b"x", 1.0)}) == {"key"}
        assert isinstance(tier.get("key"), Absent)
        answers = tier.get_many(["key", "other"])
        assert set(answers) == {"key", "other"}
        assert all(isinstance(answer, Absent) for answer in answers.values())

    def test_a_fill_is_taken_as_any_write_is(self, tier: NullTier) -> None:
        assert tier.put("key", b"x", 1.0, expected=tier.get("key").token) is True

    def test_there_is_nothing_to_remove_or_list(self, tier: NullTier) -> None:
        tier.put("key", b"x", 1.0)
        assert tier.delete("key") is False
        assert tier.delete_many(["key"]) == 0
        assert tier.clear() == 0
        assert list(tier.scan()) == []
        assert (tier.info().entries, tier.info().bytes) == (0, 0)
        tier.close()
        tier.close()
