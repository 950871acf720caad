"""The example page of an object-store tier: its code passes the public suites, and works in a stack."""

from __future__ import annotations

import re
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.object_server import BUCKET, MAX_OBJECT_BYTES, ObjectServer
from tiered_cache import Coherence, MemoryTier, TieredCache
from tiered_cache.contracts import HEAD_BYTES, Absent, Found, Put, Tier
from tiered_cache.errors import RecordRefusedError, TierTimeoutError, TierUnavailableError
from tiered_cache.testing import (
    FakeClock,
    HeadsContract,
    LeaseContract,
    SharedStoreContract,
    TierContract,
    in_forked_child,
    make_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "example-object-tier.md"
_PATIENT_S = 20.0


def _code() -> str:
    blocks: list[str] = re.findall(
        r"^```python\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    (code,) = blocks
    return code


@pytest.fixture(scope="module")
def kind() -> Any:
    """The class on the page, which is its only source."""
    names: dict[str, Any] = {"__name__": "an_example"}
    exec(compile(_code(), str(_PAGE), "exec"), names)
    return names["ObjectTier"]


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with ObjectServer() as server:
        yield server


class _Maker:
    """Makes tiers over one server."""

    def __init__(self, kind: Any, server: ObjectServer) -> None:
        self._kind, self._server = kind, server

    def __call__(self, bucket: str = BUCKET) -> Any:
        return self._kind(self._server.host, self._server.port, bucket, timeout=_PATIENT_S)

    def open(self, namespace: str, clock: FakeClock, bucket: str = BUCKET) -> Any:
        tier = self(bucket)
        tier.open(make_context(namespace, clock)[0])
        return tier


@pytest.fixture(scope="module")
def maker(kind: Any, server: ObjectServer) -> _Maker:
    return _Maker(kind, server)


class TestObjectTier(TierContract, SharedStoreContract, HeadsContract, LeaseContract):
    @pytest.fixture
    def store(self, maker: _Maker) -> Any:
        return maker

    def make_tier(self, store: Any) -> Tier[Any]:
        tier: Tier[Any] = store()
        return tier


def _record(payload: bytes = b"x" * 200) -> bytes:
    return b"\x00" + payload


def test_the_example_is_short() -> None:
    lines = _code().splitlines()
    assert len(lines) < 150
    assert max(map(len, lines)) <= 100


def test_equal_records_have_different_tokens(maker: _Maker) -> None:
    with closing(maker.open("equal", FakeClock())) as tier:
        tier.put("key", Put(_record(), 100.0))
        token = tier.get("key").token
        tier.put("key", Put(_record(), 100.0))
        assert tier.get("key").token != token
        assert tier.put("key", Put(_record(), 100.0, expected=token)) is False


def test_a_head_moves_no_payload(maker: _Maker) -> None:
    with closing(maker.open("heads", FakeClock())) as tier:
        tier.put("key", Put(_record(b"x" * 10_000), 100.0))
        assert len(tier.heads(["key"])["key"].item) == HEAD_BYTES


def test_a_deletion_is_remembered_for_an_hour(maker: _Maker) -> None:
    clock = FakeClock()
    with closing(maker.open("deletions", clock)) as tier:
        tier.put("cleared", Put(_record(), 100.0))
        tier.delete("deleted")
        tier.clear("cleared")
        for key in ("deleted", "cleared"):
            assert tier.get(key).deleted_s == clock.wall()
        assert tier.get("unused").deleted_s < 0
        clock.advance(3601)
        assert tier.get("deleted").deleted_s < 0


def test_long_keys_with_a_common_beginning_are_apart(maker: _Maker) -> None:
    with closing(maker.open("long", FakeClock())) as tier:
        common = "é" * 2000
        keys = [common, common + "1", common + "12", common + "2", "é" * 116, "é"]
        for key in keys:
            tier.put(key, Put(_record(key.encode()), 100.0))
        assert sorted(tier.scan()) == sorted(keys)
        assert sorted(tier.scan(common + "1")) == [common + "1", common + "12"]
        tier.clear(common + "1")
        assert sorted(tier.scan()) == sorted({*keys} - {common + "1", common + "12"})


def _names(tier: Any) -> list[str]:
    """The keys of all objects of a tier, expired ones included."""
    return [key for page in tier._pages("") for key in page]


def test_a_sweep_removes_what_has_expired(maker: _Maker) -> None:
    clock = FakeClock()
    with closing(maker.open("swept", clock)) as tier:
        for number in range(40):
            tier.put(f"short-{number}", Put(_record(), 10.0))
        tier.put("kept", Put(_record(), 1e6))
        tier.delete("deleted")
        token = tier.get("unused").token
        tier.offers.leases.acquire("key", "owner", 10.0)
        clock.advance(100.0)
        tier.offers.sweep(1000.0)
        assert sorted(_names(tier)) == ["deleted", "kept", "unused"]
        assert len(_names(tier._other)) == 1
        clock.advance(10_000.0)
        tier.offers.sweep(1000.0)
        assert _names(tier) == ["kept"]
        assert _names(tier._other) == []
        assert isinstance(tier.get("kept"), Found)
        assert tier.put("unused", Put(_record(), 10.0, expected=token)) is False


class _TickingClock(FakeClock):
    """A clock that moves by a second at each look at it."""

    def monotonic(self) -> float:
        self.advance(1.0)
        return super().monotonic()


def test_a_sweep_ends_before_its_deadline_and_the_next_one_goes_on(maker: _Maker) -> None:
    with closing(maker.open("resumed", _TickingClock())) as tier:
        for number in range(40):
            tier.put(f"short-{number}", Put(_record(), 0.001))
        left = []
        for _ in range(4):
            tier.offers.sweep(6 * _PATIENT_S + 2)
            left.append(len(_names(tier)))
        assert left == [24, 8, 0, 0]
        tier.offers.sweep(6 * _PATIENT_S - 1)  # too short for a round


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, TierUnavailableError), (503, TierUnavailableError), (403, TierUnavailableError)],
)
def test_a_faulty_store_is_unavailable(maker: _Maker, status: int, error: type) -> None:
    with closing(maker.open("faults", FakeClock(), f"status-{status}")) as tier:
        for call in _CALLS:
            with pytest.raises(error) as raised:
                call(tier)
            assert not isinstance(raised.value, TierTimeoutError)


