"""Tiers from before contracts had numbers, adapted to contract 1 until release 0.3."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts.items import ItemT
from tiered_cache.contracts.offers import Offers
from tiered_cache.contracts.tier import Reach
from tiered_cache.contracts.tokenless_tier import TokenlessTier
from tiered_cache.contracts.wrapped_tier import WrappedTier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.contracts.items import Put
    from tiered_cache.contracts.tier import Tier, TierContext

__all__ = ["adapted"]

_log = logging.getLogger("tiered_cache")
_warned: set[type] = set()

_LEASES = ("acquire", "renew", "release", "wait")
_CHANGE_LOG = ("source", "read", "wait")
_BOARD = ("put", "read", "names", "swap", "remove")
_PLACES = ("place_in", "begin_place", "set_place")


def adapted(tier: Any) -> Tier[Any]:
    """`tier`, or an adapter around it if it has no `contract` or compares no tokens.

    Logs one warning for each class without a contract.
    """
    if hasattr(tier, "contract"):
        found: Tier[Any] = tier
        return found if found.offers.compare_and_set else TokenlessTier(found)
    kind: type[object] = tier.__class__
    if kind not in _warned:
        _warned.add(kind)
        _log.warning(
            "%s.%s names no contract and is adapted, which ends with release 0.3: inherit "
            "tiered_cache.contracts.BaseTier, and see 'Contract versions' in the documentation",
            kind.__module__,
            kind.__qualname__,
        )
    return _AdaptedTier(tier)


class _AdaptedTier(WrappedTier[ItemT]):
    """A tier whose `put` takes the fields of a `Put`, and whose abilities are attributes."""

    def __init__(self, inner: Any) -> None:
        self._old = self.inner = inner
        self.name = inner.name
        self.reach = inner.reach
        self.holds_records = inner.holds_records
        self.offers = _offers(inner)

    def put(self, key: str, put: Put[ItemT]) -> bool:
        """Store an item in the inner tier, by its own signature."""
        stored: bool = self._old.put(
            key, put.item, put.lifetime_s, expected=put.expected, fill=put.fill
        )
        return stored

    def open(self, context: TierContext) -> None:
        """Open the inner tier, which knows its journal's directory then."""
        super().open(context)
        directory = getattr(self._old, "journal_directory", None)
        if directory is not None and directory.name == context.namespace:
            self.offers = replace(self.offers, journal_directory=directory.parent)


def _offers(tier: Any) -> Offers:
    places = tier if _fits(tier, _PLACES) else None
    return Offers(
        durable=tier.reach > Reach.PROCESS,
        quick=getattr(tier, "is_quick", False) is True,
        leases=_ability(tier, "leases", _LEASES),
        change_log=_ability(tier, "log", _CHANGE_LOG),
        board=_ability(tier, "board", _BOARD),
        heads=_method(tier, "get_heads"),
        places=places,
        fence=_method(tier, "fence"),
        steps=_method(tier, "clear_in_steps"),
        awaited=_method(tier, "awaited"),
    )


def _fits(ability: object, names: Sequence[str]) -> bool:
    return all(hasattr(ability, name) for name in names)


def _ability(tier: object, name: str, needed: Sequence[str]) -> Any:
    """An attribute, if it has the methods; `log = logging.getLogger()` is no change log."""
    ability = getattr(tier, name, None)
    return ability if _fits(ability, needed) else None


def _method(tier: object, name: str) -> Any:
    method = getattr(tier, name, None)
    return method if callable(method) else None
