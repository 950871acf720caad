"""The names of a namespace's keys on a Redis server.

The braces are a hash tag: on a cluster, they keep the keys of a namespace on one node.
"""

from __future__ import annotations

__all__ = ["record_prefix", "side_prefix"]


def record_prefix(namespace: str) -> bytes:
    """The prefix of the names under which records are stored. No namespace contains a brace."""
    return f"tiered-cache:{{{namespace}}}:".encode()


def side_prefix(namespace: str) -> str:
    """The prefix of everything beside the records: log, leases, board, generation.

    No namespace contains a slash, so none of these names is the name of a record.
    """
    return f"tiered-cache:{{{namespace}}}/"
