"""Leases for hosts that share a Redis or Valkey server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import call_in_child
from tiered_cache.contracts.leases import LeaseAnswer
from tiered_cache.tiers.redis._resp import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.tiers.redis._client import RedisClient, Steps

__all__ = ["POLL_S", "LeaseCommands", "RedisLeases"]

_REMEMBERED_MS = 3_600_000
_DONE_MS = 10_000
POLL_S = 0.02
"""Poll interval of a waiter when no connection is free to block."""

# A lease is "<end, in ms of the server's clock> <1 if a waiter waits> <owner>". An owner that asks
# twice lost the connection, or the node, before the first answer came: it must not wait for itself.
_ACQUIRE = Script(f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held, state, waited = redis.call('GET', KEYS[1]), 1, '0'
if held then
  local ends, marked, owner = string.match(held, '^(%d+) (%d) (.*)$')
  if owner == ARGV[1] then
    waited = marked
  elseif ends and tonumber(ends) > now then
    redis.call('SET', KEYS[1], ends .. ' 1 ' .. owner, 'KEEPTTL')
    return {{0, tonumber(ends) - now}}
  else
    state = 2
  end
end
local mine = string.format('%.0f', now + ARGV[2]) .. ' ' .. waited .. ' ' .. ARGV[1]
redis.call('SET', KEYS[1], mine, 'PX', ARGV[2] + {_REMEMBERED_MS})
return {{state, 0}}
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


class LeaseCommands:
    """The steps of the methods of `Leases` with the same names. Thread-safe.

    Each request is one script on one key. A waiter blocks on a stream. An owner that releases a
    lease with waiters adds an entry to the stream, in a second round trip.

    Args:
        client: The client.
    """

    def __init__(self, client: RedisClient) -> None:
        self._call_all = client.call_all
        self._prefix = ""

    def open(self, prefix: str) -> None:
        """Set the prefix of the names of leases and their streams."""
        self._prefix = prefix

    def _name(self, kind: str, key: str) -> bytes:
        return f"{self._prefix}{kind}:".encode() + key.encode("utf-8", "surrogatepass")

    def acquire(self, key: str, owner: str, lifetime_s: float) -> Steps[LeaseAnswer]:
        """Ask for the lease of `key`."""
        acquire = _ACQUIRE.call([self._name("lease", key)], (owner, int(lifetime_s * 1000)))
        newest = ("XREVRANGE", self._name("done", key), "+", "-", "COUNT", 1)
        # In this order: otherwise a release between the two commands would not wake this waiter.
        entries, (state, left_ms) = yield from self._call_all("acquire", key, [newest, acquire])
        if state:
            return LeaseAnswer(granted=True, taken_over=state == 2)
        seen = entries[0][0] if entries else b"0-0"
        return LeaseAnswer(granted=False, ends_in_s=left_ms / 1000, seen=seen)

    def renew(self, key: str, owner: str, lifetime_s: float) -> Steps[bool]:
        """Extend the lease to `lifetime_s` seconds from now; false if it has another owner."""
        name = self._name("lease", key)
        renew = _RENEW.call([name], (owner, int(lifetime_s * 1000)))
        (renewed,) = yield from self._call_all("renew", key, [renew])
        return bool(renewed)

    def release(self, key: str, owner: str) -> Steps[None]:
        """Release the lease and wake its waiters."""
        release = _RELEASE.call([self._name("lease", key)], (owner,))
        (waited,) = yield from self._call_all("release", key, [release])
        if waited:
            done = self._name("done", key)
            wake = ("XADD", done, "MAXLEN", 1, "*", "", "")
            yield from self._call_all("release", key, [wake, ("PEXPIRE", done, _DONE_MS)])

    def wait(self, key: str, seen: object, timeout_s: float) -> Steps[None]:
        """Block until the lease is released, or `timeout_s` is over."""
        block_ms = max(1, int(timeout_s * 1000))
        wait = ("XREAD", "BLOCK", block_ms, "STREAMS", self._name("done", key), seen)
        yield from self._call_all("wait", key, [wait], timeout_s)


class RedisLeases:
    """Implements `Leases` for hosts that share a server, by the server's clock.

    Args:
        commands: The steps for leases.
        run: Runs steps.
        max_waiting: Most connections that waiting may block. Further waiters poll.
    """

    def __init__(
        self, commands: LeaseCommands, run: Callable[[Steps[Any]], Any], max_waiting: int
    ) -> None:
        self._commands = commands
        self._run = run
        self._max_waiting = max_waiting
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._may_block = threading.Semaphore(self._max_waiting)

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Ask for the lease of `key`."""
        answer: LeaseAnswer = self._run(self._commands.acquire(key, owner, lifetime_s))
        return answer

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Extend the lease to `lifetime_s` seconds from now; false if it has another owner."""
        return bool(self._run(self._commands.renew(key, owner, lifetime_s)))

    def release(self, key: str, owner: str) -> None:
        """Release the lease and wake its waiters."""
        self._run(self._commands.release(key, owner))

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Block until the lease is released, or `timeout_s` is over."""
        may_block = self._may_block
        if not may_block.acquire(blocking=False):
            time.sleep(min(timeout_s, POLL_S))
            return
        try:
            self._run(self._commands.wait(key, seen, timeout_s))
        finally:
            may_block.release()
