"""Diagnoses of stacks with disks in each state that a disk can get into."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import write_row
from tiered_cache import ConfigurationError
from tiered_cache.config import build_stack, load_settings
from tiered_cache.diagnosis import Check, Verdict, diagnose
from tiered_cache.diagnosis.file_systems import file_system
from tiered_cache.journal import DiskJournal
from tiered_cache.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

Found = dict[tuple[str, str], Check]


def found(**options: Any) -> Found:
    """The checks of a diagnosis of the default stack, by subject and name."""
    (diagnosis,) = diagnose("default", settings=load_settings(**options))
    assert diagnosis.healthy == (not diagnosis.of(Verdict.PROBLEM))
    return {(each.subject, each.name): each for each in diagnosis.checks}


def problems(checks: Found) -> list[tuple[str, str]]:
    return [where for where, each in checks.items() if each.verdict is Verdict.PROBLEM]


def on(path: Path, **disk: Any) -> Found:
    return found(tiers=["memory", "disk"], disk={"path": str(path), **disk})


def database(path: Path) -> Path:
    return path / "default" / "cache.db"


def test_the_default_stack_works(isolated_home: Path) -> None:
    checks = found()
    assert problems(checks) == []
    assert [each for each in checks if each[0] == "disk"] == [
        ("disk", name)
        for name in (
            "directory",
            "file system",
            "space",
            "open",
            "round trip",
            "reads",
            "deletion",
            "lease",
            "changes",
            "offers",
        )
    ]
    assert "bound 2 s" in checks["stack", "changes"].finding
    assert all(each.seconds >= 0 for each in checks.values())
    # The diagnosis checks whether the host key could be made, but does not make it.
    assert not (isolated_home / "data" / "tiered-cache" / "host.key").exists()


@pytest.mark.proves("diagnosis/leaves-nothing")
def test_entries_of_the_stack_stay_and_probes_do_not(tmp_path: Path) -> None:
    settings = load_settings(tiers=["memory", "disk"], disk={"path": str(tmp_path)})
    with build_stack(settings=settings) as cache:
        cache.set("mine", "value")
        cache.set("deleted", "value")
        cache.delete("deleted")
        cache.namespace("view").set("mine", "value")
    before = _rows(tmp_path)
    assert all(each.healthy for each in diagnose(settings=settings))
    wait_until(lambda: _rows(tmp_path) == before, "no probe is left")
    with build_stack(settings=settings) as cache:
        assert cache.get("mine") == "value"
        assert [*cache.keys()] == ["mine"]


def _rows(path: Path) -> list[Any]:
    """The unexpired rows. Test values expire after 1 ms; the next write removes them."""
    with contextlib.closing(sqlite3.connect(database(path))) as connection:
        return connection.execute(
            "SELECT key, value, tag FROM Cache"
            " WHERE expire_time IS NULL OR expire_time > ? ORDER BY key",
            (time.time(),),
        ).fetchall()


@pytest.mark.proves("diagnosis/stacks")
def test_every_stack_is_looked_at_or_one_by_its_name(tmp_path: Path) -> None:
    Path("tiered-cache.toml").write_text(
        'tiers = ["memory"]\n[stacks.ci]\ntiers = ["memory", "null"]\n'
    )
    assert [(each.stack, each.tiers) for each in diagnose()] == [
        ("default", ("memory",)),
        ("ci", ("memory", "null")),
    ]
    (only,) = diagnose("ci")
    assert (only.stack, only.namespace, only.healthy) == ("ci", "ci", True)
    with pytest.raises(ConfigurationError, match="unknown"):
        diagnose("unknown")


@pytest.mark.proves("diagnosis/stacks")
def test_mistakes_in_the_settings_are_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_DEFAULT_TTL", "soon")
    monkeypatch.setenv("TIERED_CACHE_STALE_FOR", "later")
    (diagnosis,) = diagnose()
    assert [(each.subject, each.name) for each in diagnosis.of(Verdict.PROBLEM)] == [
        ("settings", "default_ttl"),
        ("settings", "stale_for"),
    ]
    assert "TIERED_CACHE_DEFAULT_TTL" in diagnosis.checks[0].finding


@pytest.mark.proves("diagnosis/stacks")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tiers": ["disk", "memory"]}, "put 'memory' first"),
        ({"tiers": ["memory"], "max_ttl": {"disk": "1h"}}, "is not a tier of this cache"),
    ],
)
def test_settings_that_make_no_cache_are_a_finding(options: dict[str, Any], says: str) -> None:
    checks = found(**options)
    assert problems(checks) == [("settings", "settings")]
    assert says in checks["settings", "settings"].finding


@pytest.mark.proves("diagnosis/disk")
def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    checks = on(tmp_path / "file")
    assert problems(checks) == [("disk", "directory")]
    assert "is a file" in checks["disk", "directory"].finding
    assert checks["stack", "changes"].verdict is Verdict.SKIPPED


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user of the machine may enter."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


_AS_ANOTHER_USER = """
import os, pwd, sys
sys.path[:0] = {path!r}
from tiered_cache.diagnosis import diagnose
from tiered_cache.config import load_settings
settings = load_settings(tiers=["memory", "disk"], disk={{"path": sys.argv[1]}})
# These diagnoses import every module now: the other user may not be able to read the sources.
for place in (sys.argv[2], "/proc/unwritable"):
    diagnose(settings=load_settings(tiers=["memory", "disk"], disk={{"path": place}}))
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for check in diagnose(settings=settings)[0].checks:
    if check.verdict == "problem": print(check.subject, check.name, check.finding, check.advice)
