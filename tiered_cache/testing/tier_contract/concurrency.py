"""Concurrency: threads, forks, namespaces, and repeated closing."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import operator
import random
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from tiered_cache.contracts import Reach
from tiered_cache.testing.forked_child import in_forked_child
from tiered_cache.testing.thread_race import race
from tiered_cache.testing.tier_contract.hooks import TierContractBase
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Tier

__all__ = ["ConcurrencyContract"]

_THREADS = 8
_TURNS = 150
_FORKS = 12
_TURNS_AT_A_FORK = 20


class _BusyThreads:
    """Three threads that call `work` some times after each `go_on`, and rest then.

    They rest so that the child of a fork, which happens while they work, need not compete with them
    for a store in which writers starve each other.
    """

    def __init__(self, work: Callable[[int], None]) -> None:
        self._work = work
        self._turns = [0] * 3
        self._permits = [threading.Semaphore(0) for _ in self._turns]
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(len(self._turns))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for permit in self._permits:
            permit.release()
        for thread in self._threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in self._threads)

    def _run(self, number: int) -> None:
        while True:
            self._permits[number].acquire()
            if self._done.is_set():
                return
            self._work(number)
            self._turns[number] += 1

    def go_on(self) -> None:
        """Let each thread work for some turns, and return after its first."""
        before = list(self._turns)
        for permit in self._permits:
            permit.release(_TURNS_AT_A_FORK)
        wait_until(lambda: all(map(operator.gt, self._turns, before)), "each thread uses the tier")


class ConcurrencyContract(TierContractBase):
    """The promises to other users of the tier."""

    def test_namespaces_are_apart(self) -> None:
        mine = self.open_tier(self.namespace)
        other = self.open_tier(self.namespace + "2")
        self.put(mine, "key", b"mine")
        self.put(other, "key", b"other")
        self.put(other, "only-other")
        assert self.read(mine, "key") == b"mine"
        self.check_scan(mine, ["key"])
        assert mine.delete("only-other") is not True
        assert mine.clear() in (1, None)
        assert self.read(other, "key") == b"other"
        self.check_scan(other, ["key", "only-other"])

    def test_law_12_threads_may_do_everything_at_once(self, tier: Tier[Any]) -> None:
        keys = [f"key-{number}" for number in range(12)]

        def work(number: int) -> None:
            rng = random.Random(number)  # noqa: S311 - a repeatable mixture
            for turn in range(_TURNS):
                self._one_operation(tier, rng.choice(keys), turn + number)
            self.put(tier, f"own-{number}", b"%d" % number)

        race(_THREADS, work)
        for number in range(_THREADS):
            assert self.read(tier, f"own-{number}") == b"%d" % number
        assert set(tier.scan()) <= {*keys, *(f"own-{number}" for number in range(_THREADS))}

    def _one_operation(self, tier: Tier[Any], key: str, choice: int) -> None:
        match choice % 6:
            case 0:
                self.put(tier, key, key.encode())
            case 1:
                self.put(tier, key, key.encode(), expected=tier.get(key).token)
            case 2:
                tier.delete(key)
            case 3:
                for each, answer in tier.get_many([key, "own-0"]).items():
                    wanted = b"0" if each == "own-0" else each.encode()
                    assert self.payload(answer) in (None, wanted)
            case 4:
                assert all(found.startswith(key) for found in tier.scan(key))
            case _:
                assert self.read(tier, key) in (None, key.encode())

    def test_law_12_a_child_forked_from_a_busy_parent_can_use_it(self, tier: Tier[Any]) -> None:
        for number in range(500):
            self.put(tier, f"parents-{number}", b"parents")
        with _BusyThreads(lambda number: self._keep_busy(tier, number)) as threads:
            for number in range(_FORKS):
                threads.go_on()
                answer = in_forked_child(partial(self._use_in_child, tier, number))
                assert answer == [True, True, True, True]
        shared = tier.reach is not Reach.PROCESS
        assert self.read(tier, "childs-0") == (b"childs" if shared else None)
        assert self.put(tier, "parents-0", b"again")
        assert self.read(tier, "parents-0") == b"again"

    def _keep_busy(self, tier: Tier[Any], number: int) -> None:
        if number == 0:  # so that a fork meets a tier that holds a lock while it scans
            list(tier.scan("parents-"))
            return
        self.put(tier, f"busy-{number}", b"x" * 40_000)
        tier.get(f"busy-{number}")
        tier.delete(f"busy-{number}")

    def _use_in_child(self, tier: Tier[Any], number: int) -> list[bool]:
        found = self.read(tier, f"parents-{number}") == b"parents"
        stored = self.put(tier, f"childs-{number}", b"childs")
        read = self.read(tier, f"childs-{number}") == b"childs"
        return [found, stored, read, tier.delete(f"parents-{number}") is not False]

    def test_it_can_be_closed_twice(self) -> None:
        tier = self.open_tier()
        self.put(tier, "key")
        tier.close()
        tier.close()
