"""Free TCP ports for servers of tests."""

from __future__ import annotations

import secrets
import socket

__all__ = ["free_port"]

_PORTS = range(15_000, 32_000)
"""Below the ephemeral ports of common systems, one of which could become the port of an outgoing
connection before a server binds it."""

_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that no socket has bound, and that this function has not returned before."""
    while True:
        port = secrets.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
