"""The conformance suites of tiers. Programs import them from `tiered_cache.testing`.

Each module checks one promise of `tiered_cache.contracts`.
"""

from __future__ import annotations

from tiered_cache.testing.tier_contract.clear_steps import StepsContract
from tiered_cache.testing.tier_contract.concurrency import ConcurrencyContract
from tiered_cache.testing.tier_contract.fences import FenceContract
from tiered_cache.testing.tier_contract.key_strings import KeyContract
from tiered_cache.testing.tier_contract.lease_holders import LeaseContract
from tiered_cache.testing.tier_contract.lifetimes import LifetimeContract
from tiered_cache.testing.tier_contract.log_places import PlaceContract
from tiered_cache.testing.tier_contract.logged_changes import ChangeLogContract
from tiered_cache.testing.tier_contract.notices import BoardContract
from tiered_cache.testing.tier_contract.offered import OffersContract
from tiered_cache.testing.tier_contract.record_heads import HeadsContract
from tiered_cache.testing.tier_contract.shared_store import SharedStoreContract
from tiered_cache.testing.tier_contract.sick_store import SickStoreContract
from tiered_cache.testing.tier_contract.storage import StorageContract
from tiered_cache.testing.tier_contract.tokens import TokenContract
from tiered_cache.testing.tier_contract.whole_stack import StackContract

__all__ = [
    "BasicTierContract",
    "BoardContract",
    "ChangeLogContract",
    "FenceContract",
    "HeadsContract",
    "LeaseContract",
    "PlaceContract",
    "SharedStoreContract",
    "SickStoreContract",
    "StackContract",
    "StepsContract",
    "TierContract",
]


class BasicTierContract(
    StorageContract,
    LifetimeContract,
    KeyContract,
    ConcurrencyContract,
    OffersContract,
):
    """The promises of a tier with `Offers(compare_and_set=False)`; otherwise as `TierContract`."""


class TierContract(BasicTierContract, TokenContract):
    """The promises of `tiered_cache.contracts.Tier`, as a pytest class to subclass.

    Override `make_tier`, and run pytest::

        class TestMyTier(TierContract):
            @pytest.fixture
            def store(self, tmp_path):  # shared by the tiers of one test
                return tmp_path

            def make_tier(self, store):
                return MyTier(store)

    A class for a tier that offers more inherits the suites of these abilities as well; one of the
    tests names those that are missing.

    The suite opens and closes the tiers, gives each test its own namespace, and hands each tier a
    `FakeClock`. Set `native_time = True` for a tier that keeps time by its own clock.
    """
