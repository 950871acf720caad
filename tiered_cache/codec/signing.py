"""Signatures, which reveal a record that was changed."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from tiered_cache.codec.envelope import length_prefixed
from tiered_cache.errors import ConfigurationError, SignatureError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MIN_SECRET_BYTES", "Keyring", "Signature", "SigningKey"]

MIN_SECRET_BYTES = 16
"""A shorter secret can be found by trial."""


class SigningKey:
    """A secret that signs records, and the 8 bytes that name it in records.

    Args:
        secret: At least 16 bytes, preferably 32 random ones. It is used through BLAKE2b only.

    Attributes:
        key_id: The first 8 bytes of a personalised BLAKE2b digest of the secret. An id implies the
            algorithm, keyed BLAKE2b-256 (RFC 7693), so a record can't choose a weaker one.

    Raises:
        ConfigurationError: The secret is too short.
    """

    __slots__ = ("_secret", "key_id")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            msg = (
                f"The signing key has {len(secret)} bytes, and needs at least {MIN_SECRET_BYTES}: "
                "make one with `python -c 'import secrets; print(secrets.token_hex(32))'`"
            )
            raise ConfigurationError(msg)
        self._secret = hashlib.blake2b(secret, digest_size=32, person=b"tcache secret").digest()
        self.key_id: bytes = hashlib.blake2b(
            secret, digest_size=8, person=b"tcache key id"
        ).digest()

    def __repr__(self) -> str:
        return f"SigningKey(id={self.key_id.hex()})"

    def signature(self, namespace: str) -> Signature:
        """The signature of records of `namespace` under this key."""
        return Signature(hashlib.blake2b(key=self._secret, digest_size=32), namespace)


class Keyring:
    """The keys that may sign the records of one namespace, by their id.

    Adding a key replaces the mapping, so any thread may read it without a lock.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._signatures: dict[bytes, Signature] = {}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(sorted(each.hex() for each in self._signatures))})"

    def add(self, key: SigningKey) -> Signature:
        """Accept records signed with `key`; return the signature that makes them."""
        signature = key.signature(self._namespace)
        self._signatures = {**self._signatures, key.key_id: signature}
        return signature

    def get(self, key_id: bytes) -> Signature | None:
        """The signature that verifies records with `key_id`; `None` for an unknown key."""
        return self._signatures.get(key_id)


class Signature:
    """Keyed BLAKE2b-256 of a record and its namespace."""

    def __init__(self, start: hashlib.blake2b, namespace: str) -> None:
        start.update(length_prefixed(namespace))
        self._start = start

    def __call__(self, parts: Iterable[bytes | memoryview]) -> bytes:
        """The signature of `parts`."""
        state = self._start.copy()
        for part in parts:
            state.update(part)
        return state.digest()

    def verify(self, found: bytes, start: bytes, rest: bytes | memoryview) -> None:
        """Raise `SignatureError` unless `found` is the signature of both; in constant time."""
        if not hmac.compare_digest(self((start, rest)), found):
            msg = "The record's signature does not match: it was changed after it was signed"
            raise SignatureError(msg)
