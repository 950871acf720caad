"""Count some for all."""

from __future__ import annotations

from tiered_cache_policies.option_checks import share

__all__ = ["Sampled"]


class Sampled:
    """The statistics policy that counts a share of the operations, each for as many as it stands for.

    Of the calls of a tier one in `1 / rate` is counted, chosen by chance, with that weight: so the
    numbers still add up, and are right on average. What costs a C call only is counted all the
    same: inlined hits, and the cache's own hits and misses.

    Args:
        rate: The share, above 0.0 and at most 1.0; it is rounded to one in a whole number.

    Raises:
        ValueError: `rate` is out of its range.

    It has no state but its rate, so caches may share one.
    """

    latencies = False

    def __init__(self, rate: float = 0.1) -> None:
        self.one_in = round(1 / share(rate, "rate"))
