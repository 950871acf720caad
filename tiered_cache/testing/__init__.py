"""What you need to test your own tiers, policies, and code that uses a cache.

The conformance suites are pytest classes: subclass one in a test module, say how to make what it
is to check, and run pytest. Names are imported when they are first used, so that whoever wants a
clock needs no pytest.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiered_cache.testing.cachetools_contract import CachetoolsContract
    from tiered_cache.testing.chaos import ChaosProxy
    from tiered_cache.testing.clock import FakeClock
    from tiered_cache.testing.contexts import ContextRecord, make_context
    from tiered_cache.testing.eviction_contract import EvictionContract
    from tiered_cache.testing.forks import in_forked_child
    from tiered_cache.testing.freshness_contracts import (
        ExpiryContract,
        RefreshContract,
        StatisticsContract,
    )
    from tiered_cache.testing.lock_free_contract import LockFreeReadsContract
    from tiered_cache.testing.policy_contracts import (
        AdmissionContract,
        PromotionContract,
        WritingContract,
    )
    from tiered_cache.testing.threads import race
    from tiered_cache.testing.tier_contract import TierContract
    from tiered_cache.testing.valkey import ValkeyServer
    from tiered_cache.testing.valkey_cluster import ValkeyCluster
    from tiered_cache.testing.waiting import wait_until

__all__ = [
    "AdmissionContract",
    "CachetoolsContract",
    "ChaosProxy",
    "ContextRecord",
    "EvictionContract",
    "ExpiryContract",
    "FakeClock",
    "LockFreeReadsContract",
    "PromotionContract",
    "RefreshContract",
    "StatisticsContract",
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
    "AdmissionContract": "policy_contracts",
    "CachetoolsContract": "cachetools_contract",
    "ChaosProxy": "chaos",
    "ContextRecord": "contexts",
    "EvictionContract": "eviction_contract",
    "ExpiryContract": "freshness_contracts",
    "FakeClock": "clock",
    "LockFreeReadsContract": "lock_free_contract",
    "PromotionContract": "policy_contracts",
    "RefreshContract": "freshness_contracts",
    "StatisticsContract": "freshness_contracts",
    "TierContract": "tier_contract",
    "ValkeyCluster": "valkey_cluster",
    "ValkeyServer": "valkey",
    "WritingContract": "policy_contracts",
    "in_forked_child": "forks",
    "make_context": "contexts",
    "race": "threads",
    "wait_until": "waiting",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = f"{__name__}.{_MODULES[name]}"
    if module not in sys.modules and _MODULES[name].endswith(("_contract", "_contracts")):
        import pytest

        # Without it a failed assertion of a suite would not say what it compared.
        pytest.register_assert_rewrite(module)
    found = getattr(importlib.import_module(module), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
