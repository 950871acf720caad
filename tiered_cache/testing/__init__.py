"""Tools to test tiers, policies and code that uses a cache. Any program may import them.

Import names from here; the modules below may move. The conformance suites are pytest classes: in a
test module, subclass one, override its factory method, and run pytest. A name is imported at its
first use, so that `FakeClock` needs no pytest.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiered_cache.testing.chaos_proxy import ChaosProxy
    from tiered_cache.testing.fake_clock import FakeClock
    from tiered_cache.testing.forked_child import in_forked_child
    from tiered_cache.testing.policy_contracts.admission_contract import AdmissionContract
    from tiered_cache.testing.policy_contracts.cachetools_contract import CachetoolsContract
    from tiered_cache.testing.policy_contracts.eviction_contract import EvictionContract
    from tiered_cache.testing.policy_contracts.expiry_contract import ExpiryContract
    from tiered_cache.testing.policy_contracts.lock_free_contract import LockFreeReadsContract
    from tiered_cache.testing.policy_contracts.promotion_contract import PromotionContract
    from tiered_cache.testing.policy_contracts.refresh_contract import RefreshContract
    from tiered_cache.testing.policy_contracts.statistics_contract import StatisticsContract
    from tiered_cache.testing.policy_contracts.writing_contract import WritingContract
    from tiered_cache.testing.thread_race import race
    from tiered_cache.testing.tier_context import ContextRecord, make_context
    from tiered_cache.testing.tier_contract import (
        BasicTierContract,
        BoardContract,
        ChangeLogContract,
        FenceContract,
        HeadsContract,
        LeaseContract,
        PlaceContract,
        SharedStoreContract,
        SickStoreContract,
        StackContract,
        StepsContract,
        TierContract,
    )
    from tiered_cache.testing.valkey import ValkeyServer
    from tiered_cache.testing.valkey_cluster import ValkeyCluster
    from tiered_cache.testing.wait import wait_until

__all__ = [
    "AdmissionContract",
    "BasicTierContract",
    "BoardContract",
    "CachetoolsContract",
    "ChangeLogContract",
    "ChaosProxy",
    "ContextRecord",
    "EvictionContract",
    "ExpiryContract",
    "FakeClock",
    "FenceContract",
    "HeadsContract",
    "LeaseContract",
    "LockFreeReadsContract",
    "PlaceContract",
    "PromotionContract",
    "RefreshContract",
    "SharedStoreContract",
    "SickStoreContract",
    "StackContract",
    "StatisticsContract",
    "StepsContract",
    "TierContract",
    "ValkeyCluster",
    "ValkeyServer",
    "WritingContract",
    "in_forked_child",
    "make_context",
    "race",
    "wait_until",
]

_MODULES = {
    "AdmissionContract": "policy_contracts.admission_contract",
    "BasicTierContract": "tier_contract",
    "BoardContract": "tier_contract",
    "CachetoolsContract": "policy_contracts.cachetools_contract",
    "ChangeLogContract": "tier_contract",
    "ChaosProxy": "chaos_proxy",
    "ContextRecord": "tier_context",
    "EvictionContract": "policy_contracts.eviction_contract",
    "ExpiryContract": "policy_contracts.expiry_contract",
    "FakeClock": "fake_clock",
    "FenceContract": "tier_contract",
    "HeadsContract": "tier_contract",
    "LeaseContract": "tier_contract",
    "LockFreeReadsContract": "policy_contracts.lock_free_contract",
    "PlaceContract": "tier_contract",
    "PromotionContract": "policy_contracts.promotion_contract",
    "RefreshContract": "policy_contracts.refresh_contract",
    "SharedStoreContract": "tier_contract",
    "SickStoreContract": "tier_contract",
    "StackContract": "tier_contract",
    "StatisticsContract": "policy_contracts.statistics_contract",
    "StepsContract": "tier_contract",
    "TierContract": "tier_contract",
    "ValkeyCluster": "valkey_cluster",
    "ValkeyServer": "valkey",
    "WritingContract": "policy_contracts.writing_contract",
    "in_forked_child": "forked_child",
    "make_context": "tier_context",
    "race": "thread_race",
    "wait_until": "wait",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = f"{__name__}.{_MODULES[name]}"
    if module not in sys.modules and module.endswith("_contract"):
        import pytest

        # Without the rewrite a failed assertion of a suite would not show the compared values.
        pytest.register_assert_rewrite(module)
    found = getattr(importlib.import_module(module), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
