"""The contracts between a cache and its tiers, and all that the author of a tier imports.

Tiers with their abilities, leases, boards and change logs, journal, codec, counters and tracers are
Protocols, one a file. With them come the helpers of a tier: entries and tombstones, clocks, forks,
durations and sizes. Any module above the vocabulary may import from here, and so may other packages.
"""

from __future__ import annotations

from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.clock import SYSTEM_CLOCK, Clock
from tiered_cache.contracts.abilities import AwaitedTier, LiveNodes
from tiered_cache.contracts.base_tier import BaseTier
from tiered_cache.contracts.boards import (
    MAX_NOTICE_BYTES,
    MAX_NOTICES,
    MAX_READ_BYTES,
    Board,
    Notice,
)
from tiered_cache.contracts.cas_leases import CasLeases
from tiered_cache.contracts.change_log import (
    MAX_LOGGED_KEY,
    Change,
    ChangeLog,
    ChangePage,
    Lag,
    Places,
)
from tiered_cache.contracts.codec import Codec
from tiered_cache.contracts.counting import Counting, Recorder
from tiered_cache.contracts.in_parallel import InParallel
from tiered_cache.contracts.items import ANY, UNKNOWN, Absent, Found, ItemT, Put
from tiered_cache.contracts.journal import Journal, JournalRow
from tiered_cache.contracts.leases import LeaseAnswer, Leases
from tiered_cache.contracts.logged_keys import logged_change, pack_keys, unpack_changes
from tiered_cache.contracts.offers import Offers
from tiered_cache.contracts.one_by_one import OneByOne
from tiered_cache.contracts.tier import (
    CONTRACT,
    EvictionReason,
    Reach,
    Tier,
    TierContext,
    TierInfo,
)
from tiered_cache.contracts.tracer import Tell, Tracer
from tiered_cache.contracts.type_registry import NotPlain, TypeRegistry
from tiered_cache.contracts.wrapped_tier import WrappedTier
from tiered_cache.entry import (
    HEAD_BYTES,
    TOKEN_BYTES,
    TOMBSTONE_LIFETIME_S,
    Entry,
    deleted_at,
    is_tombstone,
    make_tombstone,
)
from tiered_cache.units import Duration, Size, parse_duration, parse_lifetime, parse_size

__all__ = [
    "ANY",
    "CONTRACT",
    "HEAD_BYTES",
    "MAX_LOGGED_KEY",
    "MAX_NOTICES",
    "MAX_NOTICE_BYTES",
    "MAX_READ_BYTES",
    "SYSTEM_CLOCK",
    "TOKEN_BYTES",
    "TOMBSTONE_LIFETIME_S",
    "UNKNOWN",
    "Absent",
    "AwaitedTier",
    "BaseTier",
    "Board",
    "CasLeases",
    "Change",
    "ChangeLog",
    "ChangePage",
    "Clock",
    "Codec",
    "Counting",
    "Duration",
    "Entry",
    "EvictionReason",
    "Found",
    "InParallel",
    "ItemT",
    "Journal",
    "JournalRow",
    "Lag",
    "LeaseAnswer",
    "Leases",
    "LiveNodes",
    "NotPlain",
    "Notice",
    "Offers",
    "OneByOne",
    "Places",
    "Put",
    "Reach",
    "Recorder",
    "Size",
    "Tell",
    "Tier",
    "TierContext",
    "TierInfo",
    "Tracer",
    "TypeRegistry",
    "WrappedTier",
    "call_in_child",
    "deleted_at",
    "fork_safe_lock",
    "is_tombstone",
    "logged_change",
    "make_tombstone",
    "pack_keys",
    "parse_duration",
    "parse_lifetime",
    "parse_size",
    "unpack_changes",
]
