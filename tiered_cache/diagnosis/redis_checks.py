"""What can be wrong with a Redis server, asked for before the tier is opened."""

from __future__ import annotations

import socket
import ssl
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.diagnosis.faults import COMMANDS, explained
from tiered_cache.diagnosis.findings import advise, fine, left_out, wrong
from tiered_cache.diagnosis.tier_probes import milliseconds
from tiered_cache.errors import TierUnavailableError
from tiered_cache.tiers.redis._cluster import make_wire
from tiered_cache.tiers.redis.tier import prefix_of
from tiered_cache.units import parse_duration

if TYPE_CHECKING:
    from tiered_cache.config.schema import RedisSettings
    from tiered_cache.diagnosis.findings import Finding
    from tiered_cache.diagnosis.notes import Notes
    from tiered_cache.tiers.redis._cluster import Wire

__all__ = ["Facts", "judge_eviction", "judge_version", "look_at_server"]

_PINGS = 10
_CONNECT_S = 0.5
_OLDEST = (6, 0)
_NEARLY_FULL = 0.9
_SKEW_ADVICE_S = SKEW_ALLOWANCE_S / 2
"""Two hosts that are each half of the allowance from the server are all of it from each other."""


def look_at_server(
    name: str, url: str, namespace: str, options: RedisSettings, notes: Notes
) -> bool:
    """Look at the server of a Redis tier, of a cluster at the node that has the namespace.

    Whether the tier can be opened.
    """
    wire = make_wire(
        url,
        timeout_s=parse_duration(options.timeout),
        connect_timeout_s=parse_duration(options.connect_timeout),
        max_connections=1,
    )
    wire.serve(prefix_of(namespace))
    try:
        if not notes.look(name, "connection", lambda: _connection(wire, url)):
            return False
        (reply,) = wire.exchange([("INFO",)])
        if isinstance(reply, bytes):
            facts = Facts.of(reply.decode(errors="replace"))
            if not notes.look(name, "server", lambda: judge_version(facts)):
                return False
            if not notes.look(name, "role", lambda: _role(facts)):
                return False
            notes.look(name, "memory", lambda: judge_eviction(facts))
        else:
            notes.look(name, "server", _unknown)
        notes.look(name, "clock", lambda: _clock(wire))
    finally:
        wire.close()
    return True


class Facts(NamedTuple):
    """What a server says of itself.

    Source: https://redis.io/docs/latest/commands/info/
    """

    product: str
    version: str
    is_writable: bool
    primary: str
    max_bytes: int
    used_bytes: int
    policy: str
    evicted: int

    @classmethod
    def of(cls, text: str) -> Facts:
        """The facts in the reply to `INFO`."""
        parts = [line.partition(":") for line in text.splitlines()]
        said: dict[str, str] = {name: value for name, _, value in parts}
        is_valkey = "valkey_version" in said
        replica = said.get("role") == "slave"
        return cls(
            product="Valkey" if is_valkey else "Redis",
            version=said.get("redis_version", ""),
            is_writable=not replica or said.get("slave_read_only") == "0",
            primary=f"{said.get('master_host', '')}:{said.get('master_port', '')}",
            max_bytes=int(said.get("maxmemory", 0)),
            used_bytes=int(said.get("used_memory", 0)),
            policy=said.get("maxmemory_policy", "noeviction"),
            evicted=int(said.get("evicted_keys", 0)),
        )


def _connection(wire: Wire, url: str) -> Finding:
    try:
        wire.exchange([("PING",)])
    except TierUnavailableError as error:
        return _tls_mismatch(url) or explained(error)
    times = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        wire.exchange([("PING",)])
        times.append(time.perf_counter() - started)
    median_s = statistics.median(times)
    return fine(f"{wire.address} answers in {milliseconds(median_s)}")


