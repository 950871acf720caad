"""The Redis tier: records on a Redis or Valkey server, or a cluster."""

from tiered_cache.tiers.redis.tier import RedisTier

__all__ = ["RedisTier"]
