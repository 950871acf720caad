"""The settings of a stack, as they may be written in files, variables and arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from tiered_cache.config.text import expand
from tiered_cache.units import parse_duration, parse_lifetime, parse_size
from tiered_cache_policies.registry import eviction_policy, promotion_policy, write_policy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BUILT_IN_TIERS", "DiskSettings", "MemorySettings", "RedisSettings", "StackSettings"]

BUILT_IN_TIERS = ("memory", "disk", "redis", "null")


def _checked(parse: Callable[[Any], object]) -> AfterValidator:
    """Keep what was written, once it has been found to be readable."""

    def check(value: Any) -> Any:
        try:
            parse(value)
        except LookupError as error:
            raise ValueError(str(error.args[0])) from error
        return value

    return AfterValidator(check)


def _listed(value: object) -> object:
    """The list that a variable's text stands for: separated by commas, or JSON."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [s.strip() for s in value.split(",")]


DurationText = Annotated[float | str, _checked(parse_duration)]
LifetimeText = Annotated[float | str, _checked(parse_lifetime)]
SizeText = Annotated[int | str, _checked(parse_size)]
Expanded = Annotated[str, AfterValidator(expand)]
Names = Annotated[list[str] | None, NoDecode, BeforeValidator(_listed)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MemorySettings(_Section):
    """The memory tier's options."""

    max_entries: int = Field(default=10_000, ge=1, description="The most entries that it holds.")
    max_bytes: SizeText | None = Field(default=None, description="The most bytes, such as '64MiB'.")
    eviction: Annotated[str, _checked(eviction_policy)] = Field(
        default="sieve",
        description="The eviction policy: sieve, lru, lfu, fifo or a registered one.",
    )
    copy_: Literal["deep", "check"] | None = Field(
        default=None, alias="copy", description="'deep' hands out copies, 'check' notices changes."
    )


class DiskSettings(_Section):
    """The disk tier's options."""

    path: Expanded | None = Field(
        default=None, description="The directory; by default the user's cache directory."
    )
    max_bytes: SizeText = Field(default="1GiB", description="The most bytes on disk.")
    timeout: DurationText = Field(default="2s", description="How long a write waits for others.")
    max_value_bytes: SizeText = Field(
        default="256MiB", description="The longest record that it takes."
    )


class RedisSettings(_Section):
    """The Redis tier's options."""

    url: Expanded | None = Field(
        default=None,
        description="redis://[user:password@]host:port/database, rediss:// or unix:///path.",
        repr=False,
        json_schema_extra={"writeOnly": True},
    )
    timeout: DurationText = Field(default="500ms", description="How long a call may take.")
    connect_timeout: DurationText = Field(
        default="500ms", description="How long connecting may take."
    )
    max_value_bytes: SizeText = Field(
        default="64MiB", description="The longest record that it takes."
    )
    max_connections: int = Field(default=32, ge=1, description="The most connections of a process.")


class StackSettings(_Section):
    """The settings of one stack; at the top level, those of the stack called `default`."""

    namespace: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$",
        description="Keeps its keys apart in shared stores; a named stack's is its name.",
    )
    tiers: Names = Field(
        default=None,
        min_length=1,
        description="The tiers, fastest first; by default memory and disk, and redis if it has a URL.",
    )
    default_ttl: LifetimeText | None = Field(
        default=None, description="The lifetime of values stored without one; none is no limit."
    )
    writing: Annotated[str, _checked(write_policy)] = Field(
        default="write_through", description="The write policy: write_through or write_around."
    )
    promotion: Annotated[str, _checked(promotion_policy)] = Field(
        default="always", description="The promotion policy: always or never."
    )
    strict: bool = Field(
        default=False, description="Raise faults of tiers instead of counting them."
    )
    failures_to_open: int = Field(
        default=5, ge=1, description="Faults in a row after which a tier is skipped."
    )
    probe_interval: DurationText = Field(
        default="5s", description="How long it is skipped before it is tried again."
    )
    signing_key: SecretStr | None = Field(
        default=None, min_length=16, description="Signs the records of tiers that hosts share."
    )
    redis_url: Expanded | None = Field(
        default=None,
        description="Short for redis.url.",
        repr=False,
        json_schema_extra={"writeOnly": True},
    )
    memory: MemorySettings = Field(default_factory=MemorySettings)
    disk: DiskSettings = Field(default_factory=DiskSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    custom: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of registered tiers, by name."
    )

    @model_validator(mode="after")
    def _has_what_its_tiers_need(self) -> StackSettings:
        if "redis" in self.tier_names and not self.redis_address:
            msg = "tiers names redis, and there is no redis_url"
            raise ValueError(msg)
        return self

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
