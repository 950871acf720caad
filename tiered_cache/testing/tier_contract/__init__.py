"""The conformance suite that every tier passes, ours and yours."""

from __future__ import annotations

from tiered_cache.testing.tier_contract.boards import BoardContract
from tiered_cache.testing.tier_contract.expiring import ExpiringContract
from tiered_cache.testing.tier_contract.keys import KeysContract
from tiered_cache.testing.tier_contract.leasing import LeasingContract
from tiered_cache.testing.tier_contract.logging import LoggingContract
from tiered_cache.testing.tier_contract.placing import PlacingContract
from tiered_cache.testing.tier_contract.sharing import SharingContract
from tiered_cache.testing.tier_contract.storing import StoringContract
from tiered_cache.testing.tier_contract.tokens import TokensContract

__all__ = ["TierContract"]


class TierContract(
    StoringContract,
    TokensContract,
    ExpiringContract,
    KeysContract,
    SharingContract,
    LeasingContract,
    LoggingContract,
    PlacingContract,
    BoardContract,
):
    """What `tiered_cache.contracts.Tier` promises, as a pytest class to subclass.

    Say how a tier is made, and run pytest::

        class TestMyTier(TierContract):
            @pytest.fixture
            def store(self, tmp_path):  # whatever the tiers of one test have in common
                return tmp_path

            def make_tier(self, store):
                return MyTier(store)

    The suite opens and closes what `make_tier` returns, gives each test a namespace of its own,
    and hands the tier a `FakeClock`. Where a tier keeps time by a clock of its own, set
    `native_time = True`.
    """
