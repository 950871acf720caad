"""The RESP parser against hiredis: `python -m tests.bench.replies`, in an environment with hiredis.

Times the parsing of usual replies, and the cost of hostile ones, each in a process of its own. hiredis
is no dependency; docs/design/decisions.md ("The RESP parser") says why.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

from tiered_cache.tiers.redis._resp import ReplyParser

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9
PIECE = 65_536
RECORD = b"$600\r\n%b\r\n" % (b"x" * 600)
HIT = RECORD + b":59999\r\n"
REPLIES = {
    "2 replies: a record of 600 bytes and its lifetime": (2, HIT, 20_000),
    "200 replies: 100 records and lifetimes": (200, HIT * 100, 500),
    "a record of 1 MiB": (2, b"$1048576\r\n%b\r\n:59999\r\n" % (b"x" * 2**20), 300),
    "an array of 1,000 integers": (1, b"*1000\r\n" + b":12345\r\n" * 1000, 300),
}
HOSTILE = {
    "an array of 10^9 elements is announced": [b"*1000000000\r\n"],
    "an array of 2^32 - 1 elements is announced": [b"*4294967295\r\n"],
    "a string of 10 GB is announced": [b"$10000000000\r\n"],
    "arrays nested 10^5 deep": [b"*1\r\n" * 100_000, b":1\r\n"],
    "a line of 100 MiB without an end": [b"+", *[b"x" * PIECE] * 1600],
    "an integer of 10^6 digits": [b":" + b"9" * 10**6, b"\r\n"],
    "a big number of 10^6 digits": [b"(" + b"9" * 10**6 + b"\r\n"],
    "a map with one key twice": [b"%3\r\n+a\r\n:1\r\n+b\r\n:2\r\n+a\r\n:3\r\n"],
    "a map whose key is an array": [b"%1\r\n*0\r\n:1\r\n"],
    "a push message before the reply": [b">2\r\n+invalidate\r\n*1\r\n+key\r\n:5\r\n"],
    "an attribute before the reply": [b"|1\r\n+ttl\r\n:3\r\n:5\r\n"],
    "a long error (RESP 3)": [b"!9\r\nERR large\r\n"],
    "an error with escapes and no UTF-8": [b"-ERR \x1b[2J\\r \xff\x00\r\n"],
    "one reply too many": [b":1\r\n:2\r\n"],
}


class HiredisParser:
    """hiredis, with the checks that can be kept around it."""

    def __init__(self, count: int) -> None:
        import hiredis  # type: ignore[import-not-found,unused-ignore] # not a dependency

        self._push = hiredis.PushNotification
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=_to_error)
        self._count = count
        self.replies: list[Any] = []

    def feed(self, chunk: bytes) -> bool:
        reader, replies = self._reader, self.replies
        reader.feed(chunk)
        while len(replies) < self._count:
            reply = reader.gets()
            if reply is False:
                return False
            if type(reply) is not self._push:
                replies.append(reply)
        if reader.has_data():
            raise InvalidResponse("more replies arrived than were asked for")
        return True


def _to_error(text: str) -> Exception:
    error: Exception = BaseParser.parse_error(text)  # type: ignore[no-untyped-call,unused-ignore] # untyped
    if isinstance(error, RedisConnectionError):
        raise error
    return error


PARSERS: dict[str, Callable[[int], ReplyParser | HiredisParser]] = {
    "ours": ReplyParser,
    "hiredis": HiredisParser,
}


def time_replies(name: str, count: int, data: bytes, loops: int) -> None:
    pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    taken: dict[str, list[float]] = {each: [] for each in PARSERS}
    for _ in range(ROUNDS):
        for each, make in PARSERS.items():
            started = time.perf_counter()
            for _ in range(loops):
                parser = make(count)
                done = [parser.feed(piece) for piece in pieces]
                assert done[-1]
            taken[each].append((time.perf_counter() - started) / loops)
    ours, theirs = (1e6 * statistics.median(times) for times in taken.values())
    print(f"{name:52} {ours:8.2f} µs {theirs:8.2f} µs   ours / hiredis {ours / theirs:.2f}")


def attack(parser: str, name: str) -> None:
    def peak(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(each.split()[1]) // 1024 for each in lines if each.startswith(field))

    gc.collect()
    resident, reserved = peak("VmHWM"), peak("VmPeak")
    victim = PARSERS[parser](1)
    started = time.perf_counter()
    try:
        done = [victim.feed(chunk) for chunk in HOSTILE[name]]
        if name.startswith("arrays nested"):
            outcome = "read"
        else:
            outcome = repr(victim.replies[0])[:40] if done[-1] else "waits for more"
    except Exception as error:
        outcome = f"{type(error).__name__}: {str(error)[:50]}"
    fed = time.perf_counter()
    gc.collect()
    collected = time.perf_counter()
    print(
        f"  {parser:8} {outcome:62} parsed in {1e3 * (fed - started):5.0f} ms, one collection "
        f"{1e3 * (collected - fed):5.0f} ms, +{peak('VmHWM') - resident} MiB resident, "
        f"+{peak('VmPeak') - reserved} MiB reserved"
    )


def main() -> None:
    if sys.argv[1:]:
        attack(*sys.argv[1:])
        return
    for name, replies in REPLIES.items():
        time_replies(name, *replies)
    for name in HOSTILE:
        print(name, flush=True)
        for parser in PARSERS:
            subprocess.run([sys.executable, "-m", "tests.bench.replies", parser, name], check=False)


if __name__ == "__main__":
    main()
