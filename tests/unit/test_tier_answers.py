"""Answers of tiers that are wrong, unknown or given in parallel; and sweeps."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk
from tiered_cache import AsyncTieredCache, MemoryTier, TieredCache
from tiered_cache._engine.workers import sweeper
from tiered_cache._engine.workers.sweeper import Sweeper
from tiered_cache.contracts import Absent, Found, InParallel, Put, Reach, WrappedTier
from tiered_cache.errors import ConfigurationError, RecordRefusedError, TierUnavailableError
from tiered_cache.testing import FakeClock, race
from tiered_cache.testing.wait import wait_until
from tiered_cache.tiers.null import NullTier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


class Answering(WrappedTier[Any]):
    """A tier that answers one of its methods wrongly."""

    def __init__(self, path: Path, method: str, answer: object) -> None:
        super().__init__(patient_disk(path))
        self.offers = replace(self.offers, change_log=None, awaited=None, steps=None, heads=None)
        setattr(self, method, lambda *_: answer)


CALLS: dict[str, Callable[[TieredCache], object]] = {
    "get": lambda cache: cache.get("key"),
    "get_many": lambda cache: cache.get_many(["key", "other"]),
    "put": lambda cache: cache.set("key", 1),
    "put_many": lambda cache: cache.set_many({"key": 1, "other": 2}),
    "delete": lambda cache: cache.delete("key"),
    "delete_many": lambda cache: cache.delete_many(["key", "other"]),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize(
    ("method", "answer", "told"),
    [
        ("get", None, "get returned None: it must return Found or Absent"),
        ("get", b"bytes", "get returned a bytes: it must return Found or Absent"),
        ("get_many", None, "get_many returned None: it must return a dict with Found or Absent"),
        ("get_many", [], "get_many returned a list: it must return a dict"),
        ("put", None, "put returned None: it must return whether the item was stored"),
        ("put_many", None, "put_many returned None: it must return the set of the keys"),
        ("put_many", "key", "put_many returned a str: it must return the set of the keys"),
        ("delete", "yes", "delete returned a str: it must return whether the key was there"),
        ("delete_many", [1], "delete_many returned a list: it must return the number of keys"),
        ("clear", "all", "clear returned a str: it must return the number of keys"),
    ],
)
def test_law_1_a_wrong_answer_is_a_line_of_the_log_and_no_exception(
    method: str, answer: object, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TieredCache([MemoryTier(), Answering(tmp_path, method, answer)]) as cache:
        for _ in range(3):
            for call in CALLS.values():
                call(cache)
        assert cache.get_or_compute("computed", lambda: "value") == "value"
    lines = [each.getMessage() for each in caplog.records if told in each.getMessage()]
    assert len(lines) == 1


class Turning(WrappedTier[Any]):
    """A tier whose answers for many keys turn wrong."""

    def __init__(self, path: Path, found: object) -> None:
        super().__init__(patient_disk(path))
        self.offers = replace(self.offers, change_log=None, awaited=None)
        self.found = found
        self.is_wrong = False

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        return dict.fromkeys(keys, self.found) if self.is_wrong else super().get_many(keys)


@pytest.mark.parametrize("item", [None, 3, b""])
@pytest.mark.parametrize("kind", ["found", "itself"])
def test_law_1_a_wrong_answer_to_a_comparison_is_no_exception(
    item: Any, kind: str, tmp_path: Path, clock: FakeClock
) -> None:
    tier = Turning(tmp_path, Found(item, 1.0, 1) if kind == "found" else item)
    with TieredCache([MemoryTier(), tier], clock=clock) as cache:
        cache.set("key", "value")
        clock.advance(cache.staleness_bound)
        tier.is_wrong = True
        assert cache.get("key") == "value", "from the tier itself"
        clock.advance(cache.staleness_bound)
        assert cache.get_many(["key"]) == {}


def test_usable_answers_of_other_types_are_used(tmp_path: Path) -> None:
    inner = patient_disk(tmp_path)
    tier = WrappedTier(inner)
    vars(tier)["put"] = lambda key, put: int(inner.put(key, put))
    vars(tier)["put_many"] = lambda puts: frozenset(inner.put_many(puts))
    with TieredCache([tier]) as cache:
        assert cache.set("key", 1)
        assert all(cache.set_many({"a": 1, "b": 2}).values())
        assert cache.get_many(["key", "a", "b"]) == {"key": 1, "a": 1, "b": 2}


def test_a_store_need_not_know_how_much_it_removed(tmp_path: Path) -> None:
    inner = patient_disk(tmp_path)
    tier: Any = WrappedTier(inner)
    tier.offers = replace(inner.offers, steps=None)
    for method in ("delete", "delete_many", "clear"):

        def forget(*args: Any, method: str = method) -> None:
            getattr(inner, method)(*args)

        setattr(tier, method, forget)
    with TieredCache([MemoryTier(), tier]) as cache:
        removals: list[Callable[[], int]] = [
            lambda: cache.delete("key"),
            lambda: cache.delete_many(["key", "other"]),
            lambda: cache.clear(),
            lambda: cache.clear(lambda *_: None),
        ]
        for remove in removals:
            cache.set("key", 1)
            assert int(remove()) == 1, "which memory knows"
            assert cache.get("key") is None
    with TieredCache([WrappedTier(tier)]) as cache:
        cache.set("key", 1)
        assert cache.delete("key") is False
        assert cache.clear() == 0


class Slow(NullTier):
    """A tier whose requests meet at a barrier."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self.meeting = threading.Barrier(parties)
        self.calls: list[str] = []
        self.fails = ""

    def _request(self, key: str) -> None:
        self.calls.append(key)
        if key == self.fails:
            raise TierUnavailableError("gone", tier=self.name)
        if not self.fails:
            self.meeting.wait(30)

    def get(self, key: str) -> Absent:
        self._request(key)
        return Absent(key)

    def put(self, key: str, put: Put[Any]) -> bool:
        self._request(key)
        if key == "key 1":
            raise RecordRefusedError("no", tier=self.name, operation="put", key=key)
        return key != "key 2"

    def delete(self, key: str) -> bool:
        self._request(key)
        return key != "key 2"


