"""Which strings are keys and which are names of namespaces."""

from __future__ import annotations

import re

from tiered_cache.errors import InvalidKeyError

__all__ = [
    "MAX_KEY_BYTES",
    "TAG_PREFIX",
    "VIEW_SEPARATOR",
    "check_key",
    "check_namespace",
    "view_of",
]

MAX_KEY_BYTES = 65_536
"""The longest key, in bytes of UTF-8. What is longer belongs into a digest of it."""

VIEW_SEPARATOR = "\x1f"
"""Begins the keys of namespace views, and only them: the separator, the view's name, the separator
again, and the key within the view. Names can't contain it, so no two views share a key."""

TAG_PREFIX = 2 * VIEW_SEPARATOR
"""Begins the keys under which the versions of tags are: no view has an empty name."""

# Not with a dot in front: the disk tier names a directory after it.
_NAMESPACE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)


def check_key(key: str) -> str:
    """`key` itself, as an exact `str`, if it can be used as a key.

    Raises:
        InvalidKeyError: It is not a string, is empty, is longer than `MAX_KEY_BYTES`, begins with
            `VIEW_SEPARATOR`, or has lone surrogates, which no shared store can hold as text.
    """
    if type(key) is str and key.isascii() and key[:1] >= " " and len(key) <= MAX_KEY_BYTES:
        return key  # as nearly every key is
    if not isinstance(key, str):
        msg = (
            f"A key must be a string, not {type(key).__name__}: convert it yourself, so that it is "
            "clear that 1 and '1' are different keys"
        )
        raise InvalidKeyError(msg)
    if type(key) is not str:
        key = str.__str__(key)  # a StrEnum member, say, whose class other stores don't know
    if not key:
        msg = "A key must not be empty"
        raise InvalidKeyError(msg)
    if key[0] == VIEW_SEPARATOR:
        msg = "A key must not begin with U+001F, which sets namespaces apart: use namespace()"
        raise InvalidKeyError(msg, key=key)
    if len(key) > MAX_KEY_BYTES or not key.isascii():
        _check_encoded(key)
    return key


def view_of(key: str) -> str:
    """The view that a full key belongs to, such as `"a"` or, of a view of a view, `"a/b"`."""
    names = []
    start = 0
    while key.startswith(VIEW_SEPARATOR, start):
        end = key.index(VIEW_SEPARATOR, start + 1)
        names.append(key[start + 1 : end])
        start = end + 1
    return "/".join(names)


def check_namespace(name: str) -> str:
    """`name` itself if it can be the name of a namespace.

    Raises:
        InvalidKeyError: It is anything but 1 to 64 ASCII letters, digits, `_`, `-` and, not in front, `.`.
    """
    if not isinstance(name, str) or _NAMESPACE.fullmatch(name) is None:
        msg = "A namespace's name must be 1 to 64 ASCII letters, digits, '_', '-' and, not in front, '.'"
        raise InvalidKeyError(msg)
    return str.__str__(name)


def _check_encoded(key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        msg = "A key must be text that UTF-8 can hold: it has lone surrogates (an undecodable file name?)"
        raise InvalidKeyError(msg, key=key) from None
    if size > MAX_KEY_BYTES:
        msg = f"A key must not be longer than {MAX_KEY_BYTES} bytes of UTF-8, and this has {size}: use a digest of it"
        raise InvalidKeyError(msg, key=key)
