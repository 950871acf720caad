"""How callers that miss the same key together share one computation."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError
from tiered_cache.units import parse_lifetime

if TYPE_CHECKING:
    from tiered_cache.units import Duration

__all__ = ["OnTimeout", "SingleFlight"]


class OnTimeout(enum.StrEnum):
    """What a caller does who has waited long enough for another one's computation."""

    COMPUTE = "compute"
    STALE = "stale"
    RAISE = "raise"


class SingleFlight:
    """How long a caller waits for another one that computes the same key, and what it does then.

    Args:
        timeout: How long it waits; by default for as long as the other one computes.
        on_timeout: `"compute"` computes the value as well; `"stale"` takes the stale value, and
            computes only if there is none; `"raise"` raises `ComputationTimeoutError`. With
            `"stale"`, a caller who finds a stale value first waits for the fresh one, where others
            get the stale one at once.

    Immutable.

    Raises:
        ConfigurationError: `on_timeout` is none of these.
        InvalidDurationError: `timeout` is no duration of more than 0.
    """

    __slots__ = ("on_timeout", "timeout_s")

    def __init__(self, *, timeout: Duration | None = None, on_timeout: str = "compute") -> None:
        self.timeout_s = parse_lifetime(timeout, name="timeout")
        try:
            self.on_timeout = OnTimeout(on_timeout)
        except ValueError:
            allowed = ", ".join([repr(each.value) for each in OnTimeout])
            msg = f"on_timeout={on_timeout!r} must be one of {allowed}"
            raise ConfigurationError(msg) from None

    def __repr__(self) -> str:
        timeout = None if self.timeout_s == math.inf else self.timeout_s
        return f"SingleFlight(timeout={timeout!r}, on_timeout={self.on_timeout.value!r})"
