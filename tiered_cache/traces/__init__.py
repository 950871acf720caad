"""Access traces: recorded from a running cache, read from files, replayed under eviction policies."""

from __future__ import annotations

from tiered_cache.traces.reader import Trace, read_trace
from tiered_cache.traces.recorder import record_trace
from tiered_cache.traces.replay import Replay, replay

__all__ = ["Replay", "Trace", "read_trace", "record_trace", "replay"]
