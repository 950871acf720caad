"""The codec: entries to records and back, under the rules for who may read and write them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from tiered_cache.codec.auto import AutoSerializer
from tiered_cache.codec.envelope import (
    PLAIN,
    SERIALIZER_AUTO,
    SERIALIZER_PICKLE,
    Head,
    read_as_of,
    read_fields,
    read_head,
    seal,
    sealed_parts,
)
from tiered_cache.codec.extensions import NotPlainError
from tiered_cache.codec.host_key import default_host_key_path, host_key, read_host_key
from tiered_cache.codec.signing import Checksum, Keyring, Signature, SigningKey
from tiered_cache.codec.type_registry import TypeRegistry
from tiered_cache.contracts import Reach
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

    A value of plain data and registered types is written as such. Any other value is pickled, and
    only ever inside a signed record: with the host key for a tier that one user of one host
    shares, with `shared_key` for one that hosts share. Nothing is unpickled, nor decoded at all,
    before the signature of a signed record was verified (law 9).

    Args:
        namespace: The cache's namespace. It is part of every checksum and signature, so a record
            that is copied into another namespace is refused there.
        registry: The user-defined types that need no pickle.
        shared_key: A secret of at least 16 bytes that all hosts have. If there is one, every
            record is signed with it, and unsigned records are refused: so that a store which
            others can write to can't make up values.
        host_key_path: Where the host key is, by default under the user's data directory. It must
            not be inside a directory that others can write to. The file is made when the first
            value needs it, and looked for when the first record names it.

    Raises:
        ConfigurationError: `shared_key` is too short.
    """

    def __init__(
        self,
        namespace: str,
        *,
        registry: TypeRegistry | None = None,
        shared_key: bytes | None = None,
        host_key_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self.registry = TypeRegistry() if registry is None else registry
        self._auto = AutoSerializer(self.registry)
        self._checksum = Checksum(namespace)
        self._keyring = Keyring(namespace)
        self._host_key_path = Path(host_key_path) if host_key_path else None
        self._host: tuple[Head, Signature] | None = None
        self._shared: tuple[Head, Signature] | None = None
        if shared_key is not None:
            self._shared = self._accept(SigningKey(shared_key))

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of `entry`, readable wherever a tier of `reach` is shared.

        Costs a walk through the value in Python. Makes the host key where the first value needs
        one, which writes a file.

        Raises:
            SerializationError: The value can't be written under the rules for `reach`; the
                message says what to do.
        """
        try:
            payload = self._serialize(entry.value)
        except NotPlainError as error:
            return self._encode_pickled(key, entry, reach, error)
        if self._shared is not None:
            head, signature = self._shared
            return seal(key, entry, payload, head, signature)
        return seal(key, entry, payload, PLAIN, self._checksum)

    def decode(self, key: str, record: bytes) -> Entry:
        """The entry of a record that some tier held for `key`.

        Raises:
            CorruptRecordError: The record is damaged, or of another namespace.
            ForeignRecordError: The bytes are no record, or that of another key.
            SignatureError: The record must be signed, and is not, or not by a key of ours.
            UnsupportedRecordError: It needs a newer reader, or a type that is not known here.
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
        """As of when a record's value holds, by its unverified header; `-inf` for other bytes."""
        return read_as_of(record)

    def fingerprint(self, value: object) -> bytes:
        """A digest that changes when `value` is changed; costs as much as writing it.

        Raises:
            SerializationError: The value can neither be serialized nor pickled.
        """
        try:
            data = self._serialize(value)
        except NotPlainError:
            data = _pickled(value)
        return xxhash.xxh3_128_digest(data)

    def _serialize(self, value: object) -> bytes:
        try:
            return self._auto.encode(value)
        except NotPlainError:
            raise
        except Exception as error:  # a registered type's to_plain may raise anything
            msg = (
                f"A value of type {_name(value)} can't be written: a registered type in it, or a "
                f"change to it meanwhile, raised {type(error).__name__}"
            )
            raise SerializationError(msg) from error

    def _encode_pickled(self, key: str, entry: Entry, reach: Reach, why: NotPlainError) -> bytes:
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
        """The host key's; made if there is none. Threads that do this at once get the same key."""
        if self._host is None:
            self._host = self._accept(host_key(self._host_key_path or default_host_key_path()))
        return self._host

    def _accept(self, key: SigningKey) -> tuple[Head, Signature]:
        return Head(SERIALIZER_AUTO, signed=True, key_id=key.key_id), self._keyring.add(key)

    def _verifier(self, head: Head) -> Checksum | Signature:
        """What must verify a record with this head, before anything in it is used."""
        if not head.signed:
            if head.serializer == SERIALIZER_PICKLE:
                msg = "The record is pickled and not signed: it was not written by tiered_cache"
                raise SignatureError(msg)
            if self._shared is not None:
                msg = (
                    "The record is not signed, and this cache has a signing key: it was written "
                    "before the key was set, or by somebody who does not have it"
                )
                raise SignatureError(msg)
            return self._checksum
        signature = self._keyring.get(head.key_id) or self._find_key(head.key_id)
        if signature is None:
            msg = f"The record is signed with the key {head.key_id.hex()}, which is not one of ours"
            raise SignatureError(msg)
        return signature

    def _find_key(self, key_id: bytes) -> Signature | None:
        """The signature of the host key as it is now, if that is what `key_id` names.

        Once the file has been replaced, other processes sign with the new key: so does this one.
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
    except Exception as error:  # pickling runs the classes' own code, which may raise anything
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
