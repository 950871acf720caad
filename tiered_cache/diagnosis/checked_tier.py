"""A tier of the settings, made for a diagnosis, and the values that the checks write to it."""

from __future__ import annotations

import math
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import ANY, Put, TierContext
from tiered_cache.contracts.adapted_tier import adapted
from tiered_cache.entry import Entry
from tiered_cache.keys import VIEW_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import Codec, Found, Tier

__all__ = ["TEST_LIFETIME_S", "VIEW", "CheckedTier", "unique_key"]

VIEW = "tiered-cache-doctor"
"""The view of all test keys. No key of a cache's own is in it."""

TEST_LIFETIME_S = 30.0
"""Lifetime of a test value, if the diagnosis is killed before it removes the value."""

_REMOVED_LIFETIME_S = 0.001


def unique_key() -> str:
    """A key for test values that no other process uses."""
    return f"{VIEW_SEPARATOR}{VIEW}{VIEW_SEPARATOR}{secrets.token_hex(8)}"


class CheckedTier:
    """A tier of the settings, and the codec of its stack.

    Args:
        make: Makes the tier; it is not opened yet.
        codec: The codec of the stack.
        namespace: The namespace of the stack.
    """

    def __init__(self, make: Callable[[], Tier[Any]], codec: Codec, namespace: str) -> None:
        self._make = make
        self._codec = codec
        self._namespace = namespace
        self.tier: Tier[Any] = adapted(make())

    def twin(self) -> CheckedTier:
        """A second tier of the same settings, as another process would have it."""
        return CheckedTier(self._make, self._codec, self._namespace)

    def open(self) -> None:
        """Open the tier, under an origin of its own in change logs."""
        origin = f"doctor:{secrets.token_hex(4)}"
        self.tier.open(
            TierContext(
                namespace=self._namespace,
                clock=SYSTEM_CLOCK,
                evicted=lambda _key, _size_bytes, _reason: None,
                fingerprint=self._codec.fingerprint,
                mutated=lambda _key: None,
                window_s=lambda _lifetime_s, _cost_s: 0.0,
                origin=lambda: origin,
                trusted_until=lambda: math.inf,
            )
        )

    def put(self, key: str, value: str) -> None:
        """Write a value without a condition, as a change."""
        self.tier.put(key, Put(self._item(key, value), TEST_LIFETIME_S))

    def fill(self, key: str, value: str, expected: object = ANY) -> bool:
        """Fill a value, as a computation does, and return whether the tier accepted it.

        Args:
            key: The key.
            value: The value.
            expected: The token that the tier must still have.
        """
        put = Put(self._item(key, value), TEST_LIFETIME_S, expected, fill=True)
        return self.tier.put(key, put)

    def value_of(self, key: str, found: Found[Any]) -> object:
        """The value of a hit."""
        if isinstance(found.item, bytes):
            return self._codec.decode(key, found.item).value
        return found.item.value

    @contextmanager
    def removing(self, key: str) -> Iterator[None]:
        """Remove `key` after the block, without a tombstone.

        A value with a lifetime of a millisecond takes its place, and expires.
        """
        try:
            yield
        finally:
            self.tier.put(key, Put(self._item(key, ""), _REMOVED_LIFETIME_S, fill=True))

    def _item(self, key: str, value: str) -> Entry | bytes:
        now_s = SYSTEM_CLOCK.wall()
        entry = Entry(value, created_s=now_s, fresh_until_s=now_s + TEST_LIFETIME_S)
        if not self.tier.holds_records:
            return entry
        return self._codec.encode(key, entry, self.tier.reach)
