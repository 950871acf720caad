"""Tiers say which contract they follow and what they offer."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk
from tiered_cache import ConfigurationError, MemoryTier, NullTier, TieredCache
from tiered_cache.contracts import (
    ANY,
    CONTRACT,
    UNKNOWN,
    Absent,
    BaseTier,
    Found,
    Offers,
    OneByOne,
    Put,
    Reach,
    TierInfo,
    WrappedTier,
    is_tombstone,
)
from tiered_cache.policies import WriteThrough

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tiered_cache.contracts import TierContext
    from tiered_cache.policies import TierFacts, WritePlan, WriteRequest
    from tiered_cache.testing import FakeClock


class Shelf(BaseTier[bytes]):
    """Records in a dictionary, without tokens."""

    name, reach = "shelf", Reach.HOST

    def __init__(self, **offers: Any) -> None:
        self.offers = Offers(compare_and_set=False, **offers)
        self.held: dict[str, bytes] = {}

    def open(self, context: TierContext) -> None:
        pass

    def get(self, key: str) -> Found[bytes] | Absent:
        held = self.held.get(key)
        return Absent(UNKNOWN) if held is None else Found(held, float("inf"), UNKNOWN)

    def put(self, key: str, put: Put[bytes]) -> bool:
        assert put.expected in (ANY, UNKNOWN)
        self.held[key] = put.item
        return True

    def delete(self, key: str) -> bool:
        return self.held.pop(key, None) is not None

    def scan(self, prefix: str = "") -> Iterator[str]:
        return iter([key for key in self.held if key.startswith(prefix)])


class Old(OneByOne[bytes]):
    """A tier from before contracts had numbers, and with attributes that are no abilities."""

    name, reach, holds_records = "old", Reach.PROCESS, True
    log = logging.getLogger("a logger")
    leases = 3
    board = "wooden"

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def open(self, context: TierContext) -> None:
        pass

    def get(self, key: str) -> Found[bytes] | Absent:
        held = self.held.get(key)
        return Absent(None) if held is None else Found(held, float("inf"), None)

    def put(
        self, key: str, item: bytes, lifetime_s: float, *, expected: Any = ANY, fill: bool = False
    ) -> bool:
        self.held[key] = item
        return True

    def delete(self, key: str) -> bool:
        return self.held.pop(key, None) is not None

    def scan(self, prefix: str = "") -> Iterator[str]:
        return iter([key for key in self.held if key.startswith(prefix)])

    def info(self) -> TierInfo:
        return TierInfo()

    def close(self) -> None:
        pass


class Proxy:
    """A wrapper that forwards each attribute, as many programs write it."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_tier_of_a_later_contract_is_refused_with_both_numbers_and_its_package() -> None:
    class Later(NullTier):
        contract = CONTRACT + 1

    Later.__module__ = "pytest.something"
    message = rf"Later follows contract {CONTRACT + 1} .*up to {CONTRACT}: .*release of pytest$"
    with pytest.raises(ConfigurationError, match=message):
        TieredCache([Later()])


def test_a_tier_that_names_no_number_was_written_for_the_first() -> None:
    assert Shelf().contract == BaseTier.contract == 1


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"offers": None}, "has a contract and no offers: inherit"),
        ({"reach": "host"}, "reach='host' .* expected Reach.PROCESS"),
        ({"contract": "2"}, "follows contract '2'"),
    ],
)
def test_a_tier_with_a_wrong_attribute_is_refused(attributes: dict[str, Any], message: str) -> None:
    tier = NullTier()
    vars(tier).update(attributes)
    with pytest.raises(ConfigurationError, match=message):
        TieredCache([tier])


@pytest.mark.parametrize("method", ["get_many", "put_many", "delete_many", "clear", "scan", "info"])
def test_a_tier_without_one_of_the_methods_is_refused(method: str) -> None:
    old = Old()
    names = [name for name in dir(old) if not name.startswith("_") and name != method]
    tier: Any = type("Lacking", (), {name: getattr(old, name) for name in names})()
    with pytest.raises(ConfigurationError, match=f"it lacks {method}: "):
        TieredCache([tier])