_CALLS: list[Any] = [
    lambda tier: tier.get("key"),
    lambda tier: tier.get_many(["key", "other"]),
    lambda tier: tier.put("key", Put(_record(), 10.0)),
    lambda tier: tier.put("key", Put(_record(), 10.0, expected='"token"')),
    lambda tier: tier.delete("key"),
    lambda tier: tier.clear(),
    lambda tier: list(tier.scan()),
    lambda tier: tier.heads(["key"]),
    lambda tier: tier.sweep(1000.0),
]


def test_a_missing_bucket_is_unavailable(maker: _Maker) -> None:
    with closing(maker.open("faults", FakeClock(), "missing")) as tier:
        for call in (_CALLS[0], _CALLS[2], _CALLS[5]):
            with pytest.raises(TierUnavailableError):
                call(tier)


def test_a_record_that_is_too_long_is_refused(maker: _Maker) -> None:
    with closing(maker.open("refused", FakeClock())) as tier:
        puts = {"long": Put(bytes(MAX_OBJECT_BYTES), 10.0), "short": Put(_record(), 10.0)}
        with pytest.raises(RecordRefusedError):
            tier.put("long", puts["long"])
        assert tier.put_many(puts) == {"short"}


def test_a_silent_store_is_a_timeout_and_a_closed_port_unavailable(kind: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        tier = kind("127.0.0.1", port, BUCKET, timeout=0.1)
        tier.open(make_context()[0])
        start = time.monotonic()
        with pytest.raises(TierTimeoutError):
            tier.get("key")
        assert time.monotonic() - start < 5
    with pytest.raises(TierUnavailableError) as raised:
        tier.get("key")
    assert not isinstance(raised.value, TierTimeoutError)
    tier.close()


def test_a_restarted_server_is_reached_again(kind: Any) -> None:
    with ObjectServer() as first:
        tier = kind(first.host, first.port, BUCKET, timeout=_PATIENT_S)
        tier.open(make_context()[0])
        tier.put_many({f"key-{n}": Put(_record(), 10.0) for n in range(10)})
    with ObjectServer(first.port):
        for _ in range(10):
            assert isinstance(tier.get("key-1"), Absent)
    tier.close()


def test_a_child_uses_connections_of_its_own(maker: _Maker) -> None:
    with closing(maker.open("forked", FakeClock())) as tier:
        tier.put("key", Put(_record(), 10.0))
        assert len(tier._idle) == 1
        assert in_forked_child(lambda: len(tier._idle)) == 0
        assert isinstance(tier.get("key"), Found)


def test_it_is_the_shared_tier_of_two_caches(maker: _Maker) -> None:
    def cache() -> TieredCache:
        coherence = Coherence(bound="100ms")
        return TieredCache([MemoryTier(), maker()], namespace="stack", coherence=coherence)

    with cache() as one, cache() as two:
        assert one.get_or_compute("key", lambda: "computed") == "computed"
        assert two.get_or_compute("key", lambda: "not computed") == "computed"
        one.set("key", "set")
        time.sleep(0.15)
        assert two.get("key") == "set"
        one.delete("key")
        time.sleep(0.15)
        assert two.get("key") is None
        two.set("other", 1)
        one.clear()
        time.sleep(0.15)
        assert two.get("other") is None
        assert two.get_or_compute("key", lambda: "again") == "again"
        assert one.get("key") == "again"
