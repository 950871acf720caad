"""Access traces: every format, hostile files, replays computed by hand, and recording."""

from __future__ import annotations

import array
import contextlib
import gzip
import lzma
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiered_cache
from tiered_cache import DiskTier, MemoryTier, TieredCache, record_trace
from tiered_cache.policies import FIFO, GDSF, LFU, LRU, S3FIFO, Sieve
from tiered_cache.traces import Trace, read_trace, replay
from tiered_cache.traces.format import HEADER, RECORD
from tiered_cache.traces.reader import TraceError


def words(*numbers: int) -> bytes:
    return array.array("Q", numbers).tobytes()


@pytest.mark.proves("access-logs/unknown-kinds")
@pytest.mark.parametrize(
    ("name", "content", "trace"),
    [
        ("t.u64", words(1, 2, 1), Trace([1, 2, 1])),
        ("t.u64.xz", lzma.compress(words(1, 2, 1)), Trace([1, 2, 1])),
        ("t.u64.gz", gzip.compress(words(2**64 - 1), mtime=0), Trace([2**64 - 1])),
        ("t.u64u64", words(1, 10, 2, 20, 1, 10), Trace([1, 2, 1], {1: 10, 2: 20})),
        ("t.txt", b"a\nb b\n\n\xc3\xa4\n", Trace(["a", "b b", "ä"])),
        ("t", b"\xef\xbb\xbfwith a mark", Trace(["with a mark"])),
        ("t.log.gz", gzip.compress(b"a\r\nb", mtime=0), Trace(["a", "b"])),
        ("t.csv", b"time,key\n1,a\n2,'b'\n", Trace(["a", "'b'"])),
        (
            "t.csv.xz",
            lzma.compress(b"key,size,cost\na,5,0.5\nb,,\na,6,1\n"),
            Trace(["a", "b", "a"], {"a": 6}, {"a": 1.0}),
        ),
        (
            "recorded",
            HEADER + RECORD.pack(7, 0, 0, 1) + RECORD.pack(7, 0, 2.5, 2) + RECORD.pack(7, 99, 0, 3),
            Trace([7], {7: 99}, {7: 2.5}),
        ),
        ("torn", HEADER + RECORD.pack(7, 0, 0, 1) + RECORD.pack(8, 0, 0, 1)[:19], Trace([7])),
        ("newer-kind", HEADER + RECORD.pack(7, 0, 0, 1) + RECORD.pack(8, 0, 0, 77), Trace([7])),
    ],
)
def test_every_format_is_read(name: str, content: bytes, trace: Trace, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    found = read_trace(tmp_path / name)
    assert list(found.keys) == list(trace.keys)
    assert (found.sizes, found.costs) == (trace.sizes, trace.costs)


@pytest.mark.proves("access-logs/unknown-kinds")
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.u64", words(1)[:7], "not a multiple of 8"),
        ("t.u64u64", words(1), "not a multiple of 16"),
        ("t.u64", b"", "no request"),
        ("t.txt", b"\n\n", "no request"),
        ("t.txt", b"\x80\xff", "not text in UTF-8"),
        ("t.csv", b"a,b\n1,2\n", "no column 'key': its columns are a, b"),
        ("t.csv", b"", "no column 'key': its columns are none"),
        ("t.csv", b"key,size\na,big\n", "line 2"),
        ("t.csv", b"key,cost\na,1\nb,dear\n", "line 3"),
        ("t.u64.xz", lzma.compress(words(1))[:-9], "damaged"),
        ("t.u64.xz", b"not compressed", "damaged"),
        ("t.txt.gz", gzip.compress(b"a", mtime=0)[:-4], "damaged"),
        ("t.txt.gz", b"plain", "damaged"),
        ("log", HEADER[:8] + b"\x02" + HEADER[9:], "another version"),
        ("log", HEADER[:12], "another version"),
        ("log", HEADER, "no request"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(
    name: str, content: bytes, told: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TraceError, match=told):
        read_trace(tmp_path / name)


@given(st.binary(max_size=300), st.sampled_from(["t", "t.u64", "t.csv", "t.xz", "t.gz"]))
def test_law_9_hostile_files_are_traces_or_errors(content: bytes, name: str) -> None:
    path = Path(name)
    for start in (b"", HEADER):
        path.write_bytes(start + content)
        with contextlib.suppress(TraceError):
            assert len(read_trace(path).keys) > 0


BY_HAND = "abacabda"


@pytest.mark.parametrize(
    ("policy", "hits"),
    [
        # a b a* c(b out) a* b(c out) d(a out) a
        (LRU, 2),
        # a b a* c(a out) a(b out) b(c out) d(a out) a
        (FIFO, 1),
        # a b a* c(b out) a* b(c out) d(b out) a*
        (LFU, 3),
        # a b a* c(b out, a was visited) a* b(c out, a was visited) d(a out) a
        (Sieve, 2),
    ],
)
def test_replays_that_were_worked_out_by_hand(policy: Any, hits: int) -> None:
    found = replay(Trace(list(BY_HAND)), policy, 2)
    assert (found.requests, found.hits, found.hit_ratio) == (8, hits, hits / 8)
    assert (found.requested_bytes, found.byte_hit_ratio) == (8, hits / 8)


def test_sizes_and_costs_are_added_up() -> None:
    trace = Trace(["a", "big", "a", "big", "a"], {"a": 2, "big": 50}, {"a": 0.5, "big": 3.0})
    found = replay(trace, LRU, 10)
    assert (found.hits, found.requested_bytes, found.hit_bytes) == (2, 106, 4)
    assert (found.cost_s, found.saved_s) == (7.5, 1.0)
    assert trace.volume == 52
    assert Trace(["a", "b", "a"]).volume == 2


def test_cost_aware_policies_are_told_the_costs() -> None:
    rng = random.Random(1)
    keys = [f"{rng.randrange(200)}" for _ in range(5000)]
    costs: dict[Any, float] = {str(number): 10.0 ** (number % 6) for number in range(200)}
    trace = Trace(keys, dict.fromkeys(costs, 100), costs)
    assert replay(trace, GDSF, 2000).saved_s > 1.2 * replay(trace, LRU, 2000).saved_s


@pytest.mark.proves("access-logs/one-record")
def test_requests_of_a_cache_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    with TieredCache([MemoryTier(2), DiskTier(tmp_path / "disk")]) as cache:
        cache.get("before")
        with record_trace(path, cache) as recorder:
            for key in "abca":
                cache.get_or_compute(key, lambda: "x" * 500)
            cache.get_many(["b", "c"])
            cache.set("set", 1)
        cache.get("after")
        assert recorder.requests == 6
        recorder.close()
    trace = read_trace(path)
    a, b, c = dict.fromkeys(trace.keys)
    assert list(trace.keys) == [a, b, c, a, b, c]
    assert trace.sizes is not None
    assert trace.costs is not None
    assert all(trace.sizes[key] > 500 and trace.costs[key] > 0 for key in (a, b, c))
    assert b"abc" not in path.read_bytes()


def test_the_default_cache_is_recorded_by_default(tmp_path: Path) -> None:
    with tiered_cache.record_trace(tmp_path / "requests"):
        tiered_cache.tiered.get("key")
    assert len(read_trace(tmp_path / "requests").keys) == 1
    tiered_cache.tiered.close()


@pytest.mark.proves("access-logs/writer-killed")
def test_a_recording_that_was_killed_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    script = (
        "import os, signal, tiered_cache\n"
        "from tiered_cache import *\n"
        f"cache = TieredCache([MemoryTier()]); recorder = tiered_cache.record_trace({str(path)!r}, cache)\n"
        "for number in range(9000): cache.get(str(number % 10))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert 6000 < len(read_trace(path).keys) <= 9000


@pytest.mark.proves("access-logs/replay")
def test_a_cache_and_its_replay_agree(tmp_path: Path) -> None:
    rng = random.Random(2)
    with TieredCache([MemoryTier(50)]) as cache, record_trace(tmp_path / "log", cache):
        for _ in range(3000):
            cache.get_or_compute(str(int(rng.paretovariate(0.6))), lambda: 1)
    stats = cache.stats()
    assert replay(read_trace(tmp_path / "log"), S3FIFO, 50).hits == stats.hits
