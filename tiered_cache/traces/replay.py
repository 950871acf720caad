"""Replaying a trace under an eviction policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache_policies.contracts import CostAware

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tiered_cache.traces.reader import Trace

__all__ = ["Replay", "replay"]


class Replay(NamedTuple):
    """The result of a replay.

    Attributes:
        requests: The number of requests.
        hits: The number of hits among them.
        requested_bytes: The bytes of all requests, or their number if sizes are unknown.
        hit_bytes: The bytes of the hits.
        cost_s: The seconds to compute every request.
        saved_s: The seconds to compute the hits.
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
    """Replay a trace: each request is a get, each miss an insertion; the cache starts empty.

    Args:
        trace: The requests.
        policy: The class of the policy, called with `(capacity)`, or with
            `(capacity, getsizeof=…)` if sizes are known.
        capacity: A number of entries, or bytes if sizes are known. Larger values are not stored.

    Costs one or two microseconds per request.
    """
    sizes, costs = trace.sizes, trace.costs
    cache: Any
    if sizes is None:
        cache = policy(capacity)
    else:
        cache = policy(capacity, getsizeof=lambda key: sizes.get(key, 1))
    if costs is not None:
        _set_costs(cache, costs)
    hits = hit_bytes = requested = 0
    cost_s = saved_s = 0.0
    get, missing = cache.get, object()
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
            cache[key] = key
    return Replay(len(trace.keys), hits, requested, hit_bytes, cost_s, saved_s)


def _set_costs(policy: object, costs: dict[Hashable, float]) -> None:
    if isinstance(policy, CostAware):
        policy.getcost = lambda key: costs.get(key, 0.0)
