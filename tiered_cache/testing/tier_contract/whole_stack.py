"""The tier under a real cache, in processes that share its store."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import importlib
import multiprocessing
import random
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

    from tiered_cache.contracts import Tier

__all__ = ["StackContract"]

_PROCESSES = 4
_STEPS = 150
_KEYS = tuple(f"key {number}" for number in range(4))
_BOUND_S = 0.1
_WAIT_S = 60.0


class StackContract:
    """The promises of a cache over the tier, in four spawned processes; a pytest class to subclass.

    Override `store` and `make_tier`. The class must be at the top level of its module, and the store
    must be picklable, such as an address or a path::

        class TestMyTierInAStack(StackContract):
            @pytest.fixture
            def store(self, tmp_path):
                return tmp_path

            def make_tier(self, store):
                return MyTier(store)

    Each process has a memory tier above its own tier over the store. They set, delete and compute the
    same keys. Nothing of another key may be served, and within the staleness bound all must be served
    the same. Where the tier has leases, one process of all computes a missing key.
    """

    @pytest.fixture
    def store(self) -> Any:
        """The store that the processes share. Override it."""
        raise NotImplementedError

    def make_tier(self, store: Any) -> Tier[Any]:
        """A new tier over the store, not yet open. Override it. Called in each process."""
        raise NotImplementedError

    def test_processes_are_served_the_same_within_the_bound(self, store: Any) -> None:
        found = self._in_processes(_use, store)
        if self.make_tier(store).offers.compare_and_set:
            assert all(each == found[0] for each in found), found
        for each in found:
            assert all(value.startswith(f"{key}/") for key, value in each.items())

    def test_one_process_computes_a_missing_key(self, store: Any) -> None:
        computed = self._in_processes(_compute, store)
        if self.make_tier(store).offers.leases is not None:
            assert sum(computed) == len(_KEYS), f"computed {computed} times"
        else:
            assert sum(computed) >= len(_KEYS)

    def _in_processes(self, work: Callable[[Any, Barrier, int], Any], store: Any) -> list[Any]:
        """The results of `work` in four processes; their keys are removed."""
        context = multiprocessing.get_context("spawn")
        namespace = f"test-{uuid.uuid4().hex[:12]}"
        results: SimpleQueue[tuple[int, Any]] = context.SimpleQueue()
        barrier = context.Barrier(_PROCESSES)
        processes = [
            context.Process(
                target=_run,
                args=(type(self), store, namespace, work, barrier, number, results),
                daemon=True,
            )
            for number in range(_PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(_WAIT_S)
        codes = [process.exitcode for process in processes]
        assert codes == [0] * _PROCESSES, f"the processes ended with {codes}: see their output"
        found = dict(results.get() for _ in processes)
        with _open(type(self), store, namespace) as cache:
            cache.clear()
        return [found[number] for number in range(_PROCESSES)]


def _open(contract: type[StackContract], store: Any, namespace: str) -> Any:
    # By name: the suites stand below the cache in the order of imports, and only this one needs it.
    package = importlib.import_module("tiered_cache")
    tiers = [package.MemoryTier(), contract().make_tier(store)]
    coherence = package.Coherence(bound=_BOUND_S)
    return package.TieredCache(tiers, namespace=namespace, coherence=coherence)


def _run(
    contract: type[StackContract],
    store: Any,
    namespace: str,
    work: Callable[[Any, Barrier, int], Any],
    barrier: Barrier,
    number: int,
    results: SimpleQueue[tuple[int, Any]],
) -> None:
    with _open(contract, store, namespace) as cache:
        barrier.wait(_WAIT_S)
        result = work(cache, barrier, number)
        results.put((number, result))
        barrier.wait(_WAIT_S)


def _use(cache: Any, barrier: Barrier, number: int) -> dict[str, str]:
    """Change and read the keys, then read them until the bound is over."""
    chance = random.Random(number)  # noqa: S311 - repeatable on purpose
    for step in range(_STEPS):
        key = chance.choice(_KEYS)
        value = f"{key}/{number}/{step}"
        action = chance.randrange(5)
        if action == 0:
            cache.set(key, value)
        elif action == 1:
            cache.delete(key)
        else:
            found = cache.get_or_compute(key, value.strip)
            assert found.startswith(f"{key}/"), f"{found!r} was served for {key!r}"
    barrier.wait(_WAIT_S)
    end_s = time.monotonic() + cache.staleness_bound
    while time.monotonic() < end_s:
        cache.get_many(_KEYS)
    served: dict[str, str] = cache.get_many(_KEYS)
    return served


def _compute(cache: Any, barrier: Barrier, number: int) -> int:
    """Compute each key together with the other processes; how often this one did."""
    computed: list[str] = []

    def compute() -> str:
        computed.append("")
        end_s = time.monotonic() + 0.1
        while time.monotonic() < end_s:
            pass
        return f"{number}"

    for key in _KEYS:
        barrier.wait(_WAIT_S)
        cache.get_or_compute(f"missing {key}", compute)
    return len(computed)
