"""The permissions that a user of a Redis server needs.

Source: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from __future__ import annotations

__all__ = ["COMMANDS", "GRANT"]

COMMANDS = (
    "+ping +hello +select +info +time +get +set +getrange +pttl +scan +unlink +del +eval +evalsha "
    "+xadd +xread +xrange +xrevrange +pexpire +hget +hset +hdel +hexists +hkeys +hlen +hstrlen "
    "+cluster|slots +cluster|nodes +asking"
)
"""The commands that a tier and a diagnosis use, as rules of `ACL SETUSER`."""

GRANT = (
    f"run on the server, with the name of your user: ACL SETUSER name ~tiered-cache:* {COMMANDS}"
)
"""The advice that grants these permissions."""
