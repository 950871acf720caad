"""Options of a cache that have several parts: single flight and coherence."""

from __future__ import annotations

import enum
import math

from tiered_cache.errors import ConfigurationError
from tiered_cache.units import Duration, parse_duration, parse_lifetime

__all__ = ["Coherence", "OnTimeout", "Scope", "SingleFlight", "WhenCut"]

_SHORTEST_BOUND_S = 0.05
_SHORTEST_LEASE_S = 0.01


class Scope(enum.IntEnum):
    """Among whom one computes a key and the others wait."""

    THREAD = 0
    HOST = 1
    CLUSTER = 2

    @classmethod
    def of(cls, name: str) -> Scope:
        """The scope called `thread`, `host` or `cluster`; raises `ConfigurationError`."""
        try:
            return cls[name.upper()]
        except (KeyError, AttributeError):
            allowed = ", ".join([repr(each.name.lower()) for each in cls])
            msg = f"scope={name!r} must be one of {allowed}"
            raise ConfigurationError(msg) from None


class OnTimeout(enum.StrEnum):
    """What a caller does who has waited long enough for another one's computation."""

    COMPUTE = "compute"
    STALE = "stale"
    RAISE = "raise"


class SingleFlight:
    """Among whom one computes a key, how long the others wait, and what they do then.

    Args:
        scope: `"thread"`: the threads and tasks of this process. `"host"`: the processes that share
            a tier on this host's disk, too. `"cluster"`: the hosts that share a tier, too. By
            default as wide as the tiers reach; where no tier reaches that far, as far as they do.
        lease: How long after its last sign of life another process or host that computes a key is
            taken for dead, such as `"10s"`. It is renewed three times in that while.
        timeout: How long it waits; by default for as long as the other one computes.
        on_timeout: `"compute"` computes the value as well; `"stale"` takes the stale value, and
            computes only if there is none; `"raise"` raises `ComputationTimeoutError`. With
            `"stale"`, a caller who finds a stale value first waits for the fresh one, where others
            get the stale one at once.

    Immutable.

    Raises:
        ConfigurationError: `scope` or `on_timeout` is none of these, or `lease` under 10 ms.
        InvalidDurationError: `timeout` or `lease` is no duration of more than 0.
    """

    __slots__ = ("lease_s", "on_timeout", "scope", "timeout_s")

    def __init__(
        self,
        *,
        scope: str | None = None,
        lease: Duration = "10s",
        timeout: Duration | None = None,
        on_timeout: str = "compute",
    ) -> None:
        self.scope = Scope.CLUSTER if scope is None else Scope.of(scope)
        self.lease_s = parse_lifetime(lease, name="lease")
        if not _SHORTEST_LEASE_S <= self.lease_s < math.inf:
            msg = f"lease={lease!r} must be at least 10 ms and have an end, or a dead process is never replaced"
            raise ConfigurationError(msg)
        self.timeout_s = parse_lifetime(timeout, name="timeout")
        try:
            self.on_timeout = OnTimeout(on_timeout)
        except ValueError:
            allowed = ", ".join([repr(each.value) for each in OnTimeout])
            msg = f"on_timeout={on_timeout!r} must be one of {allowed}"
            raise ConfigurationError(msg) from None

    def __repr__(self) -> str:
        timeout = None if self.timeout_s == math.inf else self.timeout_s
        return (
            f"SingleFlight(scope={self.scope.name.lower()!r}, lease={self.lease_s:g}, "
            f"timeout={timeout!r}, on_timeout={self.on_timeout.value!r})"
        )


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
