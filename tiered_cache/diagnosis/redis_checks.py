"""Checks of a Redis server, before the tier is opened."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.diagnosis.check_result import advise, ok, problem, skipped
from tiered_cache.diagnosis.error_results import result_of
from tiered_cache.diagnosis.redis_info import (
    RedisInfo,
    check_memory,
    check_role,
    check_version,
)
from tiered_cache.diagnosis.redis_permissions import GRANT
from tiered_cache.diagnosis.redis_tls import tls_mismatch
from tiered_cache.errors import TierUnavailableError
from tiered_cache.tiers.redis.connections import make_connections
from tiered_cache.tiers.redis.keyspace import record_prefix
from tiered_cache.units import parse_duration, seconds_text

if TYPE_CHECKING:
    from tiered_cache.config.schema import RedisSettings
    from tiered_cache.diagnosis.check_result import CheckResult
    from tiered_cache.diagnosis.check_runner import CheckRunner
    from tiered_cache.tiers.redis.connections import Connections

__all__ = ["check_server"]

_PINGS = 10
_SKEW_ADVICE_S = SKEW_ALLOWANCE_S / 2
"""Two hosts that each differ by half of the allowance from the server may differ by all of it."""

_USE_NTP = "synchronize the clock of every host by NTP (timedatectl, chronyc tracking)"


def check_server(
    name: str, url: str, namespace: str, options: RedisSettings, runner: CheckRunner
) -> bool:
    """Check the server of a Redis tier, and return whether the tier may be opened.

    Of a cluster, the node that has the namespace is checked.

    Args:
        name: The name of the tier.
        url: The URL of the server.
        namespace: The namespace of the stack.
        options: The settings of the tier.
        runner: Runs the checks.
    """
    server = make_connections(
        url,
        timeout_s=parse_duration(options.timeout),
        connect_timeout_s=parse_duration(options.connect_timeout),
        max_connections=1,
    )
    server.use_slot_of(record_prefix(namespace))
    try:
        if not runner.run(name, "connection", lambda: _check_connection(server, url)):
            return False
        if not _check_info(name, server, runner):
            return False
        runner.run(name, "clock", lambda: _check_clock(server))
    finally:
        server.close()
    return True


def _check_connection(server: Connections, url: str) -> CheckResult:
    try:
        server.exchange([("PING",)])
    except TierUnavailableError as error:
        return tls_mismatch(url) or result_of(error)
    times = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        server.exchange([("PING",)])
        times.append(time.perf_counter() - started)
    return ok(f"{server.address} answers in {seconds_text(statistics.median(times))}")


def _check_info(name: str, server: Connections, runner: CheckRunner) -> bool:
    """Run the checks that need `INFO`, and return whether the tier may be opened."""
    (reply,) = server.exchange([("INFO",)])
    if not isinstance(reply, bytes):
        finding = "this user may not run INFO: version, role and memory are unknown"
        return runner.run(name, "server", lambda: skipped(finding, GRANT))
    info = RedisInfo.parse(reply.decode(errors="replace"))
    if not runner.run(name, "server", lambda: check_version(info)):
        return False
    if not runner.run(name, "role", lambda: check_role(info)):
        return False
    runner.run(name, "memory", lambda: check_memory(info))
    return True


def _check_clock(server: Connections) -> CheckResult:
    started_s = time.time()
    (reply,) = server.exchange([("TIME",)])
    took_s = time.time() - started_s
    if not isinstance(reply, list):
        return skipped("this user may not run TIME: the server's clock is unknown", GRANT)
    server_s = int(reply[0]) + int(reply[1]) / 1e6
    ahead_s = server_s - (started_s + took_s / 2)
    return _judge_skew(max(0.0, abs(ahead_s) - took_s / 2), is_ahead=ahead_s > 0)


def _judge_skew(skew_s: float, *, is_ahead: bool) -> CheckResult:
    direction = "ahead of" if is_ahead else "behind"
    finding = (
        f"the server's clock is {skew_s:.3f} s {direction} ours; hosts may differ by "
        f"{SKEW_ALLOWANCE_S:g} s"
    )
    if skew_s > SKEW_ALLOWANCE_S:
        return problem(
            f"{finding}: entries expire too early, or count as written in the future", _USE_NTP
        )
    return advise(finding, _USE_NTP) if skew_s > _SKEW_ADVICE_S else ok(finding)
