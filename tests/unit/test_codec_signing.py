"""Signing keys and the file of the host key."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tiered_cache.codec.envelope import Checksum
from tiered_cache.codec.host_key import default_host_key_path, host_key, read_host_key
from tiered_cache.codec.signing import Keyring, SigningKey
from tiered_cache.errors import ConfigurationError, CorruptRecordError, SignatureError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"0123456789abcdef-secret"


@pytest.mark.proves("law-1/no-secrets-logged")
def test_no_secret_is_shown() -> None:
    key = SigningKey(SECRET)
    ring = Keyring("n")
    ring.add(key)
    for shown in (repr(key), str(key), repr(ring), f"{key}", f"{ring}"):
        assert "secret" not in shown
        assert SECRET.hex() not in shown
        assert key.key_id.hex() in shown


def test_short_secrets_are_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError, match="at least 16") as caught:
        SigningKey(b"hunter2")
    assert "hunter2" not in str(caught.value)


def test_keys_of_different_secrets_have_different_ids_and_signatures() -> None:
    one, two = SigningKey(SECRET), SigningKey(SECRET + b"\0")
    assert one.key_id != two.key_id
    assert one.signature("n")([b"x"]) != two.signature("n")([b"x"])
    assert SigningKey(SECRET).signature("n")([b"x"]) == one.signature("n")([b"x"])


def test_the_namespace_and_all_parts_are_covered() -> None:
    signature = SigningKey(SECRET).signature
    assert signature("n")([b"x"]) != signature("m")([b"x"])
    assert signature("n")([b"x"]) != signature("nx")([b""])
    assert signature("n")([b"ab", b"c"]) == signature("n")([b"a", memoryview(b"bc")])
    assert Checksum("n")([b"x"]) != Checksum("m")([b"x"])
    assert Checksum("n")([b"x"]) != Checksum("nx")([b""])


def test_a_wrong_signature_or_checksum_is_refused() -> None:
    signature = SigningKey(SECRET).signature("n")
    signature.verify(signature([b"ab"]), b"a", b"b")
    with pytest.raises(SignatureError):
        signature.verify(signature([b"ab"]), b"a", b"c")
    checksum = Checksum("n")
    checksum.verify(checksum([b"ab"]), b"a", b"b")
    with pytest.raises(CorruptRecordError):
        checksum.verify(checksum([b"ab"]), b"a", b"c")


def test_the_ring_finds_keys_by_id() -> None:
    ring = Keyring("n")
    key = SigningKey(SECRET)
    assert ring.get(key.key_id) is None
    signature = ring.add(key)
    assert ring.get(key.key_id) is signature
    assert ring.get(bytes(8)) is None


def test_the_host_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "directory" / "host.key"
    assert read_host_key(path) is None
    assert not path.parent.exists()
    old = os.umask(0)
    try:
        key = host_key(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.stat().st_size == 32
    assert list(path.parent.iterdir()) == [path]
    assert host_key(path).key_id == key.key_id
    again = read_host_key(path)
    assert again is not None
    assert again.key_id == key.key_id


def test_a_strict_umask_does_not_close_the_key_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "host.key"
    old = os.umask(0o777)
    try:
        host_key(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_default_place_is_outside_the_cache_directory(isolated_home: Path) -> None:
    path = default_host_key_path()
    assert path == isolated_home / "data" / "tiered-cache" / "host.key"
    assert isolated_home / "cache" not in path.parents


@pytest.mark.proves("law-9/host-key-file")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644, 0o700])
def test_law_9_a_key_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "host.key"
    host_key(path)
    path.chmod(mode)
    for read in (host_key, read_host_key):
        with pytest.raises(ConfigurationError, match="chmod 600"):
            read(path)


def test_law_9_a_key_of_another_owner_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "host.key"
    host_key(path)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)  # changing the owner needs privileges
    with pytest.raises(ConfigurationError, match="belongs to user"):
        read_host_key(path)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_the_wrong_length_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "host.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="remove it: the next process makes a new one"):
        host_key(path)
    assert path.read_bytes() == content


@pytest.mark.proves("law-9/host-key-file")
def test_law_9_links_fifos_and_directories_are_no_keys(tmp_path: Path) -> None:
    real = tmp_path / "real.key"
    host_key(real)
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "directory").mkdir(mode=0o600)
    for name in ("link", "fifo", "directory"):
        with pytest.raises(ConfigurationError):
            host_key(tmp_path / name)


def test_a_place_where_no_key_can_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="TIERED_CACHE_SIGNING_KEY"):
        host_key(tmp_path / "file" / "deeper" / "host.key")


RACE = """
import sys
from pathlib import Path
from tiered_cache.codec.host_key import host_key
print("ready", flush=True)
sys.stdin.readline()
print(*[host_key(Path(sys.argv[1]) / str(each) / "host.key").key_id.hex() for each in range(100)])
"""


def test_processes_that_race_settle_on_one_key(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        answers = {racer.communicate(timeout=60)[0] for racer in racers}
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert len(answers) == 1
    assert len(set(answers.pop().split())) == 100
    assert all(list(each.iterdir()) == [each / "host.key"] for each in tmp_path.iterdir())
