"""How far a cache may lag behind what others change in the tiers that it shares with them."""

from __future__ import annotations

import enum
import math

from tiered_cache.errors import ConfigurationError
from tiered_cache.units import Duration, parse_duration

__all__ = ["Coherence", "WhenCut"]

_SHORTEST_BOUND_S = 0.05


class WhenCut(enum.StrEnum):
    """What becomes of the tiers above a shared one while its changes can't be learned."""

    SKIP = "skip"
    SERVE = "serve"


class Coherence:
    """How a cache keeps up with what others change in the tiers that it shares with them.

    A tier that several processes share logs the changes in it. The tiers above it hold copies, which
    are served as long as the log was read within `bound`; a thread reads it as soon as something
    changes, so that as a rule a change arrives within milliseconds.

    Args:
        bound: The longest that a value is served which was changed elsewhere, such as `"2s"`.
        when_cut: While the log can't be read, because Redis is away, say: `"skip"` does not serve
            what the tiers above hold, which may be outdated; `"serve"` does, for as long as it
            takes. What was missed is caught up with afterwards.

    Immutable.

    Raises:
        ConfigurationError: `bound` is under 50 ms, or has no end; `when_cut` is neither.
    """

    __slots__ = ("bound_s", "when_cut")

    def __init__(self, *, bound: Duration = "2s", when_cut: str = "skip") -> None:
        self.bound_s = parse_duration(bound, name="bound")
        if not _SHORTEST_BOUND_S <= self.bound_s < math.inf:
            msg = f"bound={bound!r} must be at least 50 ms and have an end: each lookup would else ask the shared tier"
            raise ConfigurationError(msg)
        try:
            self.when_cut = WhenCut(when_cut)
        except ValueError:
            allowed = ", ".join([repr(each.value) for each in WhenCut])
            msg = f"when_cut={when_cut!r} must be one of {allowed}"
            raise ConfigurationError(msg) from None

    def __repr__(self) -> str:
        return f"Coherence(bound={self.bound_s:g}, when_cut={self.when_cut.value!r})"