def _tls_mismatch(url: str) -> Finding | None:
    """What is wrong, if client and server don't agree on whether they speak TLS."""
    parts = urlsplit(url)
    if "+" in parts.scheme:  # which of its nodes it would be is not known
        return None
    address = (parts.hostname or "localhost", parts.port or 6379)
    if parts.scheme == "rediss" and _speaks_plainly(address):
        return wrong(
            "the server does not speak TLS, and redis_url asks for it",
            "write redis:// instead of rediss://, or turn TLS on in the server",
        )
    if parts.scheme == "redis" and _speaks_tls(address):
        return wrong(
            "the server speaks TLS, and redis_url does not",
            "write rediss:// instead of redis://",
        )
    return None


def _speaks_plainly(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, _CONNECT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(1) in (b"+", b"-")  # "-" asks for a password
    except OSError:
        return False


def _speaks_tls(address: tuple[str, int]) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is said to the server but hello
    try:
        with (
            socket.create_connection(address, _CONNECT_S) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except ssl.SSLError as error:
        # An alert is TLS as well: a server that wants a certificate of ours, say.
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _unknown() -> Finding:
    return left_out(
        "this user may not run INFO: version, role and memory are not known",
        f"ACL SETUSER name ~tiered-cache:* {COMMANDS}",
    )


def judge_version(facts: Facts) -> Finding:
    """Whether the server is new enough."""
    text = f"{facts.product}, which speaks as Redis {facts.version}"
    try:
        version = tuple(int(each) for each in facts.version.split(".")[:2])
    except ValueError:
        return left_out(f"the server does not tell its version: {facts.version!r}")
    if version < _OLDEST:
        return wrong(text, "use Redis 6.0 or newer, or Valkey")
    return fine(text)


def _role(facts: Facts) -> Finding:
    if facts.is_writable:
        return fine("can be written")
    return wrong(
        "the server is a replica that can't be written",
        f"name the primary in redis_url: it is {facts.primary}",
    )


def judge_eviction(facts: Facts) -> Finding:
    """What happens when the server's memory is full."""
    if not facts.max_bytes:
        return advise(
            "maxmemory is not set: the server grows until the machine has no memory left",
            "CONFIG SET maxmemory 1gb, and CONFIG SET maxmemory-policy allkeys-lru",
        )
    share = facts.used_bytes / facts.max_bytes
    text = f"{facts.policy}, {share:.0%} of maxmemory in use, {facts.evicted:,} keys evicted"
    to_do = "CONFIG SET maxmemory-policy allkeys-lru"
    if facts.policy == "noeviction":
        if share > _NEARLY_FULL:
            return wrong(
                f"{text}: the server is about to refuse every write, deletions too",
                f"{to_do}, or raise maxmemory",
            )
        return advise(f"{text}: when it is full, it refuses every write, deletions too", to_do)
    if facts.policy.startswith("volatile-"):
        return advise(
            f"{text}: only what has a lifetime makes room: leases and the marks of deletions "
            "before values that are kept for ever",
            to_do,
        )
    if facts.policy == "allkeys-random":
        return advise(
            f"{text}: leases, the log of changes and the marks of deletions go as likely as what "
            "nobody reads",
            to_do,
        )
    return fine(text)


def _clock(wire: Wire) -> Finding:
    started_s = time.time()
    (reply,) = wire.exchange([("TIME",)])
    took_s = time.time() - started_s
    if not isinstance(reply, list):
        return left_out(
            "this user may not run TIME: how far its clock is from ours is not known",
            "ACL SETUSER name +time",
        )
    server_s = int(reply[0]) + int(reply[1]) / 1e6
    ahead_s = server_s - (started_s + took_s / 2)
    apart_s = max(0.0, abs(ahead_s) - took_s / 2)
    way = "ahead of" if ahead_s > 0 else "behind"
    text = f"{apart_s:.3f} s {way} ours; {SKEW_ALLOWANCE_S:g} s are allowed between hosts"
    if apart_s > SKEW_ALLOWANCE_S:
        return wrong(
            f"{text}: what one host writes counts as of the future at another, or ends too early",
            "have every host keep time by NTP (timedatectl, chronyc tracking)",
        )
    if apart_s > _SKEW_ADVICE_S:
        return advise(text, "have every host keep time by NTP (timedatectl, chronyc tracking)")
    return fine(text)
