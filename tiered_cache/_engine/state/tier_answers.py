"""The answers of tiers: their types, and the faults of wrong ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tiered_cache.contracts import Absent, Found

__all__ = ["ANSWERS", "fault_of"]

ANSWERS: dict[str, tuple[type, ...]] = {
    "get": (Found, Absent),
    "get_many": (dict,),
    "put": (bool,),
    "put_many": (set,),
    "delete": (bool, type(None)),
    "delete_many": (int, type(None)),
    "clear": (int, type(None)),
}
"""The usual types of an answer, by operation. Other operations have no entry."""

_EXPECTED = {
    "get": "Found or Absent",
    "get_many": "a dict with Found or Absent for each key",
    "put": "whether the item was stored, True or False",
    "put_many": "the set of the keys that were stored",
    "delete": "whether the key was there, True or False, or None if that is unknown",
    "delete_many": "the number of keys that were there, or None if that is unknown",
    "clear": "the number of keys that were there, or None if that is unknown",
}

_USABLE: dict[str, type | tuple[type, ...]] = {
    "get": (Found, Absent),
    "get_many": Mapping,
    "put": int,
    "put_many": Collection,
    "delete": int,
    "delete_many": int,
    "clear": int,
}


def fault_of(operation: str, answer: Any) -> str:
    """The fault of an answer of an unusual type; `""` if it can be used all the same."""
    if isinstance(answer, _USABLE[operation]) and not isinstance(answer, str):
        return ""
    kind = type(answer).__name__
    found = "None" if answer is None else f"a {kind}"
    return f"{operation} returned {found}: it must return {_EXPECTED[operation]}"