def test_a_tier_without_a_contract_is_adapted_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    old: list[Any] = [Old(), Old()]
    for tier in old:
        with TieredCache([MemoryTier(), tier]) as cache:
            assert cache.get_or_compute("key", lambda: "value") == "value"
            assert cache.set_many({"a": 1, "b": 2})
            assert sorted(cache.keys()) == ["a", "b", "key"]
            assert cache.clear() == 3
            assert tier.held == {}
    told = [
        each.getMessage() for each in caplog.records if "names no contract" in each.getMessage()
    ]
    assert len(told) == 1
    assert re.match(r".*\.Old names no contract and is adapted, .*BaseTier", told[0])


@pytest.mark.parametrize("wrap", [Proxy, WrappedTier])
def test_a_wrapped_tier_is_as_coherent_as_the_tier_itself(
    wrap: Callable[[Any], Any], tmp_path: Path, clock: FakeClock
) -> None:
    def make() -> TieredCache:
        return TieredCache([MemoryTier(), wrap(patient_disk(tmp_path))], clock=clock)

    with make() as cache, make() as elsewhere:
        cache.set("key", "old")
        assert elsewhere.get("key") == "old"
        cache.set("key", "new")
        clock.advance(cache.staleness_bound)
        assert elsewhere.get("key") == "new"
        level = cache._source.core().stack.levels[1]
        assert level.leases is not None
        assert level.facts.durable


def test_law_4_a_tier_that_compares_no_tokens_gets_changes_and_no_fills() -> None:
    shelf = Shelf()
    with TieredCache([MemoryTier(), shelf]) as cache:
        assert cache.get_or_compute("computed", lambda: "value") == "value"
        assert shelf.held == {}
        assert cache.set("set", "value")
        assert list(shelf.held) == ["set"]
        assert cache.delete("set")
        assert shelf.held == {}


def test_tags_over_a_tier_that_compares_no_tokens_are_refused_with_the_cause() -> None:
    with TieredCache([MemoryTier(), Shelf()]) as cache:
        result = cache.set("key", 1, tags=["tag"])
        told = "tags need a tier that compares tokens as the last of the stack, and tier 'shelf'"
        assert all(each.reason.startswith(told) for each in result.tiers)


def test_a_tier_gets_no_record_longer_than_it_says() -> None:
    shelf = Shelf(max_item_bytes=1000)
    with TieredCache([MemoryTier(), shelf]) as cache:
        result = cache.set("key", "x" * 2000)
        assert "expected at most 1000, the tier's max_item_bytes" in result.tiers[1].reason
        assert [is_tombstone(each) for each in shelf.held.values()] == [True]
        assert cache.get("key") == "x" * 2000
        assert cache.set("key", "short")
        assert list(shelf.held) == ["key"]


def test_durable_is_a_fact_that_the_tier_declares() -> None:
    for durable in (False, True):
        with TieredCache([Shelf(durable=durable)]) as cache:
            assert cache._source.core().stack.levels[0].facts.durable is durable


def test_a_wrapper_replaces_the_offers_that_pass_it_by() -> None:
    class Counted(WrappedTier[Any]):
        gets = 0

        def get(self, key: str) -> Found[Any] | Absent:
            self.gets += 1
            return super().get(key)

    tiers = [Counted(MemoryTier()) for _ in range(2)]
    tiers[1].offers = replace(tiers[1].offers, live=None)
    for tier in tiers:
        with TieredCache([tier]) as cache:
            cache.set("key", "value")
            assert cache.get("key") == "value"
    assert [tier.gets for tier in tiers] == [0, 1]


@pytest.mark.parametrize("durable", [False, True])
def test_remote_needs_a_durable_tier_that_hosts_share(durable: bool) -> None:
    class Server(Shelf):
        name, reach = "server", Reach.CLUSTER

    with TieredCache([MemoryTier(), Server(durable=durable)]) as cache:
        if durable:
            assert cache.set("key", "value", durability="remote")
            return
        with pytest.raises(ConfigurationError, match="the tiers are memory, server: add one"):
            cache.set("key", "value", durability="remote")
        with pytest.raises(ConfigurationError, match="durability='remote' needs a durable tier"):
            cache.set_many({"key": "value"}, durability="remote")


