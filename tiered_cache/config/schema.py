"""The settings of a stack, as they may be written in files, variables and arguments."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tiered_cache.config.values import (
    AdmissionNames,
    DirectoryText,
    DurationText,
    EvictionName,
    ExpiryNames,
    LifetimeText,
    PolicyTables,
    PromotionName,
    RefreshName,
    SigningKeyText,
    SizeText,
    StatisticsName,
    TierNames,
    TimeoutText,
    UrlText,
    Whole,
    WritingName,
)

__all__ = [
    "CoherenceSettings",
    "DiskSettings",
    "MemorySettings",
    "RedisSettings",
    "SingleFlightSettings",
    "StackSettings",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MemorySettings(_Section):
    """The memory tier's options."""

    max_entries: Whole = Field(default=10_000, ge=1, description="The most entries that it holds.")
    max_bytes: SizeText | None = Field(default=None, description="The most bytes, such as '64MiB'.")
    eviction: EvictionName = Field(
        default="s3fifo",
        description="The eviction policy: s3fifo, sieve, lru, lfu, fifo, tinylfu, arc, gdsf, adaptive.",
    )
    copy_: Literal["deep", "check"] | None = Field(
        default=None, alias="copy", description="'deep' hands out copies, 'check' notices changes."
    )


class DiskSettings(_Section):
    """The disk tier's options."""

    path: DirectoryText | None = Field(
        default=None, description="The directory; by default the user's cache directory."
    )
    max_bytes: SizeText = Field(default="1GiB", description="The most bytes on disk.")
    timeout: DurationText = Field(default="2s", description="How long a write waits for others.")
    max_value_bytes: SizeText = Field(
        default="256MiB", description="The longest record that it takes."
    )


class RedisSettings(_Section):
    """The Redis tier's options."""

    url: UrlText = Field(
        default=None,
        description="redis://[user:password@]host:port/database, rediss:// or unix:///path; for a cluster redis+cluster://[user:password@]host:port,host:port or rediss+cluster://.",
        repr=False,
        json_schema_extra={"writeOnly": True},
    )
    timeout: TimeoutText = Field(default="500ms", description="How long a call may take.")
    connect_timeout: TimeoutText = Field(
        default="500ms", description="How long connecting may take."
    )
    max_value_bytes: SizeText = Field(
        default="64MiB", description="The longest record that it takes."
    )
    max_connections: Whole = Field(
        default=32, ge=1, description="The most connections of a process."
    )


class SingleFlightSettings(_Section):
    """Among whom one computes a key that is missing, and how long the others wait."""

    scope: Literal["thread", "host", "cluster"] | None = Field(
        default=None, description="thread, host or cluster; by default as wide as the tiers reach."
    )
    lease: TimeoutText = Field(
        default="10s", description="When a process that computes, and is not heard of, is replaced."
    )
    timeout: TimeoutText | None = Field(
        default=None, description="How long others wait; by default as long as it computes."
    )
    on_timeout: Literal["compute", "stale", "raise"] = Field(
        default="compute", description="What they do then: compute, stale or raise."
    )


class CoherenceSettings(_Section):
    """How it keeps up with what others change in the tiers that it shares with them."""

    bound: TimeoutText = Field(
        default="2s", description="The longest that a value is served which was changed elsewhere."
    )
    when_cut: Literal["skip", "serve"] = Field(
        default="skip",
        description="While it can't be learned: skip or serve what the tiers above hold.",
    )


class StackSettings(_Section):
    """The settings of one stack; at the top level, those of the stack called `default`."""

    namespace: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$",
        description="Keeps its keys apart in shared stores; a named stack's is its name.",
    )
    tiers: TierNames = Field(
        default=None,
        min_length=1,
        description="The tiers, fastest first; by default memory and disk, and redis if it has a URL.",
    )
    default_ttl: LifetimeText | None = Field(
        default=None, description="The lifetime of values stored without one; none is no limit."
    )
    writing: WritingName = Field(
        default="write_through",
        description="The write policy: write_through, write_back or write_around.",
    )
    promotion: PromotionName = Field(
        default="always",
        description="The promotion policy: always, never, on_hit, by_bytes or probabilistic.",
    )
    expiry: ExpiryNames = Field(
        default_factory=list,
        description="Expiry policies, asked in this order: jittered, negative, until.",
    )
    refreshing: RefreshName | None = Field(
        default=None, description="The refresh policy: early_refresh, refresh_ahead or sliding."
    )
    single_flight: SingleFlightSettings = Field(default_factory=SingleFlightSettings)
    coherence: CoherenceSettings = Field(default_factory=CoherenceSettings)
    stale_for: DurationText = Field(
        default=0, description="How long past its end a value is served while it is refreshed."
    )
    max_ttl: dict[str, LifetimeText] = Field(
        default_factory=dict, description="The longest lifetime in single tiers, by their name."
    )
    statistics: StatisticsName = Field(
        default="counters", description="What is counted: counters, histograms, sampled or off."
    )
    strict: bool = Field(
        default=False, description="Raise faults of tiers instead of counting them."
    )
    failures_to_open: Whole = Field(
        default=5, ge=1, description="Faults in a row after which a tier is skipped."
    )
    probe_interval: DurationText = Field(
        default="5s", description="How long it is skipped before it is tried again."
    )
    signing_key: SigningKeyText | None = Field(
        default=None, description="Signs the records of tiers that hosts share."
    )
    redis_url: UrlText = Field(
        default=None,
        description="Short for redis.url.",
        repr=False,
        json_schema_extra={"writeOnly": True},
    )
    memory: MemorySettings = Field(default_factory=MemorySettings)
    disk: DiskSettings = Field(default_factory=DiskSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    admission: dict[str, AdmissionNames] = Field(
        default_factory=dict,
        description="What may enter a tier, by its name: [admission] disk = ['min_cost'].",
    )
    policies: PolicyTables = Field(
        default_factory=dict,
        description="Options of policies, by name: [policies.write_back] durability = 'disk'.",
    )
    custom: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of registered tiers, by name.", repr=False
    )

    @property
    def redis_address(self) -> str | None:
        """The URL of the Redis tier, from either of its places."""
        return self.redis.url or self.redis_url

    @property
    def tier_names(self) -> list[str]:
        """The tiers, those by default where none are named."""
        if self.tiers is not None:
            return self.tiers
        return ["memory", "disk", "redis"] if self.redis_address else ["memory", "disk"]
