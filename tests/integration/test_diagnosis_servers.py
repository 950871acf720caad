"""Diagnoses of stacks with servers in each state that a server can get into."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from tests.patience import PATIENCE
from tiered_cache.config import build_stack, load_settings
from tiered_cache.diagnosis import Check, Verdict, change_log_check, diagnose
from tiered_cache.diagnosis.redis_info import RedisInfo, check_version
from tiered_cache.diagnosis.redis_permissions import COMMANDS
from tiered_cache.testing import ValkeyServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache.testing import ChaosProxy

Found = dict[tuple[str, str], Check]

SOME_PATIENCE = {"timeout": "1s", "connect_timeout": "1s"}
"""Timeouts for servers that do not answer, or answer garbage."""


def found(url: str, watcher: Any = None, **options: Any) -> Found:
    """The checks of a diagnosis of a stack of memory and Redis, by subject and name."""
    asked = {"tiers": ["memory", "redis"], "redis_url": url, "redis": PATIENCE, **options}
    settings = load_settings(**asked)
    (diagnosis,) = diagnose(settings=settings, watcher=watcher)
    return {(each.subject, each.name): each for each in diagnosis.checks}


@pytest.fixture(autouse=True)
def _changes_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log_check, "_ARRIVAL_S", 30.0)


def problems(checks: Found) -> list[tuple[str, str]]:
    return [where for where, each in checks.items() if each.verdict is Verdict.PROBLEM]


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server for one test, which may break it."""
    with ValkeyServer(port=0) as own:
        yield own


@pytest.mark.proves("diagnosis/stack")
def test_a_server_that_works(redis_url: str, namespace: str) -> None:
    checks = found(redis_url, namespace=namespace)
    assert problems(checks) == []
    assert [name for subject, name in checks if subject == "redis"] == [
        "connection",
        "server",
        "role",
        "memory",
        "clock",
        "open",
        "round trip",
        "reads",
        "deletion",
        "lease",
        "changes",
        "offers",
    ]
    assert "Valkey" in checks["redis", "server"].finding
    assert "bound 2 s" in checks["stack", "changes"].finding


@pytest.mark.proves("diagnosis/leaves-nothing")
def test_entries_on_the_server_stay_and_probes_do_not(server: ValkeyServer) -> None:
    options: dict[str, Any] = {"tiers": ["memory", "redis"], "redis_url": server.url}
    options["namespace"] = "mine"
    client = Redis.from_url(server.url)
    client.set("foreign", "value")
    with build_stack(settings=load_settings(**options)) as cache:
        cache.set("key", "value")
        cache.delete("deleted")
    log = "tiered-cache:{mine}/log"
    before = _dump(client, log)
    lines = client.xlen(log)
    assert problems(found(server.url, namespace="mine")) == []
    wait_until(lambda: client.dbsize() == len(before) + 1, "no probe is left")
    assert _dump(client, log) == before
    assert 0 < client.xlen(log) - lines < 20
    client.close()


def _dump(client: Redis, but: str) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.scan_iter() if key.decode() != but}


def _connection(checks: Found) -> Check:
    """The check of the connection, which is the only problem."""
    assert problems(checks) == [("redis", "connection")]
    assert ("redis", "open") not in checks
    assert checks["stack", "changes"].verdict is Verdict.SKIPPED
    return checks["redis", "connection"]


@pytest.mark.proves("diagnosis/server")
def test_no_server_listens() -> None:
    check = _connection(found("redis://127.0.0.1:1/0"))
    assert "no server listens at this address (can't connect to 127.0.0.1:1: " in check.finding
    assert "start a server" not in check.finding
    assert "redis_url" in check.advice


@pytest.mark.proves("diagnosis/server")
def test_an_unknown_host_name() -> None:
    check = _connection(found("redis://unknown.invalid:6379/0"))
    assert "host name can't be resolved" in check.finding


@pytest.mark.proves("diagnosis/server")
@pytest.mark.parametrize(
    ("login", "says"),
    [("", "asks for a password"), (":wrong@", "does not accept the user or password")],
)
def test_a_password(login: str, says: str) -> None:
    with ValkeyServer(port=0, options=["--requirepass", "secret"], password="secret") as server:
        check = _connection(found(server.url.replace(":secret@", login)))
        assert says in check.finding
        assert "wrong" not in check.finding.replace("wrong number", "")
        assert problems(found(server.url)) == []


@pytest.mark.proves("diagnosis/server")
def test_a_database_that_is_not_there(server: ValkeyServer) -> None:
    check = _connection(found(server.url.replace("/0", "/99")))
    assert "no database of this number" in check.finding


@pytest.mark.proves("diagnosis/server")
def test_tls_to_a_server_without(server: ValkeyServer) -> None:
    check = _connection(found(server.url.replace("redis:", "rediss:"), redis=SOME_PATIENCE))
    assert "asks for TLS, but the server does not use it" in check.finding
    assert "write redis://" in check.advice


