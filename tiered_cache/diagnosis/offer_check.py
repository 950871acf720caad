"""The check of the offers of a shared tier: each one that is missing, and its consequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.diagnosis.check_result import advise, ok

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["check_offers"]

_CONSEQUENCES = {
    "compare-and-set": "no compare-and-set: it gets no computed values, and tags need one below it",
    "leases": "no leases: other processes that miss a key at the same time compute it too",
    "change log": "no change log: copies above it are compared with it once in each bound",
    "board": "no board: it carries no statistics between processes",
    "exact scan": "its keys can't be listed: `keys`, patterns and prefixes may miss some",
    "durable": "not durable: its values may not survive its server",
}


def check_offers(tier: Tier[Any]) -> CheckResult:
    """Whether a tier offers all that a shared tier can."""
    offers = tier.offers
    has = {
        "compare-and-set": offers.compare_and_set,
        "leases": offers.leases is not None,
        "change log": offers.change_log is not None,
        "board": offers.board is not None,
        "exact scan": offers.exact_scan,
        "durable": offers.durable,
    }
    missing = [_CONSEQUENCES[name] for name, offered in has.items() if not offered]
    if missing:
        return advise(
            "; ".join(missing),
            "choose a tier that offers it if that matters here; to add it to a tier of your own, "
            "see 'Write a tier' in the documentation",
        )
    return ok(", ".join(has))
