"""The facts about a tier that a policy may use."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TierFacts"]


class TierFacts(NamedTuple):
    """The facts about a tier that a policy may use.

    Attributes:
        name: The tier's name, such as `"memory"`.
        level: Its place in the stack, 0 for the fastest.
        durable: Whether its entries survive the process.
        shared: Whether other hosts see its entries.
    """

    name: str
    level: int
    durable: bool
    shared: bool
