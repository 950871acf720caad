"""Hill climbing: a share that moves towards the better hit ratio."""

from __future__ import annotations

import math

__all__ = ["Climber"]

_FIRST = 0.01
_STEP = 0.0625
_DECAY = 0.98
_RESTART = 0.05


class Climber:
    """A share between 0 and 1 that moves step by step towards the better hit ratio.

    A step repeats the direction of the last one if the hit ratio improved since, and reverses it
    otherwise. Steps shrink. A sudden change of the ratio by five points means another workload, and
    resets the size of the step.

    Attributes:
        share: The share.

    Source: Einziger, Eytan, Friedman and Manes, "Adaptive Software Cache Management", Middleware
    2018.
    """

    __slots__ = ("_ratio", "_step", "share")

    def __init__(self) -> None:
        self.share = _FIRST
        self._step = _STEP
        self._ratio: float | None = None

    def step(self, ratio: float) -> None:
        """Take a step; `ratio` is the hit ratio since the last step."""
        change = 0.0 if self._ratio is None else ratio - self._ratio
        if self._ratio is not None:
            size = _STEP if abs(change) >= _RESTART else abs(self._step) * _DECAY
            self._step = math.copysign(size, self._step if change >= 0 else -self._step)
        self._ratio = ratio
        self.share = min(max(self.share + self._step, 0.0), 1.0)
