"""Classes in the annotated result of a cached function need no pickle; unknown ones stay."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import pytest

from tests.patience import patient_redis
from tiered_cache import LookupStatus, MemoryTier, TieredCache, WriteOutcome
from tiered_cache.codec import RecordCodec


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Place(NamedTuple):
    line: int
    column: int


@dataclass(frozen=True)
class Message:
    text: str
    level: Level
    places: tuple[Place, ...] = ()


@dataclass
class Report:
    path: str
    messages: dict[str, list[Message]] = field(default_factory=dict)


class Ordinary:
    pass


def stack(url: str, namespace: str) -> TieredCache:
    return TieredCache([MemoryTier(), patient_redis(url)], namespace=namespace)


@pytest.mark.proves("law-9/annotated-types")
def test_the_classes_of_a_result_and_of_its_fields_are_registered(
    redis_url: str, namespace: str
) -> None:
    made = Report("a", {"x": [Message("m", Level.HIGH, (Place(1, 2),))]})
    calls: list[str] = []

    def analyze(path: str) -> Annotated[Report, "a note"] | list[Ordinary] | None:
        calls.append(path)
        return made

    with stack(redis_url, namespace) as one, stack(redis_url, namespace) as two:
        assert one.cached(analyze)("a") == made
        assert two.cached(analyze)("a") == made
        assert calls == ["a"], "the second cache read it from the server"
        key = two.cached(analyze).key_for("a")
        value = two.get(key)
        assert type(value.messages["x"][0].places[0]) is Place
        assert value.messages["x"][0].level is Level.HIGH


@pytest.mark.proves("law-9/annotated-types")
def test_without_an_annotation_a_shared_tier_refuses_it(redis_url: str, namespace: str) -> None:
    with stack(redis_url, namespace) as cache:
        result = cache.set("key", Report("a"))
        assert result.tiers[1].outcome is WriteOutcome.REFUSED
        assert isinstance(cache.codec, RecordCodec)
        cache.codec.registry.register(Report)
        assert cache.set("key", Report("a")).tiers[1].outcome is WriteOutcome.WRITTEN


def test_annotations_that_cannot_be_resolved_change_nothing(redis_url: str, namespace: str) -> None:
    def analyze(path: str) -> int:
        return len(path)

    analyze.__annotations__["return"] = "NoSuchName[int]"
    with stack(redis_url, namespace) as cache:
        assert cache.cached(analyze)("abc") == 3


@pytest.mark.proves("law-9/reader-cannot-use")
def test_a_record_with_an_unknown_type_is_a_miss_and_stays_in_its_tier(
    redis_url: str, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    with stack(redis_url, namespace) as knows, stack(redis_url, namespace) as knows_not:
        assert isinstance(knows.codec, RecordCodec)
        knows.codec.registry.register(Report)
        knows.set("key", Report("a"))
        assert knows_not.lookup("key").status is LookupStatus.MISS
        assert knows_not.stats().tier("redis").corrupt == 1
        assert "stays until it is replaced" in caplog.text
        knows._source.core().stack.levels[0].tier.clear()
        assert knows.get("key") == Report("a")
        assert knows_not.get_or_compute("key", lambda: "replaced") == "replaced"
        knows._source.core().stack.levels[0].tier.clear()
        assert knows.get("key") == "replaced"
