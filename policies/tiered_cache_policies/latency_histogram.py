"""A histogram of durations, with buckets of a bounded relative width."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["LatencyHistogram"]

_BITS = 5
_EXACT = 1 << _BITS
_LONGEST_NS = (1 << 42) - 1
"""About 73 minutes. A longer duration counts as this one."""


class LatencyHistogram:
    """Counts durations in buckets. Its quantiles have a relative error of at most 1/64.

    Buckets are log-linear: 32 of equal width for each power of two of nanoseconds, at most 1,216 in
    all. Only buckets in use take memory. Histograms can be added and subtracted, bucket by bucket.

    Source: the HdrHistogram of G. Tene (hdrhistogram.org).

    Only one thread may record at a time. A histogram that is no longer recorded into may be read
    from any thread.

    Args:
        buckets: The counts by the number of their bucket.
    """

    __slots__ = ("_buckets",)

    def __init__(self, buckets: Mapping[int, int] | None = None) -> None:
        self._buckets = dict(buckets or {})

    def record(self, seconds: float, times: int = 1) -> None:
        """Count a duration, `times` times."""
        nanoseconds = min(max(int(seconds * 1e9), 0), _LONGEST_NS)
        shift = max(0, nanoseconds.bit_length() - _BITS - 1)
        bucket = (shift << _BITS) + (nanoseconds >> shift)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + times

    @property
    def count(self) -> int:
        """The number of counted durations."""
        return sum(self._buckets.values())

    def quantile(self, share: float) -> float | None:
        """The seconds that `share` of the durations did not exceed; `None` for an empty histogram.

        Args:
            share: From 0.0 to 1.0; 0.5 is the median.
        """
        if not 0.0 <= share <= 1.0:
            msg = f"share={share!r} must be from 0.0 to 1.0"
            raise ValueError(msg)
        wanted = share * self.count
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return _middle_s(bucket)
        return None

    def copy(self) -> LatencyHistogram:
        """A separate histogram with the same counts."""
        return LatencyHistogram(self._buckets)

    def to_dict(self) -> dict[str, float | int | None]:
        """Count, median, 95th and 99th percentile in seconds."""
        return {
            "count": self.count,
            "p50_s": self.quantile(0.5),
            "p95_s": self.quantile(0.95),
            "p99_s": self.quantile(0.99),
        }

    @property
    def buckets(self) -> dict[int, int]:
        """The counts by the number of their bucket, as the constructor takes them."""
        return dict(self._buckets)

    def durations(self) -> Iterator[tuple[float, int]]:
        """The seconds in the middle of each bucket in use, ascending, with its count."""
        for bucket in sorted(self._buckets):
            yield _middle_s(bucket), self._buckets[bucket]

    def plus(self, others: Iterable[LatencyHistogram]) -> LatencyHistogram:
        """The sum of this histogram and `others`, for example of many processes."""
        together = dict(self._buckets)
        for each in others:
            for bucket, count in each.buckets.items():
                together[bucket] = together.get(bucket, 0) + count
        return LatencyHistogram(together)

    def __sub__(self, earlier: LatencyHistogram) -> LatencyHistogram:
        """The counts since `earlier`, an older copy of the same histogram."""
        left = {
            bucket: count - earlier._buckets.get(bucket, 0)
            for bucket, count in self._buckets.items()
        }
        return LatencyHistogram({bucket: count for bucket, count in left.items() if count})

    def __add__(self, other: LatencyHistogram) -> LatencyHistogram:
        """The sum of both."""
        return self.plus([other])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LatencyHistogram) and self._buckets == other._buckets

    __hash__: ClassVar[None] = None  # type: ignore[assignment] # it is mutable

    def __len__(self) -> int:
        return len(self._buckets)

    def __repr__(self) -> str:
        return f"LatencyHistogram({self.to_dict()!r})"


def _middle_s(bucket: int) -> float:
    shift = max(0, (bucket >> _BITS) - 1)
    least = (bucket - (shift << _BITS)) << shift
    width = 1 << shift
    return (least + (width - 1) / 2) / 1e9
