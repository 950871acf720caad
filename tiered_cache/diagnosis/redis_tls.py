"""Whether a client and a Redis server agree on TLS."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tiered_cache.diagnosis.check_result import problem

if TYPE_CHECKING:
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["tls_mismatch"]

_CONNECT_S = 0.5


def tls_mismatch(url: str) -> CheckResult | None:
    """The problem, if only one of `url` and the server uses TLS. Connects to the server once."""
    parts = urlsplit(url)
    if "+" in parts.scheme:  # a cluster: the node that failed is unknown
        return None
    address = (parts.hostname or "localhost", parts.port or 6379)
    if parts.scheme == "rediss" and _answers_without_tls(address):
        return problem(
            "redis_url asks for TLS, but the server does not use it",
            "write redis:// instead of rediss://, or enable TLS on the server",
        )
    if parts.scheme == "redis" and _answers_tls(address):
        return problem(
            "the server uses TLS, but redis_url does not",
            "write rediss:// instead of redis://",
        )
    return None


def _answers_without_tls(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, _CONNECT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(1) in (b"+", b"-")  # "-" if it asks for a password
    except OSError:
        return False


def _answers_tls(address: tuple[str, int]) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent after the handshake
    try:
        with (
            socket.create_connection(address, _CONNECT_S) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except ssl.SSLError as error:
        # An alert is TLS too: the server may ask for a client certificate.
        return "ALERT" in (error.reason or "")
    except OSError:
        return False
