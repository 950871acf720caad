"""Host names and addresses, as `Host` headers and settings contain them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

__all__ = ["host_of", "is_address", "is_host_name", "is_loopback_address"]

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?", re.IGNORECASE)


def host_of(authority: str) -> str | None:
    """The host in `host:port`, lower case and without brackets; `None` if malformed."""
    try:
        split = urlsplit(f"//{authority}")
        _ = split.port  # raises if it is not a number
        host = split.hostname
    except ValueError:
        return None
    if not host or split.netloc != authority or "@" in authority:
        return None
    return host.removesuffix(".")


def is_host_name(text: str) -> bool:
    """Whether `text` is the name of a host, without scheme and port."""
    return _NAME.fullmatch(text) is not None


def is_address(host: str) -> bool:
    """Whether `host` is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback_address(host: str) -> bool:
    """Whether `host` is an address that only this machine can reach."""
    return is_address(host) and ipaddress.ip_address(host).is_loopback
