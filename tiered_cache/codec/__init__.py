"""Records: entries as bytes, in an envelope that reveals damage and forgery.

The doors and `config` import the names below. `decorators` registers result types through
`codec.annotations`.
"""

from __future__ import annotations

from tiered_cache.codec.host_key import default_host_key_path
from tiered_cache.codec.record_codec import RecordCodec
from tiered_cache.codec.type_table import TypeTable

__all__ = ["RecordCodec", "TypeTable", "default_host_key_path"]