def test_a_write_policy_that_needs_sizes_gets_them() -> None:
    asked: list[WriteRequest] = []

    class BySize(WriteThrough):
        needs_size = True

        def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
            asked.append(request)
            return super().plan(request, tiers)

    with TieredCache([MemoryTier(), Shelf()], writing=BySize()) as cache:
        cache.set("set", "x" * 1000)
        cache.get_or_compute("computed", lambda: "x" * 2000)
    assert [each.size_bytes // 1000 for each in asked] == [1, 2]


@pytest.mark.parametrize("change", ["set", "delete", "clear"])
@pytest.mark.parametrize("has_memory", [False, True])
def test_law_4_a_refresh_brings_nothing_back_in_a_tier_without_tokens(
    change: str, has_memory: bool
) -> None:
    shelf = Shelf()
    with TieredCache([MemoryTier(), shelf] if has_memory else [shelf]) as cache:
        cache.set("key", "old")

        def compute() -> str:
            cache.set("key", "newer") if change == "set" else getattr(cache, change)(
                *(["key"] if change == "delete" else [])
            )
            return "computed"

        assert cache.refresh("key", compute) == "computed"
        assert cache.get("key") == ("newer" if change == "set" else None)


@pytest.mark.parametrize("copy", [None, "deep", "check"])
def test_a_refresh_lands_where_the_old_value_expired_meanwhile(copy: Any, clock: FakeClock) -> None:
    with TieredCache([MemoryTier(copy=copy)], clock=clock) as cache:
        cache.set("key", "old", ttl=1)

        def compute() -> str:
            clock.advance(2)
            return "new"

        assert cache.refresh("key", compute) == "new"
        assert cache.get("key") == "new"


class Careless(Shelf):
    """Declares that it compares no tokens, and gives some."""

    def get(self, key: str) -> Found[bytes] | Absent:
        return super().get(key)._replace(token=7)


def test_the_tokens_of_a_tier_that_compares_none_are_ignored() -> None:
    shelf = Careless()
    with TieredCache([MemoryTier(), shelf]) as cache:
        assert cache.get_or_compute("computed", lambda: "value") == "value"
        assert shelf.held == {}


class OldBySuper(Old):
    """An old tier that calls the methods that it inherits."""

    def put_many(self, puts: Any) -> set[str]:
        inherited: Any = super()
        stored: set[str] = inherited.put_many(puts)
        return stored

    def clear(self, prefix: str = "") -> int:
        inherited: Any = super()
        return int(inherited.clear(prefix))


@pytest.mark.parametrize("make", [OldBySuper, lambda: Proxy(Old()), lambda: Proxy(OldBySuper())])
def test_old_tiers_may_call_what_they_inherit(make: Callable[[], Any]) -> None:
    tier = make()
    with TieredCache([MemoryTier(), tier]) as cache:
        assert all(cache.set_many({"a": 1, "b": 2}).values())
        assert len(tier.held) == 2
        assert cache.clear() == 2
        assert tier.held == {}


@pytest.mark.parametrize("wrap", [WrappedTier, lambda tier: tier])
def test_one_tier_serves_one_cache_wrapped_or_adapted(wrap: Callable[[Any], Any]) -> None:
    tier: Any = MemoryTier() if wrap is WrappedTier else Old()
    with (
        TieredCache([wrap(tier)]),
        pytest.raises(ConfigurationError, match="belongs to another cache"),
    ):
        TieredCache([wrap(tier)])


def test_a_tier_without_a_contract_can_not_be_wrapped() -> None:
    old: Any = Old()
    with pytest.raises(ConfigurationError, match=r"Old names no contract, .*inherit BaseTier"):
        WrappedTier(old)


def test_an_old_tier_keeps_the_directory_of_its_journal(tmp_path: Path) -> None:
    class OldDisk(Old):
        def open(self, context: TierContext) -> None:
            self.journal_directory = tmp_path / context.namespace

    old: Any = OldDisk()
    with TieredCache([MemoryTier(), old], namespace="lint") as cache:
        tier = cache._source.core().stack.levels[1].tier
        assert tier.offers.journal_directory == tmp_path
