"""The reply of a Redis server to `INFO`, and the checks of its version, role and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.diagnosis.check_result import advise, ok, problem, skipped

if TYPE_CHECKING:
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["RedisInfo", "check_memory", "check_role", "check_version"]

_OLDEST = (6, 0)
_NEARLY_FULL = 0.9
_EVICT_ANY_KEY = "run on the server: CONFIG SET maxmemory-policy allkeys-lru"
_KEEP = "; write the same to its configuration file, so that it outlasts a restart"
_VALUES_STAY = {
    "volatile": "it evicts only keys that expire: leases and tombstones go before values "
    "without a lifetime",
    "allkeys-random": "it evicts leases, tombstones and the change log as likely as values that "
    "are never read",
}


class RedisInfo(NamedTuple):
    """The facts about a server that matter to a tier.

    Source: https://redis.io/docs/latest/commands/info/
    """

    product: str
    version: str
    is_writable: bool
    primary: str
    max_bytes: int
    used_bytes: int
    policy: str
    evicted: int

    @classmethod
    def parse(cls, text: str) -> RedisInfo:
        """The facts in the reply to `INFO`."""
        parts = [line.partition(":") for line in text.splitlines()]
        fields: dict[str, str] = {name: value for name, _, value in parts}
        is_replica = fields.get("role") == "slave"
        return cls(
            product="Valkey" if "valkey_version" in fields else "Redis",
            version=fields.get("redis_version", ""),
            is_writable=not is_replica or fields.get("slave_read_only") == "0",
            primary=f"{fields.get('master_host', '')}:{fields.get('master_port', '')}",
            max_bytes=int(fields.get("maxmemory", 0)),
            used_bytes=int(fields.get("used_memory", 0)),
            policy=fields.get("maxmemory_policy", "noeviction"),
            evicted=int(fields.get("evicted_keys", 0)),
        )


def check_version(info: RedisInfo) -> CheckResult:
    """Whether the server is new enough."""
    finding = f"{info.product}, compatible with Redis {info.version}"
    try:
        version = tuple(int(each) for each in info.version.split(".")[:2])
    except ValueError:
        return skipped(f"the server reports the unknown version {info.version!r}")
    if version < _OLDEST:
        return problem(finding, "use Redis 6.0 or newer, or Valkey")
    return ok(finding)


def check_role(info: RedisInfo) -> CheckResult:
    """Whether the server accepts writes."""
    if info.is_writable:
        return ok("accepts writes")
    return problem(
        "the server is a read-only replica",
        f"name the primary in redis_url: it is {info.primary}",
    )


def check_memory(info: RedisInfo) -> CheckResult:
    """Which keys the server removes when its memory is full."""
    if not info.max_bytes:
        return advise(
            "maxmemory is not set: the server grows until the machine's memory is full",
            "run on the server: CONFIG SET maxmemory 1gb, with the size that you can spare, and "
            f"CONFIG SET maxmemory-policy allkeys-lru{_KEEP}",
        )
    share = info.used_bytes / info.max_bytes
    finding = f"{info.policy}, {share:.0%} of maxmemory in use, {info.evicted:,} keys evicted"
    if info.policy == "noeviction":
        return _without_eviction(finding, share)
    kind = "volatile" if info.policy.startswith("volatile-") else info.policy
    if kind in _VALUES_STAY:
        return advise(f"{finding}: {_VALUES_STAY[kind]}", _EVICT_ANY_KEY + _KEEP)
    return ok(finding)


def _without_eviction(finding: str, share: float) -> CheckResult:
    if share > _NEARLY_FULL:
        return problem(
            f"{finding}: the server is about to refuse every write, deletions too",
            f"{_EVICT_ANY_KEY}, or raise its maxmemory",
        )
    return advise(
        f"{finding}: a full server refuses every write, deletions too", _EVICT_ANY_KEY + _KEEP
    )
