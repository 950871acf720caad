"""`tiered-cache journal`, in processes of its own, beside one that lives and holds a journal."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import command_line
from tests.journals import write_row
from tests.patience import patient_redis
from tiered_cache import TieredCache
from tiered_cache.codec import RecordCodec
from tiered_cache.contracts import Reach
from tiered_cache.entry import Entry
from tiered_cache.journal import DiskJournal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.testing import ValkeyServer


run = partial(command_line.run, "journal")


@pytest.fixture
def journal(valkey: ValkeyServer, namespace: str) -> Iterator[DiskJournal]:
    """A living process's journal, in which a write is parked."""
    folder = Path("cache").absolute()
    Path("tiered-cache.toml").write_text(
        f"namespace = '{namespace}'\nredis_url = '{valkey.url}'\nwriting = 'write_back'\n"
        f"[policies.write_back]\ndurability = 'disk'\n[disk]\npath = '{folder}'\n"
        "[redis]\ntimeout = '20s'\nconnect_timeout = '20s'\n"
    )
    made = DiskJournal(folder / ".journal" / namespace)
    entry = Entry("value", created_s=1_700_000_000.0)
    record = RecordCodec(namespace).encode("poison", entry, Reach.CLUSTER)
    made.park(
        write_row(made, "poison", record, entry.created_s, frozenset({"disk", "redis"})),
        "tier 'redis' does not take it",
    )
    yield made
    made.close()


def test_parked_writes_are_listed_and_retried(
    journal: DiskJournal, valkey: ValkeyServer, namespace: str
) -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert [(each["key"], each["owner"], each["trouble"]) for each in listed] == [
        ("poison", "other", "tier 'redis' does not take it")
    ]
    assert "does not take it" in run("list").stdout
    run("retry", "another", code=1)
    assert json.loads(run("retry", "--json").stdout) == {"retried": 1, "parked": []}
    with TieredCache([patient_redis(valkey.url)], namespace=namespace) as redis:
        assert redis.get("poison") == "value"
    assert journal.entries() == []
    assert "is empty" in run("list").stderr
    run("retry", code=1)


@pytest.mark.usefixtures("journal")
def test_parked_writes_are_dropped_after_confirmation() -> None:
    assert "use --yes" in run("drop", code=2).stderr
    assert json.loads(run("drop", "--yes", "--json").stdout) == {"dropped": 1}
    run("drop", "--yes", code=1)
