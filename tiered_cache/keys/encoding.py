"""The building blocks of the canonical encoding: text, parts and containers under a tag.

An encoding is a tag that names the type, then a length and that many bytes, or a number of parts
and the parts. So it is prefix-free: no two different structures have the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tiered_cache.errors import show_key
from tiered_cache.keys.unstable import UnstableError

__all__ = [
    "MAX_DEPTH",
    "Encode",
    "Encoder",
    "items",
    "mapping",
    "parts",
    "sequence",
    "text",
    "too_deep",
    "unordered",
]

MAX_DEPTH = 100
"""The levels to which arguments may be nested. A value that contains itself exceeds them."""

Encode = Callable[[Any, int], bytes]
"""Encodes any value at a depth. Handed to each encoder, which calls it for the parts of a value."""
Encoder = Callable[[Any, int, Encode], bytes]
"""Encodes the values of one type at a depth."""


def text(tag: bytes, value: str) -> bytes:
    """`value` under `tag`, with its length."""
    data = value.encode("utf-8", "surrogatepass")
    return b"%s%d:%s" % (tag, len(data), data)


def parts(tag: bytes, encoded: list[bytes]) -> bytes:
    """Encodings under `tag`, with their number."""
    return b"%s%d:%s" % (tag, len(encoded), b"".join(encoded))


def sequence(tag: bytes, values: Iterable[object], depth: int, encode: Encode) -> bytes:
    """The encodings of `values`, in their order."""
    if depth >= MAX_DEPTH:
        raise too_deep()
    depth += 1
    encoded: list[bytes] = []
    try:
        for value in values:
            encoded.append(encode(value, depth))  # noqa: PERF401 - the length locates a failure
    except UnstableError as error:
        error.found_in(f"[{len(encoded)}]")
    return parts(tag, encoded)


def unordered(tag: bytes, values: Iterable[object], depth: int, encode: Encode) -> bytes:
    """The encodings of `values`, sorted: the order of a set differs between processes."""
    if depth >= MAX_DEPTH:
        raise too_deep()
    try:
        return parts(tag, sorted([encode(value, depth + 1) for value in values]))
    except UnstableError as error:
        error.found_in("{…}")


def mapping(tag: bytes, values: Mapping[Any, object], depth: int, encode: Encode) -> bytes:
    """The encodings of keys and values, sorted by key."""
    return parts(tag, sorted(items(values, depth, encode)))


def items(values: Mapping[Any, object], depth: int, encode: Encode) -> list[bytes]:
    """The encodings of keys and values, one for each pair, in the mapping's order."""
    if depth >= MAX_DEPTH:
        raise too_deep()
    depth += 1
    encoded = []
    for key, value in values.items():
        try:
            encoded.append(encode(key, depth) + encode(value, depth))
        except UnstableError as error:
            shown = show_key(key) if type(key) is str else repr(key) if type(key) is int else "…"
            error.found_in(f"[{shown}]")
    return encoded


def too_deep() -> UnstableError:
    """The error for a value that contains itself or is nested too deeply."""
    return UnstableError(f"contains itself or more than {MAX_DEPTH} levels")
