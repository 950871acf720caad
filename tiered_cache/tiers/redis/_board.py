"""The board of a Redis tier: one hash, shared by all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.contracts.boards import (
    MAX_NOTICE_BYTES,
    MAX_NOTICES,
    MAX_READ_BYTES,
    Notice,
    check_notice,
)
from tiered_cache.tiers.redis._resp import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache.tiers.redis._resp import Command

__all__ = ["RedisBoard"]

_KEPT_MS = 31 * 24 * 3600 * 1000
"""Lifetime of the board after its last change: a month, so that a monthly look still finds it."""

_STAMP_BYTES = 20
_NEVER = "9" * _STAMP_BYTES

# Each value begins with the instant of its expiry, in milliseconds of the server's clock.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
_PUT = Script(f"""{_NOW}
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == tonumber(ARGV[3]) then return 0 end
local ends = string.format('%0{_STAMP_BYTES}.0f', now + ARGV[2])
redis.call('HSET', KEYS[1], ARGV[1], ends .. ARGV[4])
redis.call('PEXPIRE', KEYS[1], {_KEPT_MS})
return 1
""")
_READ = Script(f"""{_NOW}
local found = {{now}}
local left = {MAX_READ_BYTES}
if redis.call('HLEN', KEYS[1]) > {10 * MAX_NOTICES} then return found end
local names = redis.call('HKEYS', KEYS[1])
table.sort(names)
for _, name in ipairs(names) do
  local size = redis.call('HSTRLEN', KEYS[1], name)
  if string.sub(name, 1, #ARGV[1]) == ARGV[1] and #name <= 256
      and size <= {_STAMP_BYTES + MAX_NOTICE_BYTES} and size <= left
      and #found < {2 * MAX_NOTICES} then
    table.insert(found, name)
    if ARGV[2] == 'names' then
      table.insert(found, '')
    else
      table.insert(found, redis.call('HGET', KEYS[1], name))
      left = left - size
    end
  end
end
return found
""")
# ARGV: for each name its expected notice and its new notice. An empty string means "no notice", so
# each notice has a letter in front.
_SWAP = Script(f"""
for i = 1, #ARGV, 3 do
  local there = redis.call('HGET', KEYS[1], ARGV[i])
  local expected = ARGV[i + 1]
  if expected == '' then
    if there then return 0 end
  elseif not there or string.sub(there, {_STAMP_BYTES + 1}) ~= string.sub(expected, 2) then
    return 0
  end
end
for i = 1, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], '{_NEVER}' .. string.sub(ARGV[i + 2], 2))
  end
end
redis.call('PEXPIRE', KEYS[1], {_KEPT_MS})
return 1
""")


class RedisBoard:
    """Implements `Board` for hosts that share a server, by the server's clock.

    Each method is one script on one key, in one round trip.

    Args:
        call_all: Sends commands and returns their replies, within the tier's own deadline.
        tier: The tier's name, for errors.
    """

    def __init__(
        self, call_all: Callable[[str, str | None, Sequence[Command], float], list[Any]], tier: str
    ) -> None:
        self._call_all = call_all
        self._tier = tier
        self._key = b""

    def open(self, key: bytes) -> None:
        """Set the name of the hash."""
        self._key = key

    def _call(self, operation: str, script: Script, arguments: Sequence[object]) -> Any:
        (reply,) = self._call_all(operation, None, [script.call([self._key], arguments)], 0.0)
        return reply

    def put(self, name: str, data: bytes, lifetime_s: float, *, new: bool = False) -> bool:
        """Publish a notice."""
        check_notice(data, self._tier)
        lifetime_ms = int(min(lifetime_s * 1000, _KEPT_MS))
        return bool(self._call("put_notice", _PUT, (name, lifetime_ms, int(new), data)))

    def read(self, prefix: str) -> Sequence[Notice]:
        """The notices with names that begin with `prefix`."""
        now_ms, *found = self._call("read_notices", _READ, (prefix, "all"))
        notices = []
        for name, value in zip(found[::2], found[1::2], strict=True):
            ends = value[:_STAMP_BYTES]
            if name.isascii() and ends.isdigit():
                left_s = (int(ends) - now_ms) / 1000
                notices.append(Notice(name.decode(), value[_STAMP_BYTES:], left_s))
        return notices

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin with `prefix`."""
        _, *found = self._call("read_notices", _READ, (prefix, "names"))
        return [name.decode() for name in found[::2] if name.isascii()]

    def swap(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bool:
        """Replace the notices `old` by `new`, if all of `old` are unchanged."""
        arguments: list[object] = []
        for name in dict.fromkeys((*old, *new)):
            expected, notice = old.get(name), new.get(name)
            if notice is not None:
                check_notice(notice, self._tier)
            arguments += (
                name,
                b"" if expected is None else b"=" + expected,
                b"" if notice is None else b"=" + notice,
            )
        return bool(self._call("swap_notices", _SWAP, arguments))

    def remove(self, names: Sequence[str]) -> None:
        """Remove notices."""
        if names:
            self._call_all("remove_notices", None, [("HDEL", self._key, *names)], 0.0)
