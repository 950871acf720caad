"""The settings of a stack: names, types, defaults and the description of each."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from tiered_cache._process.user_directory import user_directory
from tiered_cache.config.field_types import (
    AdmissionNames,
    BoundText,
    DirectoryText,
    DurationText,
    EvictionName,
    ExpiryNames,
    ExporterTables,
    LifetimeText,
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
    """A table of settings that rejects unknown names."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class MemorySettings(_Section):
    """The memory tier's options."""

    max_entries: Whole = Field(default=10_000, ge=1, description="Most entries in memory.")
    max_bytes: SizeText | None = Field(
        default=None, description="Most bytes in memory, such as '64MiB'."
    )
    eviction: EvictionName = Field(
        default="s3fifo",
        description="The eviction policy: s3fifo, sieve, lru, lfu, fifo, tinylfu, arc, gdsf, adaptive.",
    )
    copy_: Literal["deep", "check"] | None = Field(
        default=None,
        alias="copy",
        description="'deep' returns copies of values, 'check' detects changed values.",
    )


class DiskSettings(_Section):
    """The disk tier's options."""

    path: DirectoryText | None = Field(
        default=None, description="The directory; default: the user's cache directory."
    )
    max_bytes: SizeText = Field(default="1GiB", description="Most bytes on disk.")
    timeout: DurationText = Field(
        default="2s", description="How long a write waits for other writers."
    )
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
    timeout: TimeoutText = Field(default="500ms", description="Deadline of a call.")
    connect_timeout: TimeoutText = Field(default="500ms", description="Deadline of connecting.")
    max_value_bytes: SizeText = Field(
        default="64MiB", description="The longest record that it takes."
    )
    max_connections: Whole = Field(default=32, ge=1, description="Most connections of a process.")


class SingleFlightSettings(_Section):
    """Which callers share the computation of a missing key, and how long they wait."""

    scope: Literal["thread", "host", "cluster"] | None = Field(
        default=None,
        description="thread, host or cluster; default: the widest that the tiers share.",
    )
    lease: TimeoutText = Field(
        default="10s",
        description="Lifetime of a lease: a leader that stops renewing is replaced after it.",
    )
    timeout: TimeoutText | None = Field(
        default=None, description="Longest wait for the computation; default: until it ends."
    )
    on_timeout: Literal["compute", "stale", "raise"] = Field(
        default="compute", description="Action after the longest wait: compute, stale or raise."
    )


class CoherenceSettings(_Section):
    """How soon changes by other processes are seen in the tiers above the shared ones."""

    bound: BoundText = Field(
        default="2s",
        description="Longest time that a value changed elsewhere is still served, or none.",
    )
    when_cut: Literal["skip", "serve"] = Field(
        default="skip",
        description="Upper tiers while the change log can't be read: skip or serve them.",
    )


class StackSettings(_Section):
    """The settings of one stack; at the top level, those of the stack called `default`."""

    namespace: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$",
        description="Separates its keys in shared stores; default of a named stack: its name.",
    )
    tiers: TierNames = Field(
        default=None,
        min_length=1,
        description="The tiers, fastest first; default: memory and disk, and redis if it has a URL.",
    )
    default_ttl: LifetimeText | None = Field(
        default=None,
        description="Lifetime of values that are stored without one; default: no limit.",
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
        description="Expiry policies, applied in the given order: jittered, negative, until.",
    )
    refreshing: RefreshName | None = Field(
        default=None, description="The refresh policy: early_refresh, refresh_ahead or sliding."
    )
    single_flight: SingleFlightSettings = Field(default_factory=SingleFlightSettings)
    coherence: CoherenceSettings = Field(default_factory=CoherenceSettings)
    stale_for: DurationText = Field(
        default=0,
        description="How long a value is served after its lifetime while it is refreshed.",
    )
    max_ttl: dict[str, LifetimeText] = Field(
        default_factory=dict, description="Longest lifetime in a tier, by the tier's name."
    )
    statistics: StatisticsName = Field(
        default="counters",
        description="The statistics policy: counters, histograms, sampled or off.",
    )
    strict: bool = Field(
        default=False, description="Raise faults of tiers instead of counting them as misses."
    )
    failures_to_open: Whole = Field(
        default=5, ge=1, description="Faults in a row that open a tier's breaker."
    )
    probe_interval: DurationText = Field(
        default="5s", description="How long an open breaker skips the tier before it probes it."
    )
    signing_key: SigningKeyText | None = Field(
        default=None, description="Secret that signs the records of tiers that hosts share."
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
        description="Admission policies of a tier, by its name: [admission] disk = ['min_cost'].",
    )
    policies: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Options of policies, by their name: [policies.write_back] durability = 'disk'.",
    )
    exporters: ExporterTables = Field(
        default_factory=dict,
        description="Exporters of statistics and events: a list of names, or tables of their options: "
        "[exporters.statsd] port = 8125.",
        repr=False,
    )
    custom: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of registered tiers, by their name.", repr=False
    )

    @property
    def redis_address(self) -> str | None:
        """The URL of the Redis tier, from `redis.url` or `redis_url`."""
        return self.redis.url or self.redis_url

    @property
    def tier_names(self) -> list[str]:
        """The names of the tiers.

        By default memory, disk, and Redis if it has a URL. The disk is left out if it has no path
        and no home directory was found for one.
        """
        if self.tiers is not None:
            return self.tiers
        has_disk = self.disk.path is not None or user_directory("cache") is not None
        return [
            "memory",
            *(["disk"] if has_disk else []),
            *(["redis"] if self.redis_address else []),
        ]
