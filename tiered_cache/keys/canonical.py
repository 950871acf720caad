"""The canonical encoding of arguments: equal bytes for equal arguments, in every process.

Each value is a tag that names its type, then either the length of its bytes and the bytes, or the
number of its parts and the parts. So the encoding is prefix-free: no two different structures give
the same bytes. What has no order of its own (sets, the keys of a dict) is sorted by its encoding.
Nothing depends on `hash()`, on `id()` or on the order in which things were made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import xxhash

from tiered_cache.errors import InvalidKeyError, show_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MAX_DEPTH", "UnstableError", "arguments_key", "digest_of", "encode", "parts", "text"]

MAX_DEPTH = 100
"""How deep arguments may be nested; what contains itself is deeper than that."""

_PATH_SHOWN = 8


class UnstableError(Exception):
    """A value has no stable encoding.

    Attributes:
        reason: What it is, such as `"is a m.Foo"`.
        path: Where it is, from the inside out, such as `["[0]", "['x']"]`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def found_in(self, place: str) -> NoReturn:
        """Raise this again from the container that has the value at `place`."""
        self.path.append(place)
        raise self

    def explain(self, argument: str, function: str) -> InvalidKeyError:
        """What to tell the caller of `function`."""
        path = "".join(reversed(self.path[-_PATH_SHOWN:])) + (
            "…" if self.path[_PATH_SHOWN:] else ""
        )
        msg = (
            f"Argument {argument!r}{path} of {function} {self.reason}, which has no stable key: "
            "pass a plain value, define __cache_key__() on its class, or give key="
        )
        return InvalidKeyError(msg)


def arguments_key(prefix: str, arguments: Mapping[str, object]) -> str:
    """The key `prefix:digest` of named arguments, whatever order they are in.

    The digest is the XXH3-128 of their canonical encoding, in hexadecimal. It is not meant to
    withstand people who choose arguments in order to make two keys equal.

    Raises:
        InvalidKeyError: An argument has no stable encoding; the message says which and what to do.
    """
    names = sorted(arguments)
    slots = [(name, text(b"s", name)) for name in names]
    return f"{prefix}:{digest_of(b'', prefix, slots, [arguments[name] for name in names])}"


def digest_of(
    salt: bytes, function: str, slots: Iterable[tuple[str, bytes]], values: Iterable[object]
) -> str:
    """The hexadecimal digest of arguments.

    Args:
        salt: What else the digest depends on; itself prefix-free.
        function: What the arguments are given to, for the message.
        slots: The arguments' names, sorted, and the encodings of these.
        values: Their values, in the same order.

    Raises:
        InvalidKeyError: An argument has no stable encoding.
    """
    pieces = [salt]
    for (name, encoded_name), value in zip(slots, values, strict=True):
        pieces.append(encoded_name)
        try:
            pieces.append(encode(value))
        except UnstableError as error:
            raise error.explain(name, function) from None
        except RecursionError:
            raise _too_deep().explain(name, function) from None
    return xxhash.xxh3_128_hexdigest(b"".join(pieces))


def encode(value: object, depth: int = 0) -> bytes:
    """The canonical encoding of `value`.

    Raises:
        UnstableError: It has none.
    """
    encoder = _by_type.get(type(value))
    if encoder is None:
        encoder = _encoder_for(type(value))
    return encoder(value, depth)


def text(tag: bytes, value: str) -> bytes:
    """`value` under `tag`, with its length."""
    data = value.encode("utf-8", "surrogatepass")
    return b"%s%d:%s" % (tag, len(data), data)


def parts(tag: bytes, encoded: list[bytes]) -> bytes:
    """Encodings under `tag`, with their number."""
    return b"%s%d:%s" % (tag, len(encoded), b"".join(encoded))


def encode_sequence(tag: bytes, values: Iterable[object], depth: int) -> bytes:
    """The encodings of `values`, in their order."""
    if depth >= MAX_DEPTH:
        raise _too_deep()
    depth += 1
    encoded: list[bytes] = []
    try:
        for value in values:
            encoded.append(encode(value, depth))  # noqa: PERF401 - the length says where it failed
    except UnstableError as error:
        error.found_in(f"[{len(encoded)}]")
    return parts(tag, encoded)


def encode_set(tag: bytes, values: Iterable[object], depth: int) -> bytes:
    """The encodings of `values`, sorted."""
    if depth >= MAX_DEPTH:
        raise _too_deep()
    try:
        return parts(tag, sorted([encode(value, depth + 1) for value in values]))
    except UnstableError as error:
        error.found_in("{…}")


def encode_mapping(tag: bytes, mapping: Mapping[Any, object], depth: int) -> bytes:
    """The encodings of keys and values, sorted by key."""
    return parts(tag, sorted(encode_items(mapping, depth)))


def encode_items(mapping: Mapping[Any, object], depth: int) -> list[bytes]:
    """The encodings of keys and values, each pair joined, in the mapping's order."""
    if depth >= MAX_DEPTH:
        raise _too_deep()
    depth += 1
    encoded = []
    for key, value in mapping.items():
        try:
            encoded.append(encode(key, depth) + encode(value, depth))
        except UnstableError as error:
            shown = show_key(key) if type(key) is str else repr(key) if type(key) is int else "…"
            error.found_in(f"[{shown}]")
    return encoded


def _too_deep() -> UnstableError:
    return UnstableError(f"contains itself or more than {MAX_DEPTH} levels")


def _encode_bytes(tag: bytes, value: bytes | bytearray) -> bytes:
    return b"%s%d:%s" % (tag, len(value), value)


_by_type: dict[type, Callable[[Any, int], bytes]] = {
    type(None): lambda _value, _depth: b"N",
    bool: lambda value, _depth: b"T" if value else b"F",
    int: lambda value, _depth: b"i%x;" % value,
    # repr gives the shortest text that reads back the same, and tells -0.0 and nan apart
    float: lambda value, _depth: b"f%s;" % repr(value).encode(),
    str: lambda value, _depth: text(b"s", value),
    bytes: lambda value, _depth: _encode_bytes(b"b", value),
    bytearray: lambda value, _depth: _encode_bytes(b"B", value),
    tuple: lambda value, depth: encode_sequence(b"t", value, depth),
    list: lambda value, depth: encode_sequence(b"l", value, depth),
    set: lambda value, depth: encode_set(b"S", value, depth),
    frozenset: lambda value, depth: encode_set(b"Z", value, depth),
    dict: lambda value, depth: encode_mapping(b"d", value, depth),
}


def _encoder_for(kind: type) -> Callable[[Any, int], bytes]:
    """The encoder for a type that has not been seen before; remembered for the standard ones."""
    # Imported with the first such argument: most programs' arguments never need it.
    from tiered_cache.keys import objects, standard

    _by_type.update(standard.ENCODERS)
    return _by_type.get(kind) or objects.encoder_for(kind)
