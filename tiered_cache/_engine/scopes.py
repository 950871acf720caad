"""The scopes of shared computations that the tiers of a stack can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tiered_cache.contracts import Reach
from tiered_cache.errors import ConfigurationError
from tiered_cache.options import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.contracts import Offers

__all__ = ["check_scope", "scope_text"]

_SHARERS = {
    Reach.PROCESS: "the threads of this process",
    Reach.HOST: "the processes of this host",
    Reach.CLUSTER: "all hosts",
}
_OWN_TIERS = {Reach.HOST: "a DiskTier", Reach.CLUSTER: "a RedisTier"}


class _Shared(Protocol):
    """A tier, as far as its leases matter."""

    @property
    def name(self) -> str: ...

    @property
    def reach(self) -> Reach: ...

    @property
    def offers(self) -> Offers: ...


def check_scope(scope: Scope, tiers: Sequence[_Shared]) -> None:
    """Raise `ConfigurationError` unless the leases of some tier reach as far as `scope`."""
    reach = Reach(scope.value)
    if scope is Scope.THREAD or any(_has_leases(each) and each.reach is reach for each in tiers):
        return
    name = scope.name.lower()
    lacking = [each.name for each in tiers if each.reach is reach]
    if lacking:
        reason = f"tier {lacking[0]!r} offers no leases"
        remedy = "give it Offers(leases=CasLeases(tier))"
    else:
        reason = f"no tier is shared by {_SHARERS[reach]} and by no others"
        remedy = f"add {_OWN_TIERS[reach]}"
    widest = max([each.reach for each in tiers if _has_leases(each)], default=Reach.PROCESS)
    kept = Scope(widest.value).name.lower()
    msg = f"scope={name!r} can't be kept: {reason}; {remedy}, or write scope={kept!r}"
    raise ConfigurationError(msg)


def scope_text(tiers: Sequence[_Shared]) -> str:
    """For the log: how far shared computations reach, and why they reach no further."""
    widest = max([each.reach for each in tiers if _has_leases(each)], default=Reach.PROCESS)
    text = f"concurrent misses of a key share one computation among {_SHARERS[widest]}"
    lacking = [each.name for each in tiers if each.reach > widest]
    return f"{text}; tier {lacking[-1]!r} offers no leases for more" if lacking else text


def _has_leases(tier: _Shared) -> bool:
    return tier.offers.leases is not None
