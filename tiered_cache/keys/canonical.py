"""The canonical encoding of arguments: equal bytes for equal arguments, in every process.

Values without an order of their own (sets, the keys of a dict) are sorted by their encoding.
Nothing depends on `hash()`, on `id()` or on the order in which objects were made.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tiered_cache.keys.encoding import Encode, Encoder, mapping, sequence, text, too_deep, unordered
from tiered_cache.keys.unstable import UnstableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["DIGEST_LENGTH", "arguments_key", "digest_of", "encode"]

_ALGORITHM = "sha256-"
_DIGITS = 40
DIGEST_LENGTH = len(_ALGORITHM) + _DIGITS
"""The length of `digest_of` in characters."""


def arguments_key(prefix: str, arguments: Mapping[str, object]) -> str:
    """The key `prefix:digest` of named arguments; their order does not matter.

    The digest is `sha256-` and the first 160 bits of the SHA-256 of the canonical encoding, in
    hexadecimal. It is cryptographic, because strangers write the files that arguments hold: no two
    texts with one key can be found.

    Raises:
        InvalidKeyError: An argument has no stable encoding. The message names it and the remedies.
    """
    names = sorted(arguments)
    slots = [(name, text(b"s", name)) for name in names]
    return f"{prefix}:{digest_of(b'', prefix, slots, [arguments[name] for name in names])}"


def digest_of(
    salt: bytes, function: str, slots: Iterable[tuple[str, bytes]], values: Iterable[object]
) -> str:
    """The digest of arguments, with the name of its algorithm.

    Args:
        salt: Further input to the digest; must be prefix-free.
        function: The name of the function that takes the arguments, for the message.
        slots: The names of the arguments, sorted, each with its encoding.
        values: The values of the arguments, in the same order.

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
            raise too_deep().explain(name, function) from None
    return _ALGORITHM + hashlib.sha256(b"".join(pieces)).hexdigest()[:_DIGITS]


def encode(value: object, depth: int = 0) -> bytes:
    """The canonical encoding of `value`.

    Raises:
        UnstableError: The value has no stable encoding.
    """
    kind = type(value)
    encoder = _by_type[kind] if kind in _by_type else _encoder_for(kind)
    return encoder(value, depth, encode)


def _encode_text(value: str, _depth: int, _encode: Encode) -> bytes:
    # As text(b"s", value), without the call: most leaves are strings.
    data = value.encode("utf-8", "surrogatepass")
    return b"s%d:%s" % (len(data), data)


def _encode_bytes(tag: bytes, value: bytes | bytearray) -> bytes:
    return b"%s%d:%s" % (tag, len(value), value)


_by_type: dict[type, Encoder] = {
    type(None): lambda _value, _depth, _encode: b"N",
    bool: lambda value, _depth, _encode: b"T" if value else b"F",
    int: lambda value, _depth, _encode: b"i%x;" % value,
    # repr is the shortest text that reads back the same, and differs for -0.0 and nan
    float: lambda value, _depth, _encode: b"f%s;" % repr(value).encode(),
    str: _encode_text,
    bytes: lambda value, _depth, _encode: _encode_bytes(b"b", value),
    bytearray: lambda value, _depth, _encode: _encode_bytes(b"B", value),
    tuple: lambda value, depth, encode: sequence(b"t", value, depth, encode),
    list: lambda value, depth, encode: sequence(b"l", value, depth, encode),
    set: lambda value, depth, encode: unordered(b"S", value, depth, encode),
    frozenset: lambda value, depth, encode: unordered(b"Z", value, depth, encode),
    dict: lambda value, depth, encode: mapping(b"d", value, depth, encode),
}


def _encoder_for(kind: type) -> Encoder:
    """The encoder for a type outside the table; adds the standard library's types to it."""
    # Imported with the first such argument: most programs never need it.
    from tiered_cache.keys import objects, standard

    _by_type.update(standard.ENCODERS)
    return _by_type.get(kind) or objects.encoder_for(kind)