"""


@pytest.mark.proves("diagnosis/disk")
@pytest.mark.needs_root
@pytest.mark.parametrize("made", ["nothing", "a database"])
def test_a_directory_of_another_user(made: str, public: Path, tmp_path: Path) -> None:
    if made == "a database":
        with build_stack(settings=load_settings(tiers=["disk"], disk={"path": str(public)})):
            pass
        for each in (public / "default", database(public)):
            each.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", _AS_ANOTHER_USER.format(path=sys.path), str(public), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd="/",
        env={"HOME": str(public), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("disk directory")
    assert "can't be written by this user: it belongs to user 0 with mode 755" in first
    assert "chown" in first


@pytest.mark.proves("diagnosis/disk")
def test_a_directory_that_cannot_be_made() -> None:
    checks = on(Path("/proc/unwritable"))
    assert ("disk", "open") in problems(checks)


@pytest.mark.proves("diagnosis/leaves-databases")
@pytest.mark.parametrize("content", [b"garbage " * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_database_that_is_none_is_left_alone(content: bytes, tmp_path: Path) -> None:
    database(tmp_path).parent.mkdir()
    database(tmp_path).write_bytes(content)
    checks = on(tmp_path)
    assert problems(checks) == [("disk", "database")]
    assert "put it aside and start empty" in checks["disk", "database"].finding
    assert database(tmp_path).read_bytes() == content


@pytest.mark.proves("diagnosis/leaves-databases")
def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    database(tmp_path).parent.mkdir()
    with contextlib.closing(sqlite3.connect(database(tmp_path))) as connection, connection:
        connection.execute("CREATE TABLE Settings (key TEXT, value)")
        connection.execute("INSERT INTO Settings VALUES ('disk_pickle_protocol_of_mine', 1)")
    content = database(tmp_path).read_bytes()
    checks = on(tmp_path)
    assert "of another program" in checks["disk", "database"].finding
    assert checks["disk", "database"].advice
    assert database(tmp_path).read_bytes() == content


@pytest.mark.proves("diagnosis/disk")
def test_a_database_that_was_put_aside_is_told(tmp_path: Path) -> None:
    (tmp_path / "default.quarantined-17").mkdir()
    check = on(tmp_path)["disk", "directory"]
    assert check.verdict is Verdict.ADVICE
    assert "default.quarantined-17" in check.advice


@pytest.mark.proves("diagnosis/disk")
def test_a_locked_database_names_the_process_that_holds_the_lock(tmp_path: Path) -> None:
    assert problems(on(tmp_path)) == []
    holding = (
        "import sqlite3, sys;"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(database(tmp_path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        checks = on(tmp_path, timeout="200ms")
        other.stdin.close()
    assert problems(checks) == [("disk", "lock")]
    if sys.platform == "linux":
        assert f"process {other.pid} has kept" in checks["disk", "lock"].finding
    assert problems(on(tmp_path)) == []


@pytest.mark.proves("diagnosis/disk")
def test_a_disk_with_less_room_than_the_tier_may_take(tmp_path: Path) -> None:
    check = on(tmp_path, max_bytes="1000000GiB")["disk", "space"]
    assert check.verdict is Verdict.ADVICE
    assert "lower disk.max_bytes" in check.advice


@pytest.mark.proves("diagnosis/disk")
def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A small file system could be mounted by root only.
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    checks = on(tmp_path)
    assert problems(checks) == [("disk", "space")]
    assert "the disk has 1 MiB free" in checks["disk", "space"].finding


_MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:26 / /home rw shared:2 - nfs4 server:/export/home rw,vers=4.2
31 30 0:27 / /home/me/local\040disk rw - xfs /dev/sdb1 rw
32 22 0:28 / /mnt/laptop rw - fuse.sshfs me@laptop:/ rw
33 22 0:29 / /dev/shm rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/cache", "ext4"),
        ("/home/me/.cache", "nfs4"),
        ("/home/me/local disk/cache", "xfs"),
        ("/homework", "ext4"),
        ("/mnt/laptop/x", "fuse.sshfs"),
    ],
)
def test_a_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), _MOUNTS) == kind


@pytest.mark.proves("diagnosis/disk")
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("nfs4", Verdict.PROBLEM),
        ("fuse.sshfs", Verdict.PROBLEM),
        ("tmpfs", Verdict.ADVICE),
        ("ext4", Verdict.OK),
    ],
)
def test_a_network_file_system_is_no_place_for_a_database(
    kind: str, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 254:0 / / rw - {kind} somewhere rw\n")
    monkeypatch.setattr("tiered_cache.diagnosis.file_systems._MOUNTS", mounts)
    assert on(tmp_path / "cache")["disk", "file system"].verdict is verdict


@pytest.mark.proves("diagnosis/stack")
def test_a_host_key_that_others_can_read(isolated_home: Path, tmp_path: Path) -> None:
    key = isolated_home / "data" / "tiered-cache" / "host.key"
    key.parent.mkdir(parents=True)
    key.write_bytes(os.urandom(32))
    key.chmod(0o644)
    checks = on(tmp_path)
    assert problems(checks) == [("signing", "keys")]
    assert "chmod 600" in checks["signing", "keys"].finding
    key.chmod(0o600)
    assert str(key) in on(tmp_path)["signing", "keys"].finding


@pytest.mark.proves("diagnosis/stack")
def test_a_host_key_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert problems(on(tmp_path)) == [("signing", "keys")]


def _journal(path: Path) -> DiskJournal:
    return DiskJournal(path / ".journal" / "default")


@pytest.mark.proves("diagnosis/stack")
def test_writes_that_were_given_up(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.park(write_row(journal, "key", b"record", 1.0, frozenset({"disk"})), "too large")
    checks = on(tmp_path)
    assert problems(checks) == [("journal", "journal")]
    assert (
        checks["journal", "journal"].finding == "parked writes: 1, the first because of: too large"
    )
    journal.close()


@pytest.mark.proves("diagnosis/leaves-databases")
def test_writes_that_dead_processes_left_are_told_and_left(tmp_path: Path) -> None:
    dying = (
        "import os, sys; from pathlib import Path; from tiered_cache.contracts import JournalRow;"
        "from tiered_cache.journal import DiskJournal;"
        "row = JournalRow(0, 'key', b'record', 1.0, frozenset({'disk'}));"
        "DiskJournal(Path(sys.argv[1])).write([row]); os._exit(0)"
    )
    place = tmp_path / ".journal" / "default"
    subprocess.run([sys.executable, "-c", dying, str(place)], check=True)
    for _ in range(2):
        checks = on(tmp_path)
        assert problems(checks) == []
        check = checks["journal", "journal"]
        assert check.verdict is Verdict.ADVICE
        assert "writes left by dead processes: 1" in check.finding
        assert 'set writing = "write_back"' in check.advice
    checks = found(tiers=["memory", "disk"], disk={"path": str(tmp_path)}, writing="write_back")
    assert "start your program" in checks["journal", "journal"].advice


def test_writes_of_a_process_that_runs_are_fine(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    write_row(journal, "key", b"record", 1.0, frozenset({"disk"}))
    check = on(tmp_path)["journal", "journal"]
    assert check.verdict is Verdict.OK, check
    assert "waiting: 1 writes" in check.finding
    journal.close()


def test_a_stack_of_one_process_skips_the_check_of_changes() -> None:
    checks = found(tiers=["memory"])
    assert checks["stack", "changes"].verdict is Verdict.SKIPPED
    assert ("journal", "journal") not in checks
