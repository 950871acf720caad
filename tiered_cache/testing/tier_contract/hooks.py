"""The hooks of the suite: make a tier, write to it, read from it, let time pass."""

from __future__ import annotations

import itertools
import math
import os
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tiered_cache.contracts import ANY, Absent, Found, Put, Reach
from tiered_cache.contracts.adapted_tier import adapted
from tiered_cache.entry import TOKEN_BYTES, Entry
from tiered_cache.testing.fake_clock import FakeClock
from tiered_cache.testing.thread_race import race
from tiered_cache.testing.tier_context import ContextRecord, make_context
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tiered_cache.contracts import Tier

__all__ = ["TierContractBase"]

_AGE_S = 2.0

SHORT_S = 0.3
"""A lifetime short enough to wait for, if the tier keeps time by its own clock."""


class TierContractBase:
    """The hooks to override, and the helpers of the tests."""

    native_time: ClassVar[bool] = False
    """Whether the tier keeps time by a clock that the suite can't move, such as the store's."""

    clock: FakeClock
    namespace: str
    told: ContextRecord

    def make_tier(self, store: Any) -> Tier[Any]:
        """A new tier, not yet open. Override it.

        Args:
            store: The value of the fixture `store`. Each call makes another tier over it, like
                another process; a tier that lives in its process ignores it. Tests may share a
                store only as far as namespaces separate them.
        """
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> Any:
        """The store that the tiers of one test share. Override it for tiers that share one."""
        return None

    @pytest.fixture(autouse=True)
    def _life_of_a_test(self, store: Any) -> Iterator[None]:
        self._store = store
        self.clock = FakeClock()
        self.namespace = f"test-{uuid.uuid4().hex[:12]}"
        self._opened: list[Tier[Any]] = []
        self._namespaces: set[str] = set()
        yield
        for tier in self._opened:
            tier.close()
        if self._opened and self._opened[0].reach is not Reach.PROCESS:
            self._clean_up()

    @pytest.fixture
    def tier(self) -> Tier[Any]:
        """A tier that is open and empty."""
        return self.open_tier()

    def open_tier(self, namespace: str | None = None) -> Tier[Any]:
        """Open another tier, in `namespace` or in the namespace of the test."""
        namespace = namespace or self.namespace
        context, self.told = make_context(namespace, self.clock)
        tier = adapted(self.make_tier(self._store))
        tier.open(context)
        self._opened.append(tier)
        self._namespaces.add(namespace)
        return tier

    def _clean_up(self) -> None:
        """Remove the keys of this test from a store that others share."""
        for namespace in self._namespaces:
            tier = adapted(self.make_tier(self._store))
            tier.open(make_context(namespace, self.clock)[0])
            tier.clear()
            tier.close()

    def make_item(self, tier: Tier[Any], payload: bytes) -> Entry | bytes:
        """An item for `tier`. A record begins with 48 unique bytes."""
        if tier.holds_records:
            return b"\x00" + os.urandom(TOKEN_BYTES - 1) + payload
        return Entry(payload, created_s=self.clock.wall(), size_bytes=max(1, len(payload)))

    def put(
        self,
        tier: Tier[Any],
        key: str,
        payload: bytes = b"x",
        lifetime_s: float = math.inf,
        *,
        expected: object = ANY,
    ) -> bool:
        """Put an item with `payload`."""
        return tier.put(key, Put(self.make_item(tier, payload), lifetime_s, expected=expected))

    def clear_while_filling(self, filled: Tier[Any], cleared: Tier[Any]) -> None:
        """Fill keys of one tier with tokens from before a clear of the other, during that clear.

        Asserts that none is left.
        """
        there = [f"fill-there-{number:03}" for number in range(100)]
        filled.put_many({key: Put(self.make_item(filled, b"old"), math.inf) for key in there})
        keys = [f"fill-{number:02}" for number in range(40)]
        tokens = {key: answer.token for key, answer in filled.get_many(keys).items()}

        is_cleared = threading.Event()

        def fill_or_clear(number: int) -> None:
            if number == 0:
                try:
                    cleared.clear("fill-")
                finally:
                    is_cleared.set()
                return
            for key in itertools.cycle(keys):
                self.put(filled, key, b"late", expected=tokens[key])
                if is_cleared.is_set():
                    return

        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # so that the two threads take turns within a short clear
        try:
            race(2, fill_or_clear)
        finally:
            sys.setswitchinterval(interval_s)
        self.check_scan(cleared, [], prefix="fill-")

    @staticmethod
    def check_scan(tier: Tier[Any], keys: Collection[str], prefix: str = "") -> None:
        """Assert that a scan gives `keys`, or some of them if the tier can't list its keys."""
        found = list(tier.scan(prefix))
        if tier.offers.exact_scan:
            assert sorted(found) == sorted(keys)
        else:
            assert set(found) <= set(keys)
            assert len(found) == len(set(found)), "each key is given once"

    def read(self, tier: Tier[Any], key: str) -> bytes | None:
        """The payload of `key` in `tier`; `None` if it is absent."""
        return self.payload(tier.get(key))

    @staticmethod
    def payload(answer: Found[Any] | Absent) -> bytes | None:
        """The payload of an answer; `None` if it is absent."""
        if isinstance(answer, Absent):
            return None
        assert isinstance(answer, Found), f"a tier answers Found or Absent, not {answer!r}"
        if isinstance(answer.item, Entry):
            assert isinstance(answer.item.value, bytes)
            return answer.item.value
        assert type(answer.item) is bytes
        return answer.item[TOKEN_BYTES:]

    def age(self, tier: Tier[Any], seconds: float) -> None:
        """Let seconds pass by the tier's clock, to see that it remembers.

        Override it for a tier with `native_time` over a store whose clock can be moved. By default
        two seconds pass by such a clock, and not more.
        """
        self.outlive(tier, min(seconds, _AGE_S) if self.native_time else seconds)

    def outlive(self, tier: Tier[Any], lifetime_s: float) -> None:
        """Let `lifetime_s` seconds pass by the tier's clock."""
        if not self.native_time:
            self.clock.advance(lifetime_s + 0.001)
            return
        self.put(tier, "outlive", lifetime_s=lifetime_s)
        wait_until(
            lambda: self.read(tier, "outlive") is None,
            f"a record with {lifetime_s:g} s to live is gone",
            lifetime_s + 10.0,
        )
