"""How many computations were of keys that had been computed before."""

from __future__ import annotations

from tiered_cache._process.fork import fork_safe_lock

__all__ = ["Repeats"]

_MAX_FOLLOWED = 2048
_DIGEST_BITS = 60


class Repeats:
    """Counts repeated computations, by a sample of the keys that is as large as may be.

    The sample is of keys whose digest is below a threshold, which is halved when there are too many:
    so each that is followed is followed from its first computation on. Thread-safe; some 200 KiB at
    most.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._bits = _DIGEST_BITS
        self._followed: set[int] = set()
        self._repeated = 0.0

    def computed(self, key: str) -> None:
        """Count a computation of `key`."""
        digest = hash(key) & ((1 << _DIGEST_BITS) - 1)
        if digest >> self._bits:
            return
        with self._lock:
            if digest in self._followed:
                self._repeated += float(1 << (_DIGEST_BITS - self._bits))
                return
            self._followed.add(digest)
            while len(self._followed) > _MAX_FOLLOWED:
                self._bits -= 1
                self._followed = {each for each in self._followed if not each >> self._bits}

    def read(self) -> float:
        """How many there were, about; exact as long as few different keys were computed."""
        with self._lock:
            return self._repeated
