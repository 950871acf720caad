"""JSON documents for programs, valid for every value and in every locale."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

__all__ = ["finite", "print_json", "to_json"]


def finite(seconds: float | None) -> float | None:
    """`seconds`, or `None` for infinity, which JSON does not have."""
    return None if seconds == math.inf else seconds


def print_json(value: Any) -> None:
    """Print one JSON document. A value without a JSON form is printed as its `repr`."""
    print(to_json(_plain(value), indent=2))


def to_json(value: Any, *, indent: int | None = None) -> str:
    r"""`value` as JSON that every terminal and locale can show: other characters are `\uXXXX`.

    Raises:
        TypeError: `value` has no JSON form.
        ValueError: `value` holds a number that is not finite, or contains itself.
    """
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, indent=indent, ensure_ascii=not unicode, allow_nan=False)
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _plain(value: Any) -> Any:
    """`value` reduced to the types of JSON."""
    if isinstance(value, dict):
        named = {key if isinstance(key, str) else repr(key): _plain(value[key]) for key in value}
        return named if len(named) == len(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return value if value is None or isinstance(value, str | int) else repr(value)
