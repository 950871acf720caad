"""The Redis tier: records on a Redis or Valkey server, or a cluster.

Users import `RedisTier`. `connections` and `keyspace` are for other packages of this project, which
look at a server without a tier. The rest is private.
"""

from tiered_cache.tiers.redis.tier import RedisTier

__all__ = ["RedisTier"]
