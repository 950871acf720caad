"""The gate around each use of SQLite in this process."""

from __future__ import annotations

from tiered_cache._process.fork import ForkGate

__all__ = ["GATE"]

GATE = ForkGate()
"""`with GATE.own:` surrounds each use of SQLite: no fork happens inside, and none inherits a connection.

One for all databases, so that a thread inside never waits at a second gate that a fork has closed.
"""