def test_many_keys_are_asked_for_in_parallel() -> None:
    keys = [f"key {number}" for number in range(8)]
    tier, many = Slow(4), InParallel(4)
    assert many.get_many(tier, keys) == {key: Absent(key) for key in keys}
    puts: dict[str, Put[Any]] = {key: Put(b"", 1.0) for key in keys}
    assert many.put_many(tier, puts) == {*keys} - {"key 1", "key 2"}
    assert many.delete_many(tier, keys) == 7
    assert many.get_many(tier, []) == {}
    assert sorted(tier.calls) == sorted(keys * 3)
    one = Slow(1)
    assert InParallel(1).delete_many(one, keys) == 7
    assert one.calls == keys


def test_the_first_fault_ends_the_requests() -> None:
    tier = Slow(1)
    tier.fails = "key 3"
    with pytest.raises(TierUnavailableError, match="gone"):
        InParallel(2).get_many(tier, [f"key {number}" for number in range(1000)])
    assert len(tier.calls) < 1000
    for wrong in (0, True, 2.0):
        n: Any = wrong
        with pytest.raises(ConfigurationError, match="a whole number of at least 1"):
            InParallel(n)


class Swept(WrappedTier[Any]):
    """A tier that counts its sweeps."""

    def __init__(self, path: Path, sweeps: list[float], **offers: Any) -> None:
        super().__init__(patient_disk(path))
        self.offers = replace(self.offers, sweep=sweeps.append, **offers)


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[Callable[..., list[Sweeper]]]:
    caches: list[TieredCache] = []

    def make(sweeps: list[float], **offers: Any) -> list[Sweeper]:
        for _ in range(4):
            tiers = [MemoryTier(), Swept(tmp_path, sweeps, **offers)]
            caches.append(TieredCache(tiers))
        return [Sweeper(cache._source.core().stack) for cache in caches]

    yield make
    for cache in caches:
        cache.close()


def test_one_process_of_many_sweeps_once(stacks: Callable[..., list[Sweeper]]) -> None:
    sweeps: list[float] = []
    sweepers = stacks(sweeps)

    def sweep(number: int) -> None:
        for _ in range(3):
            each = sweepers[number]
            each.sweep(each._levels[0])

    race(4, sweep)
    assert len(sweeps) == 1
    assert sweeps[0] == pytest.approx(10.0)


def test_a_shared_tier_without_leases_is_not_swept(stacks: Callable[..., list[Sweeper]]) -> None:
    sweeps: list[float] = []
    for each in stacks(sweeps, leases=None):
        assert not each.sweep(each._levels[0])
    assert sweeps == []


@pytest.mark.parametrize("strict", [False, True])
def test_law_1_a_sweep_in_the_background_fails_without_a_trace(
    strict: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweeper, "_FIRST_S", 0.0)
    monkeypatch.setattr(sweeper, "_INTERVAL_S", 0.001)
    begun: Sequence[float] = []

    class Own(NullTier):
        def __init__(self) -> None:
            super().__init__()
            self.offers = replace(self.offers, sweep=self._sweep)

        def _sweep(self, deadline_s: float) -> None:
            begun.append(deadline_s)  # type: ignore[attr-defined] # a list
            raise TierUnavailableError("gone", tier=self.name)

    assert Own.reach is Reach.PROCESS
    with TieredCache([MemoryTier(), Own()], strict=strict, failures_to_open=100):
        wait_until(lambda: len(begun) >= 3, "it is swept again and again")
    assert any("sweep failed" in each.getMessage() for each in caplog.records)


def test_a_wrong_answer_about_a_lease_does_not_end_the_sweeping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweeper, "_FIRST_S", 0.0)
    monkeypatch.setattr(sweeper, "_INTERVAL_S", 0.001)
    asked: list[object] = []

    class Leases:
        def acquire(self, *args: object) -> None:
            asked.append(args)

    leases: Any = Leases()
    with TieredCache([MemoryTier(), Swept(tmp_path, [], leases=leases)]):
        wait_until(lambda: len(asked) >= 3, "it asks again and again")
    assert "can't be swept: AttributeError" in caplog.text


def test_the_awaited_face_knows_the_same_answers(tmp_path: Path) -> None:
    async def work() -> list[str]:
        async with AsyncTieredCache([MemoryTier(), Answering(tmp_path, "put", None)]) as cache:
            result = await cache.set("key", 1)
            return [each.outcome.value for each in result.tiers]

    assert asyncio.run(work()) == ["written", "failed"]
