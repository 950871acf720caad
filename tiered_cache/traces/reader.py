"""Reader of traces: recorded traces, binary keys, text and CSV, compressed or not."""

from __future__ import annotations

import array
import csv
import gzip
import io
import lzma
import sys
from collections.abc import Hashable, Sequence  # noqa: TC003 - a NamedTuple's fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.errors import TieredCacheError
from tiered_cache.traces.format import COMPUTED, HEADER, MAGIC, RECORD, REQUESTED, VERSION, WRITTEN

if TYPE_CHECKING:
    import os

__all__ = ["Trace", "TraceError", "read_trace"]

_WORD = 8


class TraceError(TieredCacheError, ValueError):
    """A file is not a readable trace. The message names the fault and the expected format."""


class Trace(NamedTuple):
    """The requests of a cache, in order.

    Attributes:
        keys: The key of each request.
        sizes: Bytes by key, `None` if each counts 1.
        costs: Seconds by key, `None` if they were not measured.
    """

    keys: Sequence[Hashable]
    sizes: dict[Hashable, int] | None = None
    costs: dict[Hashable, float] | None = None

    @property
    def volume(self) -> int:
        """The number of different keys, or their bytes in all if sizes are known."""
        unique = set(self.keys)
        sizes = self.sizes
        return len(unique) if sizes is None else sum([sizes.get(key, 1) for key in unique])


def read_trace(path: str | os.PathLike[str], *, column: str = "key") -> Trace:
    """The trace in a file. The first bytes or the end of the name determine its format.

    - A file that `record_trace` wrote, under any name.
    - `.u64`: keys as unsigned 64-bit integers, little-endian; `.u64u64`: pairs of key and bytes.
    - `.csv`: the column `column`, and optional columns `size` (bytes) and `cost` (seconds).
    - Any other name: text with one key per line.

    A name may also end in `.xz` or `.gz`. Reads the whole file into memory.

    Raises:
        TraceError: The file is damaged, lacks the column or has no request.
        OSError: The file can't be read.
    """
    name = Path(path).name
    try:
        data = _decompressed(Path(path))
    except (lzma.LZMAError, EOFError, gzip.BadGzipFile) as error:
        msg = f"{name} is damaged, or not compressed as its name says: {error}"
        raise TraceError(msg) from error
    kind = name.removesuffix(".xz").removesuffix(".gz").rpartition(".")[2]
    if data.startswith(MAGIC):
        trace = _read_recorded(name, data)
    elif kind == "u64":
        trace = Trace(_words(name, data, 1))
    elif kind == "u64u64":
        words = _words(name, data, 2)
        trace = Trace(words[::2], dict(zip(words[::2], words[1::2], strict=True)))
    else:
        trace = _read_text(name, data, column if kind == "csv" else None)
    if not trace.keys:
        msg = f"{name} has no request"
        raise TraceError(msg)
    return trace


def _decompressed(path: Path) -> bytes:
    if path.suffix == ".xz":
        with lzma.open(path) as file:
            return file.read()
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            return file.read()
    return path.read_bytes()


def _words(name: str, data: bytes, of_a_request: int) -> array.array[int]:
    if len(data) % (_WORD * of_a_request):
        msg = f"{name} has {len(data)} bytes, which is not a multiple of {_WORD * of_a_request}"
        raise TraceError(msg)
    words = array.array("Q")
    words.frombytes(data)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _read_recorded(name: str, data: bytes) -> Trace:
    if len(data) < len(HEADER) or data[len(MAGIC)] != VERSION:
        msg = f"{name} is a recorded trace of another version than {VERSION}: use a newer release"
        raise TraceError(msg)
    whole = len(data) - (len(data) - len(HEADER)) % RECORD.size
    keys = array.array("Q")
    sizes: dict[Hashable, int] = {}
    costs: dict[Hashable, float] = {}
    for key, size, seconds, kind in RECORD.iter_unpack(data[len(HEADER) : whole]):
        if kind == REQUESTED:
            keys.append(key)
        elif kind == COMPUTED:
            costs[key] = seconds
        elif kind == WRITTEN:
            sizes[key] = size
    return Trace(keys, sizes or None, costs or None)


def _read_text(name: str, data: bytes, column: str | None) -> Trace:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{name} is not text in UTF-8 (byte {error.start}): a trace of binary keys is named .u64"
        raise TraceError(msg) from error
    if column is None:
        return Trace([line for line in text.splitlines() if line])
    rows = csv.DictReader(io.StringIO(text, newline=""))
    fields = rows.fieldnames or []
    if column not in fields:
        msg = f"{name} has no column {column!r}: its columns are {', '.join(fields) or 'none'}"
        raise TraceError(msg)
    keys: list[Hashable] = []
    sizes: dict[Hashable, int] = {}
    costs: dict[Hashable, float] = {}
    try:
        for row in rows:
            key = row[column]
            keys.append(key)
            if row.get("size"):
                sizes[key] = int(row["size"])
            if row.get("cost"):
                costs[key] = float(row["cost"])
    except (ValueError, csv.Error) as error:
        msg = f"line {rows.line_num} of {name}: {error}"
        raise TraceError(msg) from error
    return Trace(keys, sizes or None, costs or None)
