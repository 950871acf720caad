"""One entry of the memory tier, as its eviction policy holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import Node

__all__ = ["Slot"]


class Slot:
    """An entry with its instants and its size.

    The inlined hit of the engine reads `value` and `until` and nothing else.

    Args:
        entry: The entry.
        value: The value that a hit returns: that of the entry, or a copy.
        until: The end of hits without a call, in seconds of the monotonic clock. After it, the
            engine must see the hits: the value is stale, or may be refreshed.
        gone: The end of the entry, in seconds of the monotonic clock.
        size: The size in bytes; 0 if it is unknown.

    Attributes:
        until: As given, or earlier if other processes may have changed the value below.
        unseen: `until` as given.
        serial: The number of the write; with the stripe's generation, the token of the key.
        digest: The fingerprint of the value, for `copy="check"`.
        node: The policy's node, which refers back to the slot; `None` for a policy without nodes.
    """

    __slots__ = ("digest", "entry", "gone", "node", "serial", "size", "unseen", "until", "value")

    def __init__(self, entry: Entry, value: Any, until: float, gone: float, size: int) -> None:
        self.entry = entry
        self.value = value
        self.until = self.unseen = until
        self.gone = gone
        self.size = size
        self.serial = 0
        self.digest = b""
        self.node: Node | None = None

    def seconds_saved(self) -> float:
        """The computing seconds saved by the hits that its node counted."""
        node = self.node
        return 0.0 if node is None else self.entry.cost_s * (node.total_visits + node.visits)

    def retire(self) -> float:
        """Cut the reference cycle with the node, on removal; the seconds saved until now."""
        saved_s = self.seconds_saved()
        self.node = None
        return saved_s
