"""Validators: how a lookup finds out whether a shared tier without a change log still holds a copy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.contracts import TOKEN_BYTES, UNKNOWN, Found, is_tombstone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Absent

__all__ = ["Validators"]

_MAX_KEYS = 100_000
_INSTANT_S = 2e-6
"""Records hold microseconds."""


class _Validator(NamedTuple):
    """The state of a key in the shared tier in which a copy of it is current.

    Attributes:
        created_s: The instant at which the value of the copy was written, which identifies the copy.
        token: The token of the key in the tier; `UNKNOWN` after a write, which returns none.
        record: The first bytes of its record there; empty if it has none.
        seen_s: The monotonic instant of the last comparison.
    """

    created_s: float
    token: object
    record: bytes
    seen_s: float


class Validators:
    """The validators of the copies above one shared tier, by key.

    A copy is current while the tier holds the record that it was made from, or while the key is
    unchanged there since a lookup found nothing and the value was computed. (Validators and their
    use are those of HTTP caches: RFC 9110, section 8.8.)

    Bounded: of more than 100,000 keys, the oldest are forgotten, and their copies read again.
    Thread-safe.

    Args:
        created_at: The instant at which the value of a record was written.
        bound_s: The longest that a copy is served without a comparison.
        monotonic: The clock.
    """

    def __init__(
        self,
        created_at: Callable[[bytes], float],
        bound_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._created_at = created_at
        self._bound_s = bound_s
        self.monotonic = monotonic
        self._lock = fork_safe_lock()
        self._by_key: dict[str, _Validator] = {}

    def note(
        self,
        key: str,
        created_s: float,
        *,
        token: object = UNKNOWN,
        record: bytes = b"",
        seen_s: float = -math.inf,
    ) -> None:
        """Note the state of the tier in which a copy is current.

        Args:
            key: The key.
            created_s: The instant at which the value of the copy was written.
            token: The token of the key in the tier, where it is known.
            record: The record in the tier, or its head; empty where it has none.
            seen_s: A monotonic instant before the tier was in that state.
        """
        with self._lock:
            known = self._by_key.pop(key, None)
            if known is not None and _is_same(known.created_s, created_s):
                seen_s = max(seen_s, known.seen_s)
            head = record[:TOKEN_BYTES]
            self._by_key[key] = _Validator(created_s, token, head, seen_s)
            if len(self._by_key) > _MAX_KEYS:
                del self._by_key[next(iter(self._by_key))]

    def wrote(self, key: str, item: object, seen_s: float) -> None:
        """Note a record that was written to the tier."""
        if isinstance(item, bytes) and not is_tombstone(item):
            self.note(key, self._created_at(item), record=item, seen_s=seen_s)

    def trusted_until(self, key: str, created_s: float) -> float:
        """The monotonic instant up to which a copy may be served without a comparison."""
        known = self._by_key.get(key)
        if known is None or not _is_same(known.created_s, created_s):
            return -math.inf
        return known.seen_s + self._bound_s

    def confirms(
        self,
        key: str,
        created_s: float,
        record: bytes | None,
        found: Found[bytes] | Absent,
        seen_s: float,
    ) -> bool:
        """Whether a copy is current, given the tier's answer; it is noted if so.

        Args:
            key: The key.
            created_s: The instant at which the value of the copy was written.
            record: The record of the copy; `None` for a copy that is a live entry.
            found: The tier's answer. The head of a record suffices.
            seen_s: A monotonic instant before the answer.
        """
        known = self._by_key.get(key)
        if known is None or not _is_same(known.created_s, created_s):
            known = _Validator(created_s, UNKNOWN, b"", seen_s)
        head = found.item[:TOKEN_BYTES] if isinstance(found, Found) else b""
        is_unchanged = known.token is not UNKNOWN and found.token == known.token
        of_copy = b"" if record is None else record[:TOKEN_BYTES]
        if not is_unchanged and not (head and head in (known.record, of_copy)):
            return False
        self.note(key, created_s, token=found.token, record=head, seen_s=seen_s)
        return True


def _is_same(created_s: float, other_s: float) -> bool:
    return abs(created_s - other_s) < _INSTANT_S
