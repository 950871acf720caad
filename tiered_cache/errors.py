"""Every exception that tiered_cache raises; `TieredCacheError` is the root of all.

The attributes `tier`, `operation` and `key` name the place of the failure, as far as it is known.
`remedy` is the last part of the message, or `None` if the remedy is not given separately.
`__cause__` is the underlying library's exception. No message contains a value or a secret.
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
    "InvalidSizeError",
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
        message: The failure, and the remedy.
        tier: The name of the tier, where one was involved.
        operation: The tier operation, such as `"get"`.
        key: The full key. `str()` shows its first 80 characters.
        remedy: The last part of `message`; `None` if it is not given separately.
    """

    def __init__(
        self,
        message: str,
        *,
        tier: str | None = None,
        operation: str | None = None,
        key: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.tier = tier
        self.operation = operation
        self.key = key
        self.remedy = remedy

    @property
    def fault(self) -> str:
        """The message without its remedy."""
        return self.message.removesuffix(self.remedy or "").rstrip(" :;")

    def __str__(self) -> str:
        details: list[str] = []
        if self.tier is not None:
            details.append(f"tier={self.tier}")
        if self.operation is not None:
            details.append(f"operation={self.operation}")
        if self.key is not None:
            details.append(f"key={show_key(self.key)}")
        return f"{self.message} [{', '.join(details)}]" if details else self.message


class ConfigurationError(TieredCacheError, ValueError):
    """A cache can't be built from its arguments or settings; the message names the change to make."""


class MissingExtraError(ConfigurationError, ImportError):
    """A feature needs an optional dependency that is not installed."""


class InvalidKeyError(TieredCacheError, TypeError, ValueError):
    """A key is not a usable string, or arguments of a function have no stable key."""


class InvalidDurationError(TieredCacheError, ValueError):
    """A duration is not a number of seconds, a `timedelta` or text such as `"10m"`, or out of range."""


class InvalidSizeError(TieredCacheError, ValueError):
    """A size is not a number of bytes or text such as `"512MiB"`, or is out of range."""


class CacheClosedError(TieredCacheError, RuntimeError):
    """The cache was used after `close()`."""


class SerializationError(TieredCacheError, TypeError):
    """A value can't be written as a record under the rules of the tier that should hold it."""


class ComputationTimeoutError(TieredCacheError, TimeoutError):
    """A waiter reached the timeout of `SingleFlight` before the leader finished."""


class QueueFullError(TieredCacheError, TimeoutError):
    """The write-back queue had no room for a write within the deadline; nothing was written."""


class JournalError(TieredCacheError, OSError):
    """The journal of queued writes can't be written or read."""


class TierError(TieredCacheError):
    """A tier failed. Only a `strict` cache raises this to its caller."""


class TierUnavailableError(TierError, ConnectionError):
    """A tier can't be reached, or failed as a whole. Repeated, it opens the tier's breaker."""


class TierTimeoutError(TierUnavailableError, TimeoutError):
    """A tier did not answer within its deadline."""


class RecordRefusedError(TierError):
    """A healthy tier refused one record, for example because of its size. Opens no breaker."""


class RecordError(TieredCacheError):
    """Bytes from a tier are not a usable record. A lookup counts this as a miss."""


class CorruptRecordError(RecordError):
    """The bytes are damaged or truncated: their lengths or their checksum don't agree."""


class ForeignRecordError(RecordError):
    """The bytes are not a record of tiered_cache, or belong to another key or namespace."""


class UnsupportedRecordError(RecordError):
    """The record needs a newer reader, or a type that is not registered here."""


class SignatureError(RecordError):
    """The record needs a signature, and no key of this process verifies the one it has."""


def show_key(key: str) -> str:
    """`key` for a message or log line: escaped, on one line, cut to its first 80 characters."""
    if len(key) <= _KEY_SHOWN:
        return repr(key)
    return f"{key[:_KEY_SHOWN]!r}… ({len(key)} characters)"
