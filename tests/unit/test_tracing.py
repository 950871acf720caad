"""Spans: one for each get_or_compute, with the tier that answered."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tiered_cache import ConfigurationError, DiskTier, MemoryTier, TieredCache
from tiered_cache.aio import AsyncTieredCache
from tiered_cache.integrations.opentelemetry import span_tracer
from tiered_cache.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from tiered_cache.contracts.tracer import Tell


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> Iterator[TracerProvider]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider
    provider.shutdown()


def answers(spans: InMemorySpanExporter) -> list[tuple[object, object]]:
    """The outcome and tier of each span so far; clears the exporter."""
    found: list[tuple[object, object]] = []
    for span in spans.get_finished_spans():
        assert span.name == "tiered_cache.get_or_compute"
        attributes = span.attributes or {}
        found.append((attributes["tiered_cache.outcome"], attributes.get("tiered_cache.tier")))
    spans.clear()
    return found


@pytest.mark.proves("export/tracer")
def test_each_get_or_compute_is_one_span_that_names_the_tier(
    tmp_path: Path, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
        end = cache.trace(span_tracer(provider))
        for _ in range(2):
            assert cache.get_or_compute("key", lambda: 1) == 1
        assert cache.namespace("view").get_or_compute("key", lambda: 2) == 2

        @cache.cached
        def three() -> int:
            return 3

        assert [three(), three()] == [3, 3]
        end()
        cache.get_or_compute("key", lambda: 1)
    assert answers(spans) == [
        ("miss", None),
        ("hit", "memory"),
        ("miss", None),
        ("miss", None),
        ("hit", "memory"),
    ]
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
        cache.trace(span_tracer(provider))
        assert cache.get_or_compute("key", lambda: 0) == 1
    assert answers(spans) == [("hit", "disk")]


@pytest.mark.proves("export/tracer")
def test_a_stale_hit_says_so(spans: InMemorySpanExporter, provider: TracerProvider) -> None:
    clock = FakeClock()
    with TieredCache([MemoryTier()], stale_for="1h", clock=clock) as cache:
        cache.set("key", 1, ttl=1)
        clock.advance(2)
        cache.trace(span_tracer(provider))
        assert cache.get_or_compute("key", lambda: 2) == 1
    assert answers(spans) == [("stale_hit", "memory")]


@pytest.mark.proves("export/tracer")
def test_spans_of_a_computation_are_nested_and_its_exception_is_recorded(
    spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracer = provider.get_tracer("program")

    def compute() -> int:
        with tracer.start_as_current_span("inner"):
            raise ZeroDivisionError

    with TieredCache([MemoryTier()]) as cache:
        cache.trace(span_tracer(provider))
        with pytest.raises(ZeroDivisionError):
            cache.get_or_compute("secret" * 100, compute)
    inner, outer = spans.get_finished_spans()
    assert (inner.name, parent_of(inner)) == ("inner", id_of(outer))
    assert [event.name for event in outer.events] == ["exception"]
    assert len(str((outer.attributes or {})["tiered_cache.key"])) < 120


def id_of(span: ReadableSpan) -> int | None:
    return None if span.context is None else span.context.span_id


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


@pytest.mark.proves("export/tracer")
def test_a_task_is_followed_as_well(spans: InMemorySpanExporter, provider: TracerProvider) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            await cache.trace(span_tracer(provider))

            async def compute() -> int:
                with provider.get_tracer("program").start_as_current_span("inner"):
                    await asyncio.sleep(0)
                    return 1

            assert await cache.get_or_compute("key", compute) == 1
            assert await cache.get_or_compute("key", compute) == 1

    asyncio.run(main())
    inner, *outer = spans.get_finished_spans()
    assert parent_of(inner) == id_of(outer[0])
    assert [(each.attributes or {})["tiered_cache.outcome"] for each in outer] == ["miss", "hit"]


@pytest.mark.proves("export/tracer")
def test_law_1_a_tracer_that_fails_changes_nothing() -> None:
    def fails(key: str) -> None:
        raise ConnectionError(key)

    @contextmanager
    def refuses(key: str) -> Generator[Tell]:
        def tell(outcome: str, tier: str) -> None:
            raise ConnectionError(key)

        yield tell

    for tracer in (fails, refuses):
        with TieredCache([MemoryTier()]) as cache:
            cache.trace(tracer)  # type: ignore[arg-type] # one is none
            assert [cache.get_or_compute("key", lambda: 1) for _ in range(2)] == [1, 1]


def test_a_second_tracer_is_refused(provider: TracerProvider) -> None:
    with TieredCache([MemoryTier()]) as cache:
        end = cache.trace(span_tracer(provider))
        with pytest.raises(ConfigurationError, match="has a tracer already"):
            cache.trace(span_tracer(provider))
        end()
        cache.trace(span_tracer(provider))
