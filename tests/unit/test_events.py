"""Every listener gets every event, and its errors affect no other listener."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tiered_cache.events import Event, EventKind, Listeners
from tiered_cache.testing import race

if TYPE_CHECKING:
    from collections.abc import Callable

_HIT = Event(EventKind.HIT, "memory", "key", 0.5, 3)


def test_every_listener_hears_every_event_in_order() -> None:
    heard: list[tuple[str, Event]] = []
    listeners = Listeners()
    listeners.add(lambda event: heard.append(("first", event)))
    listeners.add(lambda event: heard.append(("second", event)))
    miss = Event(EventKind.MISS, "memory", "key")
    listeners.emit(_HIT)
    listeners.emit(miss)
    assert heard == [("first", _HIT), ("second", _HIT), ("first", miss), ("second", miss)]


def test_there_is_something_to_emit_for_only_with_listeners() -> None:
    listeners, heard = Listeners(), list[Event]()
    assert not listeners.active
    remove = listeners.add(heard.append)
    assert listeners.active
    remove()
    assert not listeners.active
    listeners.emit(_HIT)
    assert heard == []


def test_removing_twice_changes_nothing() -> None:
    listeners, heard = Listeners(), list[Event]()
    remove = listeners.add(heard.append)
    listeners.add(heard.append)
    remove()
    remove()
    listeners.emit(_HIT)
    assert heard == [_HIT]
    assert listeners.active


def test_law_1_a_listener_that_raises_changes_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError(event.kind)

    listeners, heard = Listeners(), list[Event]()
    listeners.add(broken)
    listeners.add(heard.append)
    with caplog.at_level(logging.DEBUG, "tiered_cache"):
        for _ in range(5):
            listeners.emit(_HIT)
    assert heard == [_HIT] * 5
    (record,) = caplog.records
    assert record.name.startswith("tiered_cache")
    assert record.levelno == logging.WARNING
    assert "broken" in record.getMessage()


def test_each_broken_listener_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(name: str) -> Callable[[Event], None]:
        def listener(event: Event) -> None:
            raise RuntimeError(name)

        return listener

    listeners = Listeners()
    for name in ("one", "two"):
        listeners.add(broken(name))
    listeners.emit(_HIT)
    assert len(caplog.records) == 2


def test_a_listener_that_ends_the_program_does_end_it() -> None:
    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    listeners = Listeners()
    listeners.add(interrupted)
    with pytest.raises(KeyboardInterrupt):
        listeners.emit(_HIT)


def test_a_listener_may_add_and_remove_listeners() -> None:
    listeners, heard = Listeners(), list[str]()

    def once(event: Event) -> None:
        heard.append("once")
        remove()
        listeners.add(lambda _: heard.append("later"))

    remove = listeners.add(once)
    listeners.emit(_HIT)
    assert heard == ["once"]
    listeners.emit(_HIT)
    assert heard == ["once", "later"]


def test_law_12_threads_may_emit_at_once() -> None:
    listeners, heard = Listeners(), list[Event]()
    listeners.add(heard.append)

    def emit(_: int) -> None:
        for _ in range(500):
            listeners.emit(_HIT)

    race(8, emit)
    assert len(heard) == 4000


def test_an_event_has_defaults_for_unknown_figures() -> None:
    event = Event(EventKind.COMPUTE, "", "key")
    assert (event.seconds, event.bytes, event.detail) == (0.0, 0, "")
    assert {kind.value for kind in EventKind} >= {
        "hit", "miss", "promotion", "write", "eviction", "compute", "error",
    }  # fmt: skip


def test_a_listener_gets_the_kinds_that_it_asked_for() -> None:
    listeners, heard = Listeners(), list[EventKind]()
    listeners.add(lambda event: heard.append(event.kind), frozenset({EventKind.BREAKER}))
    assert listeners.wanted == {EventKind.BREAKER}
    listeners.emit(_HIT)
    listeners.emit(Event(EventKind.BREAKER, "redis", "", detail="open"))
    assert heard == [EventKind.BREAKER]