@pytest.mark.proves("diagnosis/server")
def test_no_tls_to_a_server_with_it() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection, context.wrap_socket(connection, server_side=True):
                        pass
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        check = _connection(found(f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))
        listener.shutdown(socket.SHUT_RDWR)
    serving.join(10)
    assert "the server uses TLS, but redis_url does not" in check.finding
    assert "write rediss://" in check.advice


@pytest.mark.proves("diagnosis/server")
def test_law_8_a_frozen_server(server: ValkeyServer) -> None:
    server.freeze()
    check = _connection(found(server.url, redis={"timeout": "100ms"}))
    server.thaw()
    assert "no answer" in check.finding
    assert "overloaded" in check.advice


@pytest.mark.proves("diagnosis/server")
def test_a_server_that_is_none(chaos_proxy: Callable[[str], ChaosProxy], redis_url: str) -> None:
    proxy = chaos_proxy(redis_url)
    proxy.garbage()
    assert _connection(found(proxy.url, redis=SOME_PATIENCE)).finding


@pytest.mark.proves("diagnosis/server")
def test_a_slow_server(chaos_proxy: Callable[[str], ChaosProxy], redis_url: str) -> None:
    proxy = chaos_proxy(redis_url)
    proxy.delay(0.06)
    checks = found(proxy.url)
    assert problems(checks) == []
    assert checks["redis", "reads"].verdict is Verdict.ADVICE
    assert "min_cost" in checks["redis", "reads"].advice


@pytest.mark.proves("diagnosis/server")
def test_a_replica_that_cannot_be_written(server: ValkeyServer) -> None:
    host, port = server.url.split("/")[2].split(":")
    with ValkeyServer(port=0, options=["--replicaof", host, port]) as replica:
        checks = found(replica.url)
    assert problems(checks) == [("redis", "role")]
    assert f"it is {host}:{port}" in checks["redis", "role"].advice


@pytest.mark.proves("diagnosis/server-limits")
@pytest.mark.parametrize(
    ("limit", "policy", "verdict", "says"),
    [
        ("0", "noeviction", Verdict.ADVICE, "maxmemory is not set"),
        ("1gb", "allkeys-lru", Verdict.OK, "allkeys-lru"),
        ("1gb", "noeviction", Verdict.ADVICE, "refuses every write"),
        ("1gb", "volatile-lru", Verdict.ADVICE, "leases and tombstones go before values"),
        ("1gb", "allkeys-random", Verdict.ADVICE, "as likely as values that are never read"),
    ],
)
def test_the_verdict_on_a_full_server(
    limit: str, policy: str, verdict: Verdict, says: str, server: ValkeyServer
) -> None:
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", limit)
    checks = found(server.url)
    assert problems(checks) == []
    assert checks["redis", "memory"].verdict is verdict
    assert says in checks["redis", "memory"].finding
    if verdict is Verdict.ADVICE:
        assert "CONFIG SET maxmemory-policy allkeys-lru" in checks["redis", "memory"].advice


@pytest.mark.proves("diagnosis/server-limits")
def test_a_full_server(server: ValkeyServer) -> None:
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1mb")
        client.config_set("maxmemory-policy", "noeviction")
    checks = found(server.url)
    assert ("redis", "memory") in problems(checks)
    assert "about to refuse every write" in checks["redis", "memory"].finding
    assert ("redis", "round trip") in problems(checks) or ("redis", "open") in problems(checks)


@pytest.mark.proves("diagnosis/server-limits")
@pytest.mark.parametrize(
    ("forbidden", "where"),
    [
        ("-xadd", "changes"),
        ("-xread", "changes"),
        ("-eval -evalsha", "round trip"),
        ("-pttl", "round trip"),
        ("-time", "clock"),
        ("-info", "server"),
    ],
)
def test_a_user_without_the_needed_rights(forbidden: str, where: str, server: ValkeyServer) -> None:
    rights = f"on >secret ~tiered-cache:* {COMMANDS} {forbidden}".split()
    with Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "limited", *rights)
    checks = found(server.url.replace("redis://", "redis://limited:secret@"))
    if forbidden in ("-info", "-time"):
        assert problems(checks) == ([("redis", "lease")] if forbidden == "-time" else [])
        assert checks["redis", where].verdict is Verdict.SKIPPED
    else:
        assert ("redis", where) in problems(checks)
        assert "denies this user a command or a key" in checks["redis", where].finding
    assert "ACL SETUSER" in checks["redis", where].advice


