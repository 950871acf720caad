"""The contract of expiry policies."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

__all__ = ["ExpiryPolicy", "NewValue"]


class NewValue(NamedTuple):
    """A value that is about to be stored.

    Attributes:
        key: The key.
        value: The value.
        lifetime_s: Its lifetime in seconds, from the caller or from the policy before this one.
        cost_s: The seconds that computing it took, 0.0 if they were not measured.
        now_s: The wall clock, in seconds since 1970-01-01T00:00Z.
    """

    key: str
    value: Any
    lifetime_s: float
    cost_s: float
    now_s: float


@runtime_checkable
class ExpiryPolicy(Protocol):
    """Decides how long a new value is fresh.

    The engine guarantees: it calls `lifetime_s` once for each value that is set or computed. It
    calls several policies in the order in which the cache names them, each with the lifetime of the
    one before. The implementer must answer from the arguments, with more than 0.0, or `inf` for no
    limit, and must not raise.
    """

    def lifetime_s(self, new: NewValue) -> float:
        """Seconds for which `new` is fresh."""
        ...
