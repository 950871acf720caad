"""The conformance suite of tiers. Programs import `TierContract` from `tiered_cache.testing`.

Each module checks one promise of `tiered_cache.contracts`.
"""

from __future__ import annotations

from tiered_cache.testing.tier_contract.concurrency import ConcurrencyContract
from tiered_cache.testing.tier_contract.key_strings import KeyContract
from tiered_cache.testing.tier_contract.lease_holders import LeaseContract
from tiered_cache.testing.tier_contract.lifetimes import LifetimeContract
from tiered_cache.testing.tier_contract.log_places import PlaceContract
from tiered_cache.testing.tier_contract.logged_changes import ChangeLogContract
from tiered_cache.testing.tier_contract.notices import BoardContract
from tiered_cache.testing.tier_contract.storage import StorageContract
from tiered_cache.testing.tier_contract.tokens import TokenContract

__all__ = ["TierContract"]


class TierContract(
    StorageContract,
    TokenContract,
    LifetimeContract,
    KeyContract,
    ConcurrencyContract,
    LeaseContract,
    ChangeLogContract,
    PlaceContract,
    BoardContract,
):
    """The promises of `tiered_cache.contracts.Tier`, as a pytest class to subclass.

    Override `make_tier`, and run pytest::

        class TestMyTier(TierContract):
            @pytest.fixture
            def store(self, tmp_path):  # shared by the tiers of one test
                return tmp_path

            def make_tier(self, store):
                return MyTier(store)

    The suite opens and closes the tiers, gives each test its own namespace, and hands each tier a
    `FakeClock`. Set `native_time = True` for a tier that keeps time by its own clock.
    """
