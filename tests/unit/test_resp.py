"""The parser of the replies of a Redis server."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis._parsers import _AsyncRESP2Parser, _AsyncRESP3Parser, _RESP2Parser, _RESP3Parser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from tiered_cache.tiers.redis._async_server import AsyncServerConnections
from tiered_cache.tiers.redis._resp import ReplyParser
from tiered_cache.tiers.redis._server_connections import ServerConnections

REPLIES: list[tuple[bytes, Any]] = [
    (b"+OK\r\n", b"OK"),
    (b":-12\r\n", -12),
    (b"$5\r\na\r\nbc\r\n", b"a\r\nbc"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"_\r\n", None),
    (b"*0\r\n", []),
    (b"*3\r\n:1\r\n$1\r\na\r\n*1\r\n_\r\n", [1, b"a", [None]]),
    (b"%1\r\n+key\r\n*1\r\n:1\r\n", {b"key": [1]}),
    (b"~1\r\n:1\r\n", [1]),
    (b"#t\r\n", True),
    (b"#f\r\n", False),
    (b",1.5\r\n", 1.5),
    (b"(123456789012345678901\r\n", 123456789012345678901),
    (b"=7\r\ntxt:abc\r\n", b"abc"),
]


@pytest.mark.parametrize(("data", "value"), REPLIES)
def test_each_kind_of_reply(data: bytes, value: object) -> None:
    parser = ReplyParser(1)
    assert parser.feed(data)
    assert parser.replies == [value]


@given(st.lists(st.sampled_from(REPLIES), min_size=1), st.data())
def test_replies_that_arrive_in_pieces(chosen: list[tuple[bytes, Any]], data: Any) -> None:
    stream = b"".join(each for each, _ in chosen)
    parser = ReplyParser(len(chosen))
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        at += size
        assert parser.feed(stream[at - size : at]) == (at == len(stream))
    assert parser.replies == [value for _, value in chosen]


def test_errors_are_those_of_redis_py() -> None:
    parser = ReplyParser(3)
    assert parser.feed(b"-NOSCRIPT no such script\r\n-WRONGTYPE of a list\r\n!9\r\nERR large\r\n")
    kinds = [type(each) for each in parser.replies]
    assert kinds == [NoScriptError, ResponseError, ResponseError]
    assert "WRONGTYPE" in str(parser.replies[1])


@pytest.mark.proves("law-1/server-loading")
@pytest.mark.parametrize(
    "error",
    ["LOADING the data", "NOAUTH Authentication required.", "ERR max number of clients reached"],
)
@pytest.mark.parametrize("form", ["-{}\r\n", "*1\r\n-{}\r\n"])
def test_law_4_an_error_of_the_connection_is_no_reply(error: str, form: str) -> None:
    with pytest.raises(RedisConnectionError):
        ReplyParser(1).feed(form.format(error).encode())


@pytest.mark.proves("law-9/unexpected-replies")
@pytest.mark.parametrize("more", [b":2\r\n", b":"])
def test_more_replies_than_commands_are_an_error(more: bytes) -> None:
    with pytest.raises(InvalidResponse, match="more replies"):
        ReplyParser(1).feed(b":1\r\n" + more)


@pytest.mark.proves("law-9/unexpected-replies")
def test_law_8_a_line_without_an_end_is_given_up() -> None:
    parser = ReplyParser(1)
    for _ in range(60):
        assert not parser.feed(1000 * b"x")
    with pytest.raises(InvalidResponse):
        parser.feed(10_000 * b"x")


def test_a_push_message_before_the_reply_is_skipped() -> None:
    parser = ReplyParser(1)
    assert parser.feed(b">2\r\n+invalidate\r\n*1\r\n+key\r\n:5\r\n")
    assert parser.replies == [5]


@pytest.mark.proves("law-9/unexpected-replies")
@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 200 OK\r\n", b"\x00\r\n", b"\r\n", b":x\r\n", b"$x\r\n"]
)
def test_law_9_bytes_that_are_no_reply_are_an_error(data: bytes) -> None:
    with pytest.raises((InvalidResponse, ValueError)):
        ReplyParser(1).feed(data)


def test_a_long_value_is_joined_once() -> None:
    size = 4 * 2**20
    chunk = b"x" * 4096
    parser = ReplyParser(1)
    assert not parser.feed(b"$%d\r\n" % size)
    for _ in range(size // len(chunk)):
        assert not parser.feed(chunk)
        assert len(parser._data) < 2 * len(chunk)
    assert parser.feed(b"\r\n")
    assert parser.replies == [b"x" * size]


def test_a_large_collection_is_taken_apart_as_it_arrives() -> None:
    stream = b"*20000\r\n" + b"$3\r\nabc\r\n" * 20_000
    parser = ReplyParser(1)
    chunks = [stream[at : at + 1000] for at in range(0, len(stream), 1000)]
    for chunk in chunks[:-1]:
        assert not parser.feed(chunk)
        assert len(parser._data) < 20, "bytes that were parsed are not kept"
    assert parser.feed(chunks[-1])
    assert parser.replies == [[b"abc"] * 20_000]


def test_law_8_collections_in_collections_without_end_are_no_recursion() -> None:
    parser = ReplyParser(1)
    assert not parser.feed(b"*1\r\n" * 100_000)
    assert parser.feed(b":1\r\n")
    inner = parser.replies[0]
    for _ in range(99_999):
        (inner,) = inner
    assert inner == [1]


@pytest.mark.parametrize(
    "data", [b">0\r\n:5\r\n", b">1\r\n*1\r\n:1\r\n:5\r\n", b">1\r\n%0\r\n:5\r\n"]
)
def test_a_push_message_may_have_any_shape(data: bytes) -> None:
    parser = ReplyParser(1)
    assert parser.feed(data)
    assert parser.replies == [5]


@pytest.mark.parametrize("kind", [b"*", b"~", b"%", b">", b"$"])
def test_law_10_an_announced_length_takes_no_memory(kind: bytes) -> None:
    """hiredis allocates 8 GB for these 13 bytes, and one garbage collection of them takes seconds."""
    tracemalloc.start()
    try:
        parser = ReplyParser(1)
        assert not parser.feed(kind + b"1000000000\r\n")
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [b":", b"(", b"$", b"*", b","])
def test_law_10_a_number_of_many_digits_is_an_error(kind: bytes) -> None:
    with pytest.raises((InvalidResponse, ValueError)):
        ReplyParser(1).feed(kind + b"9" * 10_000_000 + b"e\r\n")


def test_law_9_the_key_of_a_map_may_be_unusable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        ReplyParser(1).feed(b"%1\r\n*0\r\n:1\r\n")


def test_law_9_the_handshake_is_not_parsed_by_hiredis_where_it_is_installed() -> None:
    """redis-py reads replies to its own commands; hiredis would break the bounds of this parser."""
    pool = ServerConnections(
        "redis://localhost", timeout_s=1.0, connect_timeout_s=1.0, max_connections=1
    )
    loop_pool = AsyncServerConnections(pool)
    for each, kinds in (
        (pool, (_RESP2Parser, _RESP3Parser)),
        (loop_pool, (_AsyncRESP2Parser, _AsyncRESP3Parser)),
    ):
        connection = each._connection_class(**each._options)
        assert isinstance(connection._parser, kinds)
