"""The codec: turns entries into records and back, under the rules of pickling and signing."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from tiered_cache.codec.auto_serializer import AutoSerializer
from tiered_cache.codec.envelope import (
    PLAIN,
    SERIALIZER_AUTO,
    SERIALIZER_PICKLE,
    Checksum,
    Head,
    read_as_of,
    read_fields,
    read_head,
    read_is_computed,
    seal,
    sealed_parts,
)
from tiered_cache.codec.host_key import default_host_key_path, host_key, read_host_key
from tiered_cache.codec.signing import Keyring, Signature, SigningKey
from tiered_cache.codec.type_table import TypeTable
from tiered_cache.contracts import NotPlain, Reach
from tiered_cache.entry import Entry
from tiered_cache.errors import (
    ConfigurationError,
    RecordError,
    SerializationError,
    SignatureError,
    UnsupportedRecordError,
)

if TYPE_CHECKING:
    import os

__all__ = ["RecordCodec"]

_PICKLE_PROTOCOL = 5


class RecordCodec:
    """Writes and reads records of format version 1. Thread-safe.

    A value of plain data and registered types is written by the serializer `auto`. Any other value
    is pickled, always inside a signed record. A tier that hosts share needs `shared_key` for that;
    a tier of one user on one host uses the host key. No byte of a signed record is decoded or
    unpickled before its signature is verified (law 9).

    Args:
        namespace: The cache's namespace. It is part of every checksum and signature, so a record
            that is copied into another namespace is refused there.
        registry: The user-defined types that need no pickle.
        shared_key: A secret of at least 16 bytes that all hosts have. With it, every record is
            signed and unsigned records are refused, so another writer to the store can't forge
            values.
        host_key_path: The file of the host key, by default under the user's data directory. Other
            users must not be able to write to its directory. The file is made for the first value
            that needs it, and read for the first record that names it.

    Raises:
        ConfigurationError: `shared_key` is too short.
    """

    def __init__(
        self,
        namespace: str,
        *,
        registry: TypeTable | None = None,
        shared_key: bytes | None = None,
        host_key_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self.registry: TypeTable = TypeTable() if registry is None else registry
        self._auto = AutoSerializer(self.registry)
        self._checksum = Checksum(namespace)
        self._keyring = Keyring(namespace)
        self._host_key_path = Path(host_key_path) if host_key_path else None
        self._host: tuple[Head, Signature] | None = None
        self._shared: tuple[Head, Signature] | None = None
        if shared_key is not None:
            self._shared = self._accept(SigningKey(shared_key))

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of `entry`, readable by every process that shares a tier of `reach`.

        Costs a walk through the value in Python. The first value that needs the host key makes its
        file.

        Raises:
            SerializationError: The value can't be written under the rules for `reach`. The message
                names the remedies.
        """
        try:
            payload = self._serialize(entry.value)
        except NotPlain as error:
            return self._encode_pickled(key, entry, reach, error)
        if self._shared is not None:
            head, signature = self._shared
            return seal(key, entry, payload, head, signature)
        return seal(key, entry, payload, PLAIN, self._checksum)

    def decode(self, key: str, record: bytes) -> Entry:
        """The entry in a record that a tier holds for `key`.

        Raises:
            CorruptRecordError: The record is damaged, or of another namespace.
            ForeignRecordError: The bytes are not a record, or are the record of another key.
            SignatureError: The record needs a signature, and has none by a key of this codec.
            UnsupportedRecordError: It needs a newer reader, or a type that is unknown here.
        """
        try:
            head = read_head(record)
            self._verifier(head).verify(*sealed_parts(record))
            created_s, fresh_s, stale_s, cost_s, lead_s, tags, generation, payload = read_fields(
                key, record
            )
            if head.serializer == SERIALIZER_PICKLE:
                value = _unpickled(payload)
            else:
                value = self._auto.decode(payload)
        except RecordError as error:
            error.key = key
            raise
        return Entry(
            value,
            created_s=created_s,
            fresh_until_s=fresh_s,
            stale_until_s=stale_s,
            cost_s=cost_s,
            lead_s=lead_s,
            tags=tags,
            generation=generation,
            size_bytes=len(record),
        )

    def as_of(self, record: bytes) -> float:
        """The instant of a record's value, by its unverified header; `-inf` for other bytes."""
        return read_as_of(record)

    def is_computed(self, record: bytes) -> bool:
        """Whether a record's value was computed, by its unverified header."""
        return read_is_computed(record)

    def fingerprint(self, value: object) -> bytes:
        """A digest of `value` that reveals a change to it. Costs as much as writing it.

        Raises:
            SerializationError: The value can be neither serialized nor pickled.
        """
        try:
            data = self._serialize(value)
        except NotPlain:
            data = _pickled(value)
        return xxhash.xxh3_128_digest(data)

    def _serialize(self, value: object) -> bytes:
        try:
            return self._auto.encode(value)
        except NotPlain:
            raise
        except Exception as error:  # a registered type's to_plain may raise anything
            msg = (
                f"A value of type {_name(value)} can't be written: the to_plain of a registered "
                f"type, or a change to the value meanwhile, raised {type(error).__name__}"
            )
            raise SerializationError(msg) from error

    def _encode_pickled(self, key: str, entry: Entry, reach: Reach, why: NotPlain) -> bytes:
        if reach is Reach.CLUSTER and self._shared is None:
            msg = (
                f"A value of type {_name(entry.value)} can't be written to a tier that hosts "
                f"share: {why}. Register the type, return plain data, or set the shared signing "
                "key (setting signing_key, TIERED_CACHE_SIGNING_KEY)"
            )
            raise SerializationError(msg)
        payload = _pickled(entry.value)
        try:
            head, signature = self._shared or self._host_signature()
        except ConfigurationError as error:
            msg = f"A value of type {_name(entry.value)} can't be pickled ({why}). {error}"
            raise SerializationError(msg) from error
        return seal(key, entry, payload, head._replace(serializer=SERIALIZER_PICKLE), signature)

    def _host_signature(self) -> tuple[Head, Signature]:
        """The head and signature of the host key, which is made if it is missing.

        Threads that make it at the same time get the same key.
        """
        if self._host is None:
            self._host = self._accept(host_key(self._host_key_path or default_host_key_path()))
        return self._host

    def _accept(self, key: SigningKey) -> tuple[Head, Signature]:
        return Head(SERIALIZER_AUTO, signed=True, key_id=key.key_id), self._keyring.add(key)

    def _verifier(self, head: Head) -> Checksum | Signature:
        """The checksum or signature to verify before any use of a record with this head."""
        if not head.signed:
            if head.serializer == SERIALIZER_PICKLE:
                msg = "The record is pickled and not signed: it was not written by tiered_cache"
                raise SignatureError(msg)
            if self._shared is not None:
                msg = (
                    "The record is not signed, and this cache has a signing key: it was written "
                    "before the key was set, or by a process without the key"
                )
                raise SignatureError(msg)
            return self._checksum
        signature = self._keyring.get(head.key_id) or self._find_key(head.key_id)
        if signature is None:
            msg = f"The record is signed with the key {head.key_id.hex()}, which is not one of ours"
            raise SignatureError(msg)
        return signature

    def _find_key(self, key_id: bytes) -> Signature | None:
        """The signature of the present host key, if its id is `key_id`.

        When the file was replaced, other processes sign with the new key. Then so does this one.
        """
        try:
            key = read_host_key(self._host_key_path or default_host_key_path())
        except ConfigurationError as error:
            raise SignatureError(error.message) from error
        if key is None or key.key_id != key_id:
            return None
        self._host = self._accept(key)
        return self._host[1]


def _pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value, _PICKLE_PROTOCOL)
    except Exception as error:  # pickling runs code of the classes, which may raise anything
        msg = (
            f"A value of type {_name(value)} can't be written: it is neither plain data nor a "
            f"registered type, and pickling it raised {type(error).__name__}. Register the type, "
            "or return plain data"
        )
        raise SerializationError(msg) from error


def _unpickled(payload: bytes | memoryview) -> Any:
    try:
        return pickle.loads(payload)  # noqa: S301 - the caller has verified the signature
    except Exception as error:
        msg = f"The record can't be unpickled here ({type(error).__name__}): a class may have moved"
        raise UnsupportedRecordError(msg) from error


def _name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
