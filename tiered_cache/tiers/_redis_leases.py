"""Leases for hosts that share a Redis or Valkey server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tiered_cache.forking import call_in_child
from tiered_cache.leases import LeaseAnswer
from tiered_cache.tiers._redis_script import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.tiers._redis_wire import Command

__all__ = ["RedisLeases"]

_REMEMBERED_MS = 3_600_000
_DONE_MS = 10_000
_POLL_S = 0.02

# A lease is "<end, in ms of the server's clock> <whether anybody waits> <owner>".
_ACQUIRE = Script(f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('GET', KEYS[1])
if held then
  local ends, owner = string.match(held, '^(%d+) %d (.*)$')
  if ends and tonumber(ends) > now then
    redis.call('SET', KEYS[1], ends .. ' 1 ' .. owner, 'KEEPTTL')
    return {{0, tonumber(ends) - now}}
  end
end
local mine = string.format('%.0f', now + ARGV[2]) .. ' 0 ' .. ARGV[1]
redis.call('SET', KEYS[1], mine, 'PX', ARGV[2] + {_REMEMBERED_MS})
if held then return {{2, 0}} end
return {{1, 0}}
""")
_RENEW = Script(f"""
local held = redis.call('GET', KEYS[1])
local waited, owner = string.match(held or '', '^%d+ (%d) (.*)$')
if owner ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mine = string.format('%.0f', now + ARGV[2]) .. ' ' .. waited .. ' ' .. owner
redis.call('SET', KEYS[1], mine, 'PX', ARGV[2] + {_REMEMBERED_MS})
return 1
""")
_RELEASE = Script("""
local waited, owner = string.match(redis.call('GET', KEYS[1]) or '', '^%d+ (%d) (.*)$')
if owner ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return tonumber(waited)
""")


class RedisLeases:
    """Implements `Leases` for hosts that share a server, by the server's clock.

    Each request is one script on one key. Who waits blocks on a stream, to which the holder adds
    when he gives the lease back and somebody waits; that costs a second round trip.

    Args:
        ask: Sends commands and gives their replies, within the tier's own deadline and that many
            seconds more.
        name: Makes a server's key of a kind and a cache's key.
        max_waiting: How many connections may be blocked by waiting; past that, who waits polls.
    """

    def __init__(
        self,
        ask: Callable[[str, str, Sequence[Command], float], list[Any]],
        name: Callable[[str, str], bytes],
        max_waiting: int,
    ) -> None:
        self._ask = ask
        self._name = name
        self._max_waiting = max_waiting
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._may_block = threading.Semaphore(self._max_waiting)

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Ask for the lease of `key`."""
        acquire = _ACQUIRE.call([self._name("lease", key)], (owner, int(lifetime_s * 1000)))
        newest = ("XREVRANGE", self._name("done", key), "+", "-", "COUNT", 1)
        # In this order: what is added between the two would else be waited for in vain.
        entries, (state, left_ms) = self._ask("acquire", key, [newest, acquire], 0.0)
        if state:
            return LeaseAnswer(granted=True, taken_over=state == 2)
        seen = entries[0][0] if entries else b"0-0"
        return LeaseAnswer(granted=False, ends_in_s=left_ms / 1000, seen=seen)

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Have `lifetime_s` seconds from now; false if somebody else was given the lease."""
        name = self._name("lease", key)
        renew = _RENEW.call([name], (owner, int(lifetime_s * 1000)))
        return bool(self._ask("renew", key, [renew], 0.0)[0])

    def release(self, key: str, owner: str) -> None:
        """Give the lease back; who waits is woken."""
        release = _RELEASE.call([self._name("lease", key)], (owner,))
        if self._ask("release", key, [release], 0.0)[0]:
            done = self._name("done", key)
            tell = ("XADD", done, "MAXLEN", 1, "*", "", "")
            self._ask("release", key, [tell, ("PEXPIRE", done, _DONE_MS)], 0.0)

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Block until the lease is given back, or `timeout_s` is over."""
        may_block = self._may_block
        if not may_block.acquire(blocking=False):
            time.sleep(min(timeout_s, _POLL_S))
            return
        block_ms = max(1, int(timeout_s * 1000))
        done = self._name("done", key)
        try:
            self._ask("wait", key, [("XREAD", "BLOCK", block_ms, "STREAMS", done, seen)], timeout_s)
        finally:
            may_block.release()
