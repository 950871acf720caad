"""Options of a cache with several parts: single flight and coherence."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError
from tiered_cache.units import Duration, parse_duration, parse_lifetime

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Coherence", "OnTimeout", "Scope", "SingleFlight", "WhenCut"]

_SHORTEST_BOUND_S = 0.05
_SHORTEST_LEASE_S = 0.01
_FOLLOWED_S = 2.0


class Scope(enum.IntEnum):
    """The callers that share one computation: those of a process, a host or a cluster of hosts."""

    THREAD = 0
    HOST = 1
    CLUSTER = 2

    @classmethod
    def of(cls, name: str) -> Scope:
        """The scope `name`.

        Raises:
            ConfigurationError: `name` is not `"thread"`, `"host"` or `"cluster"`.
        """
        try:
            return cls[name.upper()]
        except (KeyError, AttributeError):
            raise _unknown("scope", name, [each.name.lower() for each in cls]) from None


class OnTimeout(enum.StrEnum):
    """The reaction of a waiter to the timeout of another caller's computation."""

    COMPUTE = "compute"
    STALE = "stale"
    RAISE = "raise"


class SingleFlight:
    """The scope of shared computations, the lifetime of their leases, and the timeout of waiters.

    Args:
        scope: The callers that share a computation. `"thread"`: the threads and tasks of this
            process. `"host"`: also the processes that share a disk tier of this host. `"cluster"`:
            also the hosts that share a tier. A wider scope than the leases of the tiers reach is
            refused. By default it is as wide as they reach, and the log says how wide that is.
        lease: The lifetime of a lease, such as `"10s"`. A leader in another process or host counts as
            dead when its lease expires. It renews the lease three times in each lifetime.
        timeout: The longest wait for a leader; by default there is no limit.
        on_timeout: The waiter's reaction. `"compute"`: it computes the value as well. `"stale"`: it
            returns the stale value, and computes if there is none. `"raise"`: it raises
            `ComputationTimeoutError`. With `"stale"`, a caller that finds a stale value first waits
            for the fresh value; otherwise it returns the stale value at once.

    Immutable.

    Raises:
        ConfigurationError: `scope` or `on_timeout` has another value, or `lease` is shorter than
            10 ms or has no limit.
        InvalidDurationError: `timeout` or `lease` is not a duration of more than 0.
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
        self.scope: Scope | None = None if scope is None else Scope.of(scope)
        self.lease_s: float = parse_lifetime(lease, name="lease")
        if not _SHORTEST_LEASE_S <= self.lease_s < math.inf:
            msg = f"lease={lease!r} is out of range: expected at least 10 ms and an end, or a dead leader is never replaced; write '10s', for example"
            raise ConfigurationError(msg)
        self.timeout_s: float = parse_lifetime(timeout, name="timeout")
        try:
            self.on_timeout: OnTimeout = OnTimeout(on_timeout)
        except ValueError:
            raise _unknown("on_timeout", on_timeout, list(OnTimeout)) from None

    def __repr__(self) -> str:
        timeout = None if self.timeout_s == math.inf else self.timeout_s
        scope = None if self.scope is None else self.scope.name.lower()
        return (
            f"SingleFlight(scope={scope!r}, lease={self.lease_s:g}, "
            f"timeout={timeout!r}, on_timeout={self.on_timeout.value!r})"
        )


class WhenCut(enum.StrEnum):
    """The use of the tiers above a shared tier while its change log can't be read."""

    SKIP = "skip"
    SERVE = "serve"


class Coherence:
    """The staleness bound of a cache in tiers that it shares with other processes.

    A shared tier logs its changes, and the tiers above it hold copies. The copies are served only if
    the log was read to its end within `bound`. A thread reads the log as soon as it grows, so a
    change usually arrives within milliseconds. Where a shared tier keeps no log, a copy is served only
    if it was compared with the tier within `bound`.

    Args:
        bound: The longest time for which a value that was changed elsewhere is still served, such as
            `"2s"`; `None` if staleness does not matter. Logs are then followed as for `"2s"`, copies
            are served whether they could be read or not, and nothing is compared.
        when_cut: The use of the copies while the log can't be read, or the shared tier not be
            compared with, because Redis is away, for example. `"skip"`: they are not served, since they may be outdated. `"serve"`: they are
            served, however long the cut lasts. Afterwards the cache applies the changes that it
            missed.

    Immutable.

    Raises:
        ConfigurationError: `bound` is shorter than 50 ms or has no limit, or `when_cut` has another
            value.
        InvalidDurationError: `bound` is not a duration.
    """

    __slots__ = ("bound_s", "is_bounded", "when_cut")

    def __init__(self, *, bound: Duration | None = "2s", when_cut: str = "skip") -> None:
        self.is_bounded: bool = bound is not None
        self.bound_s: float = _FOLLOWED_S if bound is None else parse_duration(bound, name="bound")
        if not _SHORTEST_BOUND_S <= self.bound_s < math.inf:
            msg = f"bound={bound!r} is out of range: expected at least 50 ms and an end, or each lookup asks the shared tier; write '2s', for example"
            raise ConfigurationError(msg)
        try:
            self.when_cut: WhenCut = WhenCut(when_cut)
        except ValueError:
            raise _unknown("when_cut", when_cut, list(WhenCut)) from None

    @property
    def serves_when_cut(self) -> bool:
        """Whether copies are served that may be outdated for longer than the bound."""
        return not self.is_bounded or self.when_cut is WhenCut.SERVE

    def __repr__(self) -> str:
        bound = f"{self.bound_s:g}" if self.is_bounded else "None"
        return f"Coherence(bound={bound}, when_cut={self.when_cut.value!r})"


def _unknown(option: str, value: object, allowed: Sequence[str]) -> ConfigurationError:
    names = ", ".join([repr(str(each)) for each in allowed])
    return ConfigurationError(f"{option}={value!r} is unknown: write one of {names}")
