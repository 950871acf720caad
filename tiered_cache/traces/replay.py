"""Replaying a trace under an eviction policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache_policies.contracts import CostAware

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tiered_cache.traces.reader import Trace

__all__ = ["Replay", "replay"]


class Replay(NamedTuple):
    """What a policy kept of a trace.

    Attributes:
        requests: How many requests there were.
        hits: How many of them hit.
        requested_bytes: The bytes of all requests, the number of them where sizes are not known.
        hit_bytes: Those of the hits.
        cost_s: The computing seconds of all requests, as if none hit.
        saved_s: Those of the hits.
    """

    requests: int
    hits: int
    requested_bytes: int
    hit_bytes: int
    cost_s: float
    saved_s: float

    @property
    def hit_ratio(self) -> float:
        """Hits per request."""
        return self.hits / self.requests

    @property
    def byte_hit_ratio(self) -> float:
        """Bytes that hit, per byte requested."""
        return self.hit_bytes / self.requested_bytes if self.requested_bytes else 0.0


def replay(trace: Trace, policy: Callable[..., Any], capacity: float) -> Replay:
    """Replay a trace: every request is a get, a miss inserts; the cache starts empty.

    Args:
        trace: The requests.
        policy: Called with `(capacity)`, or `(capacity, getsizeof=…)` where sizes are known.
        capacity: Entries, or bytes where sizes are known. What is larger is never kept.

    Costs a microsecond or two for each request.
    """
    sizes, costs = trace.sizes, trace.costs
    kept: Any
    if sizes is None:
        kept = policy(capacity)
    else:
        kept = policy(capacity, getsizeof=lambda key: sizes.get(key, 1))
    if costs is not None:
        _tell_costs(kept, costs)
    hits = hit_bytes = requested = 0
    cost_s = saved_s = 0.0
    get, missing = kept.get, object()
    for key in trace.keys:
        size = 1 if sizes is None else sizes.get(key, 1)
        seconds = 0.0 if costs is None else costs.get(key, 0.0)
        requested += size
        cost_s += seconds
        if get(key, missing) is not missing:
            hits += 1
            hit_bytes += size
            saved_s += seconds
        elif size <= capacity:
            _insert(kept, key)
    return Replay(len(trace.keys), hits, requested, hit_bytes, cost_s, saved_s)


def _tell_costs(policy: object, costs: dict[Hashable, float]) -> None:
    if isinstance(policy, CostAware):
        policy.getcost = lambda key: costs.get(key, 0.0)


def _insert(kept: Any, key: Hashable) -> None:
    kept[key] = key
