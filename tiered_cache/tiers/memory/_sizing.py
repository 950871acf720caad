"""An estimate of the size of Python objects, for entries without a record."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice

__all__ = ["estimate_bytes"]

_MAX_OBJECTS = 1000
_CONTAINERS = (list, tuple, AbstractSet, deque)


def estimate_bytes(value: object) -> int:
    """The approximate bytes that `value` and its contents take in memory; at least 1.

    It adds up `sys.getsizeof` of each distinct object in containers and instance attributes. After
    1000 objects it stops, and scales the sum by the number of objects still queued. So its cost is
    bounded.
    """
    seen: set[int] = set()
    queue: deque[object] = deque([value])
    total = 0
    while queue and len(seen) < _MAX_OBJECTS:
        each = queue.popleft()
        if id(each) in seen:
            continue
        seen.add(id(each))
        total += sys.getsizeof(each, 64)
        queue.extend(islice(_parts(each), _MAX_OBJECTS))
    left = len(queue)
    return max(1, total + total * left // max(1, len(seen)))


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, _CONTAINERS):
        return list(value)
    attributes = getattr(value, "__dict__", None)
    return list(attributes.values()) if isinstance(attributes, dict) else []
