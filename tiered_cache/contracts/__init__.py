"""The contracts between the engine and its extensions: tiers, leases, boards, logs, journal, codec.

One Protocol and its values a file. Anybody may import from here: it is the one place where engine,
tiers, codec and statistics meet. It imports the vocabulary (`errors`, `clock`, `entry`, `results`)
and `tiered_cache_policies` only.
"""

from __future__ import annotations

from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.contracts.abilities import (
    AwaitableTier,
    AwaitedTier,
    DurableTier,
    FencingTier,
    HeadTier,
    LiveTier,
    QuickTier,
    SteppedTier,
)
from tiered_cache.contracts.boards import (
    MAX_NOTICE_BYTES,
    MAX_NOTICES,
    MAX_READ_BYTES,
    Board,
    BoardTier,
    Notice,
)
from tiered_cache.contracts.change_log import (
    MAX_LOGGED_KEY,
    Change,
    ChangeLog,
    ChangePage,
    Lag,
    LoggedTier,
    PlaceTier,
)
from tiered_cache.contracts.codec import (
    Codec,
)
from tiered_cache.contracts.counting import (
    Counting,
    Recorder,
)
from tiered_cache.contracts.journal import (
    Journal,
    JournalRow,
)
from tiered_cache.contracts.leases import (
    LeaseAnswer,
    Leases,
    LeaseTier,
)
from tiered_cache.contracts.tier import (
    ANY,
    Absent,
    EvictionReason,
    Found,
    OneByOne,
    PutItem,
    Reach,
    Tier,
    TierContext,
    TierInfo,
)
from tiered_cache.contracts.tracer import (
    Tell,
    Tracer,
)

__all__ = [
    "ANY",
    "MAX_LOGGED_KEY",
    "MAX_NOTICES",
    "MAX_NOTICE_BYTES",
    "MAX_READ_BYTES",
    "Absent",
    "AwaitableTier",
    "AwaitedTier",
    "Board",
    "BoardTier",
    "Change",
    "ChangeLog",
    "ChangePage",
    "Codec",
    "Counting",
    "DurableTier",
    "EvictionReason",
    "FencingTier",
    "Found",
    "HeadTier",
    "Journal",
    "JournalRow",
    "Lag",
    "LeaseAnswer",
    "LeaseTier",
    "Leases",
    "LiveTier",
    "LoggedTier",
    "Notice",
    "OneByOne",
    "PlaceTier",
    "PutItem",
    "QuickTier",
    "Reach",
    "Recorder",
    "SteppedTier",
    "Tell",
    "Tier",
    "TierContext",
    "TierInfo",
    "Tracer",
    "call_in_child",
    "fork_safe_lock",
]
