"""Access traces: recorded from a running cache, read from files, replayed under policies.

The command line and the default cache import it. Imports `errors`, `events` and the policies only.
"""

from __future__ import annotations

from tiered_cache.traces.reader import Trace, read_trace
from tiered_cache.traces.recorder import TraceRecorder
from tiered_cache.traces.replay import Replay, replay

__all__ = ["Replay", "Trace", "TraceRecorder", "read_trace", "replay"]
