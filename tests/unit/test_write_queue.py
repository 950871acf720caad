"""The write-back queue by itself: coalescing, due times, bounds, retries and parking."""

from __future__ import annotations

import threading

import pytest

from tiered_cache._engine.state.pending import Pending
from tiered_cache._engine.state.write_queue import MAX_ATTEMPTS, WriteQueue
from tiered_cache.contracts import JournalRow
from tiered_cache.entry import Entry
from tiered_cache.policies import QueueLimits
from tiered_cache.testing import FakeClock, in_forked_child
from tiered_cache.testing.wait import wait_until

LIMITS = QueueLimits(flush_interval_s=1.0, max_delay_s=5.0, max_batch=3, max_pending=100)
SLOW = LIMITS._replace(flush_interval_s=3600.0, max_delay_s=3600.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_queue(clock: FakeClock, limits: QueueLimits = LIMITS) -> WriteQueue:
    return WriteQueue(limits, clock.monotonic, jitter=lambda: 0.5)


def change(key: str, value: object = 1) -> Pending:
    return Pending(key, Entry(value, created_s=1.0), 1.0, (2, 1))


def keys(batch: list[Pending]) -> list[str]:
    return [each.key for each in batch]


@pytest.mark.proves("write-back/due")
def test_a_key_is_due_when_it_was_not_written_again_for_a_while(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a"))
    clock.advance(0.9)
    assert queue.take() == []
    assert queue._next_due_s() == pytest.approx(clock.monotonic() + 0.1)
    clock.advance(0.1)
    assert keys(queue.take()) == ["a"]


@pytest.mark.proves("write-back/last-wins")
def test_repeated_writes_become_one_and_can_put_it_off_only_so_long(clock: FakeClock) -> None:
    queue = make_queue(clock)
    for value in range(6):
        queue.put(change("a", value))
        assert queue.take() == []
        clock.advance(0.9)
    (only,) = queue.take()
    assert only.entry is not None
    assert (only.entry.value, len(queue)) == (5, 1)


def test_a_batch_is_bounded_and_oldest_first(clock: FakeClock) -> None:
    queue = make_queue(clock)
    for key in "abcd":
        queue.put(change(key))
    clock.advance(1)
    assert keys(queue.take()) == ["a", "b", "c"]
    assert keys(queue.take()) == ["d"], "a change that is being written is not taken twice"
    assert queue.take() == []


def test_changes_soon_due_go_with_those_due(clock: FakeClock) -> None:
    queue = make_queue(clock)
    for key in "abc":
        queue.put(change(key))
        clock.advance(0.4)
    assert keys(queue.take()) == ["a", "b"], "and c, which was written just now, waits"


@pytest.mark.proves("write-back/due")
def test_half_full_is_flushed_at_once(clock: FakeClock) -> None:
    queue = make_queue(clock, LIMITS._replace(max_pending=4))
    queue.put(change("a"))
    assert queue.take() == []
    queue.put(change("b"))
    assert keys(queue.take()) == ["a", "b"]


def sleeping(queue: WriteQueue) -> threading.Thread:
    """A thread that sleeps until something is due."""
    sleeper = threading.Thread(target=queue.sleep, args=(3600,), daemon=True)
    sleeper.start()
    wait_until(lambda: len(queue.changed._waiters) > 0, "it sleeps")  # type: ignore[attr-defined] # of threading
    return sleeper


@pytest.mark.proves("write-back/due")
@pytest.mark.parametrize("max_pending", [3, 4, 5])
def test_a_sleeping_flusher_is_woken_when_the_queue_is_half_full(
    clock: FakeClock, max_pending: int
) -> None:
    queue = make_queue(clock, SLOW._replace(max_pending=max_pending, max_batch=10))
    queue.put(change("0"))
    sleeper = sleeping(queue)
    for number in range(1, (max_pending + 1) // 2):
        queue.put(change(f"{number}"))
    sleeper.join(30)
    assert not sleeper.is_alive()


def test_a_late_retry_does_not_delay_other_changes(clock: FakeClock) -> None:
    queue = make_queue(clock)
    for key in ("poison", "more poison"):
        queue.put(change(key))
        queue.held[key].retry_s = clock.monotonic() + 3600
    sleeper = sleeping(queue)
    queue.put(change("good"))
    clock.advance(1)
    sleeper.join(30)
    assert not sleeper.is_alive()
    assert keys(queue.take()) == ["good"]


def test_the_flusher_does_not_sleep_past_a_due_change(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a"))
    clock.advance(1)
    sleeper = threading.Thread(target=queue.sleep, args=(3600,), daemon=True)
    sleeper.start()
    sleeper.join(30)
    assert not sleeper.is_alive()


def test_law_10_a_full_queue_takes_no_more_keys_and_says_so(clock: FakeClock) -> None:
    queue = make_queue(clock, LIMITS._replace(max_pending=2))
    queue.put(change("a"))
    queue.put(change("b"))
    assert queue.has_room("a"), "a write of a key that waits replaces it"
    assert not queue.has_room("c")
    assert not queue.wait_for_room("c", 0.01)


def test_a_waiting_writer_goes_on_when_there_is_room(clock: FakeClock) -> None:
    queue = make_queue(clock, LIMITS._replace(max_pending=1))
    queue.put(change("a"))
    got_room = []
    waiter = threading.Thread(target=lambda: got_room.append(queue.wait_for_room("b", 30)))
    waiter.start()
    batch = queue.take()
    batch[0].levels = ()
    queue.settle(batch)
    waiter.join(30)
    assert got_room == [True]


def test_a_key_stays_until_its_last_tier_has_it(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a"))
    clock.advance(1)
    batch = queue.take()
    batch[0].levels = (1,)
    assert queue.outcome(batch) == ([], [])
    queue.settle(batch)
    assert "a" in queue.held
    batch = queue.take()
    batch[0].levels = ()
    assert queue.outcome(batch) == (batch, [])
    queue.settle(batch)
    assert not queue.held


def test_a_change_replaced_while_it_was_written_is_neither_done_nor_lost(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a", "old"))
    clock.advance(1)
    batch = queue.take()
    newer = change("a", "new")
    queue.put(newer)
    batch[0].levels = ()
    assert queue.outcome(batch) == ([], [])
    queue.settle(batch)
    assert queue.held["a"] is newer


def test_a_fill_never_replaces_a_change(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a", "set"))
    fill = Pending("a", Entry("computed", created_s=2.0), 2.0, (1,), tokens=("t", "t"))
    assert not queue.put(fill)
    held = queue.held["a"].entry
    assert held is not None
    assert held.value == "set"


def test_changes_of_a_dead_process_never_replace_newer_ones(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a", "newer"))
    row = JournalRow(7, "a", b"", 0.5, frozenset({"disk"}))
    assert not queue.put(Pending("a", None, 0.5, (1,), row=row), replayed=True)
    held = queue.held["a"]
    assert held.entry is not None
    assert held.row is row, "which is to be forgotten with the newer one"
    assert queue.put(Pending("a", None, 99.0, (1,)), replayed=True)


def test_retries_back_off_with_jitter_up_to_a_ceiling(clock: FakeClock) -> None:
    queue = make_queue(clock)
    each = change("a")
    queue.put(each)
    waits = []
    for _ in range(12):
        queue.postpone(each, "away", refused=False)
        waits.append(each.retry_s - clock.monotonic())
    assert waits[:3] == pytest.approx([0.1, 0.2, 0.4])
    assert waits[-1] == 15.0, "half of the ceiling, as the jitter says"
    assert each.attempts == 0, "a tier that is away is no fault of the record"


def test_a_change_that_a_healthy_tier_keeps_refusing_is_parked(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("poison"))
    queue.put(change("fine"))
    for attempt in range(MAX_ATTEMPTS):
        clock.advance(100)
        batch = queue.take()
        for each in batch:
            if each.key == "fine":
                each.levels = ()
            else:
                queue.postpone(each, "too large", refused=True)
        done, parked = queue.outcome(batch)
        queue.settle(batch)
        assert keys(done) == (["fine"] if attempt == 0 else [])
        assert keys(parked) == (["poison"] if attempt == MAX_ATTEMPTS - 1 else [])
    deletion = queue.held["poison"]
    assert (deletion.entry, deletion.as_of_s, deletion.levels) == (None, 1.0, (2, 1))
    assert queue.figures() == {"depth": 1, "age_s": 0.0, "parked": 1}


def test_law_7_a_fill_that_is_given_up_deletes_nothing(clock: FakeClock) -> None:
    queue = make_queue(clock)
    fill = Pending("a", Entry(1, created_s=9.0), 9.0, (2,), tokens=(0, 0, 0))
    queue.put(fill)
    clock.advance(1)
    batch = queue.take()
    queue.give_up(fill, "too large")
    assert queue.outcome(batch) == ([], [fill])
    queue.settle(batch)
    assert not queue.held, "another process may have set the key since the computation began"


def test_a_retried_change_replaces_its_stand_in_deletion(
    clock: FakeClock,
) -> None:
    queue = make_queue(clock)
    queue.put(Pending("a", None, 1.0, (2,)))
    row = JournalRow(7, "a", b"", 1.0, frozenset({"redis"}))
    again = Pending("a", Entry(1, created_s=1.0), 1.0, (2,), row=row, insists=True)
    assert queue.put(again, replayed=True)
    queue.put(Pending("b", None, 2.0, (2,)))
    late = Pending("b", Entry(1, created_s=1.0), 1.0, (2,), insists=True)
    assert not queue.put(late, replayed=True), "a real deletion came later"


def test_draining_ignores_due_times_and_returns_the_remaining_keys(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a"))
    assert queue.drain(0.01) == ["a"]
    assert queue.take() == [], "the hurry is over with the deadline"


def test_law_12_a_forked_child_starts_with_an_empty_queue(clock: FakeClock) -> None:
    queue = make_queue(clock)
    queue.put(change("a"))
    assert in_forked_child(lambda: [len(queue), queue.has_room("b")]) == [0, True]
    assert len(queue) == 1
