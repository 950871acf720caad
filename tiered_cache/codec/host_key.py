"""The host key: the secret with which one user's processes on one host sign pickled values."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tiered_cache._process.user_directory import user_directory
from tiered_cache.codec.signing import SigningKey
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HOST_KEY_BYTES", "default_host_key_path", "host_key", "read_host_key"]

HOST_KEY_BYTES = 32


def default_host_key_path() -> Path:
    """The default file of the host key: among the user's data, outside every cache directory.

    Write access to a cache directory must not suffice to replace the key: the key decides which of
    its records are unpickled.

    Raises:
        ConfigurationError: No home directory was found.
    """
    directory = user_directory("data")
    if directory is None:
        msg = (
            "No home directory was found for the host key: set a signing key (setting signing_key, "
            "TIERED_CACHE_SIGNING_KEY)"
        )
        raise ConfigurationError(msg)
    return directory / "host.key"


def host_key(path: Path) -> SigningKey:
    """The key in the file `path`; made if the file is missing.

    Processes that make it at the same time get the same key. Each writes a temporary file and links
    it to `path`, which fails for all but the first: a link, unlike a rename, replaces nothing.

    Raises:
        ConfigurationError: The file can't be made or read, or other users can read or write it. The
            message names the remedy.
    """
    key = read_host_key(path)
    if key is not None:
        return key
    try:
        _make(path)
    except OSError as error:
        msg = (
            f"The host key {path} can't be made ({error.strerror or error}): make its directory "
            "writable, or set the shared signing key (TIERED_CACHE_SIGNING_KEY)"
        )
        raise ConfigurationError(msg) from error
    key = read_host_key(path)
    if key is None:
        msg = f"The host key {path} was removed while it was being made: try again"
        raise ConfigurationError(msg)
    return key


def read_host_key(path: Path) -> SigningKey | None:
    """The key in the file `path`; `None` if the file is missing.

    Raises:
        ConfigurationError: The file can't be read, is not a regular file of 32 bytes, or belongs
            or is open to another user.
    """
    try:
        # Without O_NONBLOCK a FIFO in the key's place would hang the open.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        msg = (
            f"The host key {path} can't be read ({error.strerror or error}): make it a regular "
            "file that you own, or remove it: the next process makes a new one"
        )
        raise ConfigurationError(msg) from error
    try:
        _check(path, os.fstat(descriptor))
        secret = os.read(descriptor, HOST_KEY_BYTES)
    finally:
        os.close(descriptor)
    return SigningKey(secret)


def _check(path: Path, status: os.stat_result) -> None:
    again = (
        "remove it: the next process makes a new one, and values pickled under the old one are "
        "misses then"
    )
    if not stat.S_ISREG(status.st_mode) or status.st_size != HOST_KEY_BYTES:
        msg = f"The host key {path} is not a regular file of {HOST_KEY_BYTES} bytes: {again}"
        raise ConfigurationError(msg)
    if status.st_uid != os.geteuid():
        msg = (
            f"The host key {path} belongs to user {status.st_uid}, not to {os.geteuid()}: run as "
            f"its owner, give each user a home directory, or {again}"
        )
        raise ConfigurationError(msg)
    if status.st_mode & 0o177:
        msg = (
            f"The host key {path} has the permissions {stat.S_IMODE(status.st_mode):04o}, and must "
            f"be closed to all other users: `chmod 600` it if no other user has read it, or {again}"
        )
        raise ConfigurationError(msg)


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(8).hex()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)  # the umask may have removed a bit
            os.write(descriptor, os.urandom(HOST_KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(own, path)
        except FileExistsError:
            return
    finally:
        own.unlink(missing_ok=True)
