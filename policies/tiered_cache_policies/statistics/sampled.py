"""Count a sample of the operations."""

from __future__ import annotations

from tiered_cache_policies.option_checks import share

__all__ = ["Sampled"]


class Sampled:
    """The statistics policy that counts a random sample of the operations, each with its weight.

    One in `1 / rate` calls of a tier is counted, with that weight. So the numbers still add up, and
    are right on average. Inlined hits, and the cache's own hits and misses, are always counted:
    they cost one C call only.

    Args:
        rate: The share of counted calls, above 0.0 and at most 1.0; rounded to one in a whole
            number.

    Raises:
        ValueError: `rate` is out of its range.

    Stateless: caches may share one.
    """

    latencies = False

    def __init__(self, rate: float = 0.1) -> None:
        self.one_in: int = round(1 / share(rate, "rate"))
