"""Our tiers, and the one in the documentation, pass the public conformance suite."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache.contracts import Absent, CasLeases, Entry, Put, Tier, WrappedTier
from tiered_cache.policies import TTL
from tiered_cache.testing import (
    BasicTierContract,
    BoardContract,
    ChangeLogContract,
    FenceContract,
    HeadsContract,
    LeaseContract,
    PlaceContract,
    SharedStoreContract,
    StepsContract,
    TierContract,
    ValkeyServer,
    make_context,
)
from tiered_cache.tiers.memory import MemoryTier
from tiered_cache.tiers.null import NullTier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import TierContext
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

ENTRY = Entry(b"x", created_s=0.0)
_GOLDEN = Path(__file__).parents[1] / "golden"
_HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-tier.md"


class TestMemoryTierSieve(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(eviction="sieve")


class TestMemoryTierLRU(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(eviction="lru")


class TestMemoryTierLFU(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(eviction="lfu")


class TestMemoryTierFIFO(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(eviction="fifo")


class TestMemoryTierTTL(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(eviction=lambda maxsize: TTL(maxsize, ttl=3600.0))


class TestMemoryTierInBytes(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(max_bytes="64MiB")


class TestMemoryTierDeepCopies(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(copy="deep")


class TestMemoryTierChecksCallers(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return MemoryTier(copy="check")


class Shared(
    TierContract,
    SharedStoreContract,
    LeaseContract,
    ChangeLogContract,
    BoardContract,
    FenceContract,
    StepsContract,
):
    """The abilities that our shared tiers have in common."""

    __test__ = False


class TestDiskTier(Shared, PlaceContract):
    __test__ = True

    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        return tmp_path / "cache"

    def make_tier(self, store: Any) -> Tier[Any]:
        return patient_disk(store)


class TestWrappedMemoryTier(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        return WrappedTier(MemoryTier())


class TestWrappedDiskTier(TestDiskTier):
    def make_tier(self, store: Any) -> Tier[Any]:
        return WrappedTier(patient_disk(store))


class TestRedisTierOnValkey(Shared, HeadsContract):
    __test__ = True
    native_time = True

    @pytest.fixture
    def store(self, redis_url: str) -> str:
        return redis_url

    def make_tier(self, store: Any) -> Tier[Any]:
        return patient_redis(store)


class TestWrappedRedisTier(TestRedisTierOnValkey):
    def make_tier(self, store: Any) -> Tier[Any]:
        return WrappedTier(patient_redis(store))


class TestRedisTierOnACluster(Shared, HeadsContract):
    __test__ = True
    native_time = True

    @pytest.fixture
    def store(self, valkey_cluster: ValkeyCluster) -> str:
        return valkey_cluster.url

    def make_tier(self, store: Any) -> Tier[Any]:
        return patient_redis(store)


_REDIS = shutil.which("redis-server")

if _REDIS is not None:  # no wheel brings it

    @pytest.fixture(scope="module")
    def redis_server() -> Iterator[str]:
        with ValkeyServer(_REDIS) as server:
            yield server.url

    class TestRedisTierOnRedis(Shared, HeadsContract):
        __test__ = True
        native_time = True

        @pytest.fixture
        def store(self, redis_server: str) -> str:
            return redis_server

        def make_tier(self, store: Any) -> Tier[Any]:
            return patient_redis(store)


def class_in(source: str, path: Path, name: str) -> Any:
    """The class `name` that `source` defines."""
    names: dict[str, Any] = {"__name__": path.stem}
    exec(compile(source, str(path), "exec"), names)
    return names[name]


@pytest.fixture(scope="module")
def dict_tier() -> Any:
    """The class on the how-to page about tiers, which is its only source."""
    code = re.search(r"```python\n(.*?)```", _HOW_TO.read_text(), re.DOTALL)
    assert code is not None
    return class_in(code[1], _HOW_TO, "DictTier")


class TestDocumentedTier(TierContract, FenceContract):
    @pytest.fixture
    def store(self, dict_tier: Any) -> Any:
        return dict_tier

    def make_tier(self, store: Any) -> Tier[Any]:
        tier: Tier[Any] = store()
        return tier


class TestWrappedDocumentedTier(TestDocumentedTier):
    def make_tier(self, store: Any) -> Tier[Any]:
        return WrappedTier(store())


class TestTokenlessTier(BasicTierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        tier = WrappedTier(MemoryTier())
        tier.offers = replace(tier.offers, compare_and_set=False)
        return tier


class Leased(WrappedTier[bytes]):
    """A tier with the leases of `CasLeases` instead of its own."""

    def __init__(self, make: Callable[[], Tier[bytes]]) -> None:
        super().__init__(make())
        self._leases = CasLeases(make())
        self.offers = replace(self.offers, leases=self._leases, awaited=None)

    def open(self, context: TierContext) -> None:
        super().open(context)
        self._leases.open(context)

    def close(self) -> None:
        super().close()
        self._leases.close()


class TestLeasesByCompareAndSetOnDisk(LeaseContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        return tmp_path / "cache"

    def make_tier(self, store: Any) -> Tier[Any]:
        return Leased(lambda: patient_disk(store))


class TestLeasesByCompareAndSetOnRedis(LeaseContract):
    native_time = True

    @pytest.fixture
    def store(self, redis_url: str) -> str:
        return redis_url

    def make_tier(self, store: Any) -> Tier[Any]:
        return Leased(lambda: patient_redis(store))


class TestTierOfContract1(TierContract, FenceContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        tier: Tier[Any] = golden_tier("tier_of_contract_1.txt", "TierOfContract1")
        return tier


class TestTierWithoutContract(TierContract):
    def make_tier(self, store: Any) -> Tier[Any]:
        tier: Tier[Any] = golden_tier("tier_without_contract.txt", "TierWithoutContract")
        return tier


def golden_tier(name: str, kind: str) -> Any:
    """A tier of an earlier release, which is kept as it was."""
    path = _GOLDEN / name
    return class_in(path.read_text(), path, kind)()


class TestNullTier:
    """The null tier accepts every write and holds none."""

    @pytest.fixture
    def tier(self) -> NullTier:
        tier = NullTier()
        tier.open(make_context()[0])
        return tier

    def test_it_is_a_tier(self, tier: NullTier) -> None:
        as_tier: Tier[Any] = tier
        assert as_tier.name == "null"

    def test_every_lookup_is_a_miss(self, tier: NullTier) -> None:
        assert tier.put("key", Put(ENTRY, 1.0)) is True
        assert tier.put_many({"key": Put(ENTRY, 1.0)}) == {"key"}
        assert isinstance(tier.get("key"), Absent)
        answers = tier.get_many(["key", "other"])
        assert set(answers) == {"key", "other"}
        assert all(isinstance(answer, Absent) for answer in answers.values())

    def test_a_fill_is_taken_as_any_write_is(self, tier: NullTier) -> None:
        assert tier.put("key", Put(ENTRY, 1.0, expected=tier.get("key").token)) is True

    def test_there_is_nothing_to_remove_or_list(self, tier: NullTier) -> None:
        tier.put("key", Put(ENTRY, 1.0))
        assert tier.delete("key") is False
        assert tier.delete_many(["key"]) == 0
        assert tier.clear() == 0
        assert list(tier.scan()) == []
        assert (tier.info().entries, tier.info().bytes) == (0, 0)
        tier.close()
        tier.close()
