"""The part of `diskcache` that stores keys and values: text and bytes only, never pickles.

`diskcache` 5.6.3 pickles values of unknown types, and unpickles each row that its database marks as
a pickle (CVE-2025-69872). This class returns rows as bytes only, and reads files only from inside
the cache's own directory.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING, Any

import diskcache

from tiered_cache.errors import CorruptRecordError, RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["BytesDisk"]

MODE_RAW = 1
_MODE_BINARY = 2
_VALUE_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val", re.ASCII)


_Disk: Any = diskcache.Disk  # untyped: a checker infers wrong types


class BytesDisk(_Disk):  # type: ignore[misc] # of an untyped class
    """A `diskcache.Disk` for `str` keys and `bytes` values only.

    Args:
        directory: The cache's directory; files are read from below it only.
        max_value_bytes: The longest value that is stored or read.
        options: Options of `diskcache.Disk`.
    """

    def __init__(self, directory: str, max_value_bytes: int = 2**28, **options: Any) -> None:
        super().__init__(directory, **options)
        self.max_value_bytes = int(max_value_bytes)
        self._local = threading.local()

    def put(self, key: object) -> tuple[str, bool]:
        """The database key of `key`; `RecordRefusedError` unless it is a `str`."""
        if type(key) is not str:
            msg = f"a disk tier's key must be a str, not {type(key).__name__}"
            raise RecordRefusedError(msg)
        return key, True

    def get(self, key: object, raw: object) -> str:
        """The key of a database key; `CorruptRecordError` for a pickled one, which is foreign."""
        if type(key) is not str or not raw:
            msg = "a row's key is not text"
            raise CorruptRecordError(msg)
        return key

    def store(self, value: Any, read: bool, key: object = None) -> Any:
        """The columns that store `value`; `RecordRefusedError` if it is too long or not `bytes`."""
        if type(value) is not bytes or read:
            msg = f"a disk tier holds bytes, not {type(value).__name__}"
            raise RecordRefusedError(msg)
        if len(value) > self.max_value_bytes:
            msg = f"the record's {len(value)} bytes are more than max_value_bytes={self.max_value_bytes}"
            raise RecordRefusedError(msg)
        return super().store(value, read, key=key)

    def filename(self, key: object = None, value: object = None) -> tuple[str, str]:
        """The name and the path of a new file, which `undo_files` notes."""
        name, path = super().filename(key, value)
        written = getattr(self._local, "written", None)
        if written is not None:
            written.append(name)
        return name, path

    @contextlib.contextmanager
    def undo_files(self) -> Generator[None]:
        """Remove the files that this thread writes in the block, if the block raises.

        No committed row names them then.
        """
        written: list[str] = []
        self._local.written = written
        try:
            yield
        except BaseException:
            for filename in written:
                self.remove(filename)
            raise
        finally:
            self._local.written = None

    def remove(self, file_path: object) -> None:
        """Remove a row's file; a name that diskcache does not make is left alone.

        A foreign row could name any file that this user may remove.
        """
        if type(file_path) is str and _VALUE_FILE.fullmatch(file_path):
            super().remove(file_path)

    def fetch(self, mode: object, filename: object, value: object, read: object) -> bytes:
        """The bytes of a row, from the row itself or from its file.

        Raises:
            CorruptRecordError: The row or the file was not written by a disk tier.
            FileNotFoundError: The file is missing.
        """
        if mode == MODE_RAW and type(value) is bytes and not read:
            return value
        if mode != _MODE_BINARY or read:
            msg = f"a row holds mode {mode!r} instead of bytes"
            raise CorruptRecordError(msg)
        return self._read_file(filename)

    def _read_file(self, filename: object) -> bytes:
        found = self.read_head(filename, self.max_value_bytes + 1)
        if len(found) > self.max_value_bytes:
            msg = f"a file is longer than max_value_bytes={self.max_value_bytes}"
            raise CorruptRecordError(msg)
        return found

    def read_head(self, filename: object, size: int) -> bytes:
        """The first `size` bytes of a row's file.

        Raises:
            CorruptRecordError: The file has no name of diskcache's pattern.
            OSError: The file is missing or can't be opened. diskcache takes that as a sign that the
                row was just removed.
        """
        if type(filename) is not str or _VALUE_FILE.fullmatch(filename) is None:
            msg = "a row's file lies outside the cache directory"
            raise CorruptRecordError(msg)
        # O_NOFOLLOW and O_NONBLOCK: another user of the directory could have put a link or a pipe
        # in the file's place.
        path = os.path.join(self._directory, filename)  # noqa: PTH118 - it runs on every hit
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:  # noqa: PTH123 - of a descriptor
            return file.read(size)
