r"""The format of traces that `record_trace` writes: a header, and records of one size.

The header is 16 bytes: the magic `89 54 43 54 52 41 43 45` (`\x89TCTRACE`), the version 1 as one
byte, and 7 zeros. A record is 20 bytes, little-endian: the key's XXH3-64 (8), bytes (4), seconds
as an IEEE 754 single (4), the kind (1), 3 zeros. A reader skips records of an unknown kind and a
truncated last record.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["COMPUTED", "HEADER", "MAGIC", "RECORD", "REQUESTED", "VERSION", "WRITTEN"]

MAGIC: Final = b"\x89TCTRACE"
VERSION: Final = 1
HEADER: Final = MAGIC + bytes([VERSION]) + bytes(7)
RECORD: Final = struct.Struct("<QIfB3x")

REQUESTED: Final = 1
"""A lookup of the key, with any outcome; bytes and seconds are 0."""
COMPUTED: Final = 2
"""A computation for the key, with its seconds."""
WRITTEN: Final = 3
"""A write of the key, with the bytes of its record."""
