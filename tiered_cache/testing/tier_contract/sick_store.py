"""Sick stores: each call ends within its deadline, with an error that the engine knows."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
import os
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tiered_cache.contracts import ANY, Found, Put
from tiered_cache.entry import TOKEN_BYTES
from tiered_cache.errors import (
    RecordError,
    RecordRefusedError,
    TierTimeoutError,
    TierUnavailableError,
)
from tiered_cache.testing.chaos_proxy import ChaosProxy
from tiered_cache.testing.fake_clock import FakeClock
from tiered_cache.testing.tier_context import make_context
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import Tier

__all__ = ["SickStoreContract"]

_ERRORS = (TierUnavailableError, TierTimeoutError, RecordRefusedError, RecordError)
_GRACE_S = 2.0
"""For a machine that is busy with other things."""

_LONGEST_ANSWER = 4096
_WHOLE_ANSWERS = 3

_OLD = b"old"


def _check(answer: object) -> None:
    """Assert that an answer for the key `key` is the record that the tests put there, or none."""
    if isinstance(answer, Found):
        assert answer.item[TOKEN_BYTES:] in (_OLD, b"x"), "the answer is that of another key"


_CALLS: dict[str, Callable[[Tier[Any]], object]] = {
    "get": lambda tier: _check(tier.get("key")),
    "get_many": lambda tier: _check(tier.get_many(["key", "other"])["key"]),
    "put": lambda tier: tier.put("key", Put(_record(b"x"), math.inf, ANY)),
    "put_many": lambda tier: tier.put_many({"key": Put(_record(b"x"), math.inf, ANY)}),
    "delete": lambda tier: tier.delete("key"),
    "delete_many": lambda tier: tier.delete_many(["key", "other"]),
    "clear": lambda tier: tier.clear("other"),
    "scan": lambda tier: list(tier.scan()),
}


def _record(payload: bytes) -> bytes:
    return b"\x00" + os.urandom(TOKEN_BYTES - 1) + payload


class SickStoreContract:
    """The promises of a tier over a server that is away, silent or mad, as a pytest class to subclass.

    Override `server` and `make_tier`, state the deadline, and run pytest::

        class TestMyTierIsSick(SickStoreContract):
            deadline_s = 1.0

            @pytest.fixture
            def server(self):  # a healthy server
                return "127.0.0.1:7000"

            def make_tier(self, address):
                return MyTier(address, timeout="1s")

    The tier talks to the server through a proxy that refuses, is silent, answers garbage, dribbles, or
    cuts the connection at each byte of an answer. Each call must end within the deadline, and raise
    nothing but `TierUnavailableError`, `TierTimeoutError`, `RecordRefusedError` or `RecordError`.
    Right afterwards the tier must work again, and take no answer for that of another question.
    """

    deadline_s: ClassVar[float]
    """The longest duration of one call, in seconds, connecting included."""

    @pytest.fixture
    def server(self) -> str:
        """The address of a healthy server: `host:port` or a URL. Override it."""
        raise NotImplementedError

    def make_tier(self, address: str) -> Tier[Any]:
        """A new tier, not yet open, of the server at an address in the form of `server`."""
        raise NotImplementedError

    @pytest.fixture
    def proxy(self, server: str) -> Iterator[ChaosProxy]:
        """The proxy in front of the server."""
        with ChaosProxy(server if "://" in server else f"tcp://{server}") as proxy:
            yield proxy

    @pytest.fixture
    def tier(self, server: str, proxy: ChaosProxy) -> Iterator[Tier[Any]]:
        """A tier that is open, empty and healthy."""
        tier = self.make_tier(proxy.url if "://" in server else f"127.0.0.1:{proxy.port}")
        self._namespace = f"test-{uuid.uuid4().hex[:12]}"
        tier.open(make_context(self._namespace, FakeClock())[0])
        yield tier
        proxy.forward()
        wait_until(lambda: self._ends_well(tier.clear), "the tier is cleared")
        tier.close()

    @pytest.mark.parametrize("fault", ["refuse", "blackhole", "garbage", "dribble"])
    @pytest.mark.parametrize("call", _CALLS)
    def test_a_call_of_a_sick_store_ends_in_time_and_the_tier_recovers(
        self, call: str, fault: str, tier: Tier[Any], proxy: ChaosProxy
    ) -> None:
        tier.put("key", Put(_record(_OLD), math.inf))
        tier.put("healthy", Put(_record(b"healthy"), math.inf))
        assert self._payload(tier, "healthy") == b"healthy"
        self._make_sick(proxy, fault)
        for _ in range(3):
            self._ends_in_time(lambda: _CALLS[call](tier))
        proxy.forward()
        wait_until(
            lambda: self._payload(tier, "healthy") == b"healthy",
            "the tier works again",
            self.deadline_s + _GRACE_S,
        )
        assert tier.put("key", Put(_record(b"after"), math.inf)) is True
        assert self._payload(tier, "key") == b"after"

    @pytest.mark.parametrize("fault", ["refuse", "blackhole", "garbage"])
    def test_a_tier_opens_late_or_is_unavailable(
        self, fault: str, server: str, proxy: ChaosProxy
    ) -> None:
        self._make_sick(proxy, fault)
        address = proxy.url if "://" in server else f"127.0.0.1:{proxy.port}"
        tier = self.make_tier(address)
        context = make_context(f"test-{uuid.uuid4().hex[:12]}", FakeClock())[0]
        if self._ends_in_time(lambda: tier.open(context)):
            self._ends_in_time(lambda: tier.get("key"))
            proxy.forward()
        else:
            proxy.forward()
            tier.open(context)  # again, as the engine does
        wait_until(
            lambda: self._ends_well(lambda: tier.put("key", Put(_record(b"x"), math.inf))),
            "the tier works once the store does",
            self.deadline_s + _GRACE_S,
        )
        assert self._payload(tier, "key") == b"x"
        tier.clear()
        tier.close()

    @pytest.mark.parametrize("call", ["get", "get_many", "put", "delete"])
    def test_an_answer_may_be_cut_at_each_byte(
        self, call: str, tier: Tier[Any], proxy: ChaosProxy
    ) -> None:
        allowed = {"get": {_OLD}, "get_many": {_OLD}, "put": {_OLD, b"x"}}
        whole = 0
        for length in range(_LONGEST_ANSWER):
            tier.put("key", Put(_record(_OLD), math.inf))
            proxy.cut(length)
            ended_well = self._ends_in_time(lambda: _CALLS[call](tier))
            proxy.forward()
            wait_until(
                lambda: self._ends_well(lambda: tier.get("other")),
                "the tier works again",
                self.deadline_s + _GRACE_S,
            )
            assert self._payload(tier, "key") in allowed.get(call, {_OLD, None})
            whole = whole + 1 if ended_well else 0
            if whole == _WHOLE_ANSWERS:
                return
        msg = f"the answer to {call} is longer than {_LONGEST_ANSWER} bytes, or the call never succeeds"
        raise AssertionError(msg)

    @staticmethod
    def _make_sick(proxy: ChaosProxy, fault: str) -> None:
        if fault == "dribble":
            proxy.dribble(0.3)
        else:
            getattr(proxy, fault)()

    def _ends_in_time(self, call: Callable[[], object]) -> bool:
        """Whether a call succeeds; asserts that it ends within the deadline, with a known error."""
        started = time.monotonic()
        succeeded = self._ends_well(call)
        seconds = time.monotonic() - started
        assert seconds <= self.deadline_s + _GRACE_S, (
            f"the call took {seconds:.1f} s, and the deadline is {self.deadline_s:g} s"
        )
        return succeeded

    @staticmethod
    def _ends_well(call: Callable[[], object]) -> bool:
        """Whether a call succeeds; any error that the engine does not know is raised."""
        try:
            call()
        except _ERRORS:
            return False
        except AssertionError:
            raise
        except Exception as error:
            msg = (
                f"the call raised {type(error).__name__}: {error}. Of a sick store a tier raises "
                "TierUnavailableError, TierTimeoutError, RecordRefusedError or RecordError"
            )
            raise AssertionError(msg) from error
        return True

    @staticmethod
    def _payload(tier: Tier[Any], key: str) -> bytes | None:
        try:
            found = tier.get(key)
        except _ERRORS:
            return None
        if not isinstance(found, Found):
            return None
        assert type(found.item) is bytes
        return found.item[TOKEN_BYTES:]
