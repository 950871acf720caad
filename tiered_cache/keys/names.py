"""The rules for keys and for names of namespaces."""

from __future__ import annotations

import re

from tiered_cache.errors import InvalidKeyError, show_key

__all__ = [
    "MAX_KEY_BYTES",
    "TAG_PREFIX",
    "VIEW_SEPARATOR",
    "check_key",
    "check_namespace",
    "view_of",
]

MAX_KEY_BYTES = 65_536
"""The length of the longest key, in bytes of UTF-8."""

VIEW_SEPARATOR = "\x1f"
"""The first character of keys in namespace views, and of no other keys.

Such a key is the separator, the name of the view, the separator, and the key within the view. Names
can't contain the separator, so no two views share a key."""

TAG_PREFIX = 2 * VIEW_SEPARATOR
"""The prefix of the keys of tag versions. No view has an empty name, so no other key begins so."""

# No dot in front: the name is also a directory of the disk tier, which would be hidden.
_NAMESPACE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)


def check_key(key: str) -> str:
    """`key` as an exact `str`, if it is a usable key.

    Raises:
        InvalidKeyError: It is not a string, is empty, is longer than `MAX_KEY_BYTES`, begins with
            `VIEW_SEPARATOR`, or has lone surrogates, which no shared store can hold as text.
    """
    if type(key) is str and key.isascii() and key[:1] >= " " and len(key) <= MAX_KEY_BYTES:
        return key  # nearly every key
    if not isinstance(key, str):
        msg = (
            f"A key must be a string, not {type(key).__name__}: convert it yourself, for example "
            "with repr(), which keeps 1 and '1' apart"
        )
        raise InvalidKeyError(msg)
    if type(key) is not str:
        key = str.__str__(key)  # for example a member of a StrEnum, which shared stores don't know
    if not key:
        msg = "A key must not be empty"
        raise InvalidKeyError(msg)
    if key[0] == VIEW_SEPARATOR:
        msg = "A key must not begin with U+001F, which separates namespaces: use namespace()"
        raise InvalidKeyError(msg, key=key)
    if len(key) > MAX_KEY_BYTES or not key.isascii():
        _check_encoded(key)
    return key


def view_of(key: str) -> str:
    """The view of a full key, such as `"a"`, or `"a/b"` for a view of a view; `""` for none."""
    names = []
    start = 0
    while key.startswith(VIEW_SEPARATOR, start):
        end = key.index(VIEW_SEPARATOR, start + 1)
        names.append(key[start + 1 : end])
        start = end + 1
    return "/".join(names)


def check_namespace(name: str) -> str:
    """`name` as an exact `str`, if it is a usable name of a namespace.

    Raises:
        InvalidKeyError: It is not 1 to 64 ASCII letters, digits, `_`, `-` and, except in front, `.`.
    """
    if not isinstance(name, str) or _NAMESPACE.fullmatch(name) is None:
        shown = show_key(name) if isinstance(name, str) else repr(name)
        msg = f"{shown} is not a name of a namespace: expected 1 to 64 ASCII letters, digits, '_', '-' and, except in front, '.'"
        raise InvalidKeyError(msg)
    return str.__str__(name)


def _check_encoded(key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        msg = "A key must be text that UTF-8 can hold, without lone surrogates, which undecodable file names have: use a digest of it"
        raise InvalidKeyError(msg, key=key) from None
    if size > MAX_KEY_BYTES:
        msg = f"A key must be at most {MAX_KEY_BYTES} bytes of UTF-8, and this one has {size}: use a digest of it"
        raise InvalidKeyError(msg, key=key)