@pytest.mark.proves("diagnosis/server-limits")
def test_the_rights_that_are_asked_for_are_enough(server: ValkeyServer) -> None:
    rights = f"on >secret ~tiered-cache:* {COMMANDS}".split()
    with Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "limited", *rights)
    url = server.url.replace("redis://", "redis://limited:secret@")
    checks = found(url, namespace="limited")
    assert problems(checks) == []
    with build_stack(
        settings=load_settings(
            tiers=["memory", "redis"], redis={"url": url, **PATIENCE}, strict=True
        )
    ) as cache:
        assert cache.get_or_compute("key", lambda: 1) == 1
        assert cache.set("other", 2, tags={"a"})
        assert cache.delete("key")
        assert sorted(cache.keys()) == ["other"]
        assert cache.invalidate_tags("a")
        cache.clear()
        cache.fleet()
    with Redis.from_url(server.url) as client:
        # redis-py sends its name to servers, if the user may run CLIENT SETINFO.
        denied = {str(each["object"]) for each in client.acl_log()} - {"client|setinfo"}
        assert denied == set()


@pytest.mark.proves("diagnosis/server")
@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("5.0.14", Verdict.PROBLEM),
        ("6.0.0", Verdict.OK),
        ("7.2.4", Verdict.OK),
        ("", Verdict.SKIPPED),
    ],
)
def test_a_server_that_is_too_old(version: str, verdict: Verdict) -> None:
    info = RedisInfo.parse(f"# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n")
    assert check_version(info).verdict is verdict


@pytest.mark.proves("diagnosis/server-limits")
@pytest.mark.parametrize(
    ("ahead_s", "verdict"),
    [(0.0, Verdict.OK), (3.0, Verdict.ADVICE), (60.0, Verdict.PROBLEM), (-60.0, Verdict.PROBLEM)],
)
def test_a_clock_that_is_wrong(
    ahead_s: float, verdict: Verdict, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Skewed:
        perf_counter = staticmethod(time.perf_counter)

        @staticmethod
        def time() -> float:
            return time.time() - ahead_s

    monkeypatch.setattr("tiered_cache.diagnosis.redis_checks.time", Skewed)
    check = found(redis_url)["redis", "clock"]
    assert check.verdict is verdict
    assert "hosts may differ by 5 s" in check.finding
    if verdict is not Verdict.OK:
        assert ("ahead of" if ahead_s > 0 else "behind") in check.finding
        assert "NTP" in check.advice


@pytest.mark.proves("diagnosis/stack")
def test_a_signing_key_that_a_shared_tier_needs(redis_url: str) -> None:
    check = found(redis_url)["signing", "keys"]
    assert check.verdict is Verdict.ADVICE
    assert "kept out of redis" in check.finding
    assert "TIERED_CACHE_SIGNING_KEY" in check.advice
    signed = found(redis_url, signing_key="0123456789abcdef")
    assert signed["signing", "keys"].verdict is Verdict.OK
    assert "0123456789abcdef" not in str(signed)


class _When:
    """A watcher that acts when a given check begins."""

    def __init__(self, subject: str, name: str, act: Callable[[], object]) -> None:
        self._when = (subject, name)
        self._act = act
        self.seen: list[Any] = []

    def stack(self, name: str, namespace: str, tiers: tuple[str, ...]) -> None:
        self.seen.append((name, namespace, tiers))

    def began(self, subject: str, name: str) -> None:
        self.seen.append((subject, name))
        if (subject, name) == self._when:
            self._act()

    def ended(self, check: Check) -> None:
        assert self.seen[-1] == (check.subject, check.name)


def test_a_watcher_sees_each_check_begin_and_end(redis_url: str) -> None:
    watcher = _When("nothing", "", lambda: None)
    checks = found(redis_url, watcher)
    assert watcher.seen == [("default", "default", ("memory", "redis")), *checks]


@pytest.mark.proves("diagnosis/ends")
@pytest.mark.parametrize("name", ["round trip", "reads", "deletion", "lease", "changes"])
def test_law_8_a_server_that_freezes_meanwhile(name: str, server: ValkeyServer) -> None:
    checks = found(server.url, _When("redis", name, server.freeze), redis=SOME_PATIENCE)
    server.thaw()
    assert ("redis", name) in problems(checks)
    assert "no answer" in checks["redis", name].finding


@pytest.mark.proves("diagnosis/stack")
def test_a_breaker_that_opens_meanwhile(
    chaos_proxy: Callable[[str], ChaosProxy], redis_url: str, tmp_path: Path
) -> None:
    proxy = chaos_proxy(redis_url)
    checks = found(
        proxy.url,
        _When("stack", "changes", proxy.refuse),
        tiers=["memory", "disk", "redis"],
        disk={"path": str(tmp_path)},
    )
    assert problems(checks) == [("stack", "changes")]
    assert "the breaker of redis opened" in checks["stack", "changes"].finding


@pytest.mark.proves("diagnosis/stack")
def test_copies_that_nothing_bounds(redis_url: str) -> None:
    check = found(redis_url, coherence={"when_cut": "serve"})["stack", "changes"]
    assert check.verdict is Verdict.ADVICE
    assert "when_cut" in check.advice
    bounded = found(redis_url, coherence={"when_cut": "serve"}, max_ttl={"memory": "1h"})
    assert bounded["stack", "changes"].verdict is Verdict.OK
