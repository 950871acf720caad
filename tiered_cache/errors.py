"""Every exception that tiered_cache raises; all share the root `TieredCacheError`.

The attributes `tier`, `operation` and `key` say where it happened, as far as that is known, and
`__cause__` holds the library's own exception. No message contains a value or a secret.
"""

from __future__ import annotations

__all__ = [
    "CacheClosedError",
    "ComputationTimeoutError",
    "ConfigurationError",
    "CorruptRecordError",
    "ForeignRecordError",
    "InvalidDurationError",
    "InvalidKeyError",
    "JournalError",
    "MissingExtraError",
    "QueueFullError",
    "RecordError",
    "RecordRefusedError",
    "SerializationError",
    "SignatureError",
    "TierError",
    "TierTimeoutError",
    "TierUnavailableError",
    "TieredCacheError",
    "UnsupportedRecordError",
]

_KEY_SHOWN = 80


class TieredCacheError(Exception):
    """The root of all exceptions of this package.

    Args:
        message: What happened and what to do about it.
        tier: The tier's name, where one was involved.
        operation: The tier operation, such as `"get"`.
        key: The key that was asked for; shortened when it is shown.
    """

    def __init__(
        self,
        message: str,
        *,
        tier: str | None = None,
        operation: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.tier = tier
        self.operation = operation
        self.key = key

    def __str__(self) -> str:
        details = []
        if self.tier is not None:
            details.append(f"tier={self.tier}")
        if self.operation is not None:
            details.append(f"operation={self.operation}")
        if self.key is not None:
            details.append(f"key={show_key(self.key)}")
        return f"{self.message} [{', '.join(details)}]" if details else self.message


class ConfigurationError(TieredCacheError, ValueError):
    """A cache was asked for that can't be built; the message says what to change."""


class MissingExtraError(ConfigurationError, ImportError):
    """A feature needs an optional dependency that is not installed."""


class InvalidKeyError(TieredCacheError, TypeError, ValueError):
    """A key is not a usable string, or arguments have no stable key."""


class InvalidDurationError(TieredCacheError, ValueError):
    """A duration or a size is not a usable number or string."""


class CacheClosedError(TieredCacheError, RuntimeError):
    """The cache was used after `close()`."""


class SerializationError(TieredCacheError, TypeError):
    """A value can't be turned into bytes under the rules of the tier that should hold it."""


class ComputationTimeoutError(TieredCacheError, TimeoutError):
    """A caller waited for another one's computation for as long as `SingleFlight` says."""


class QueueFullError(TieredCacheError, TimeoutError):
    """A write found no room in the write-back queue within its deadline; nothing was written."""


class JournalError(TieredCacheError, OSError):
    """The journal of queued writes can't be written or read."""


class TierError(TieredCacheError):
    """A tier failed; callers see this only where they chose `strict`."""


class TierUnavailableError(TierError, ConnectionError):
    """A tier can't be reached or is broken as a whole. Opens its breaker when repeated."""


class TierTimeoutError(TierUnavailableError, TimeoutError):
    """A tier did not answer within its deadline."""


class RecordRefusedError(TierError):
    """A healthy tier does not take this one record, because of its size, say."""


class RecordError(TieredCacheError):
    """Bytes from a tier are not a record that can be used; on the read path this is a miss."""


class CorruptRecordError(RecordError):
    """The bytes are damaged or truncated: lengths or the checksum don't agree."""


class ForeignRecordError(RecordError):
    """The bytes were not written by tiered_cache, or belong to another key or namespace."""


class UnsupportedRecordError(RecordError):
    """The record's version, serializer or flags are newer than this reader."""


class SignatureError(RecordError):
    """The record needs a signature, and has none that one of our keys verifies."""


def show_key(key: str) -> str:
    """`key` for a message or a log line: escaped, on one line, and its first 80 characters."""
    if len(key) <= _KEY_SHOWN:
        return repr(key)
    return f"{key[:_KEY_SHOWN]!r}… ({len(key)} characters)"
