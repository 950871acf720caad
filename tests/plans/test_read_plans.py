"""Plans driven by hand: no tier is called, and every order of events can be tried."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import MemoryTier, TieredCache
from tiered_cache._engine.drivers.background import Background
from tiered_cache._engine.drivers.sync import SyncDriver
from tiered_cache._engine.effects import (
    FAILED,
    OK,
    SKIPPED,
    UNREADABLE,
    Compute,
    Computed,
    Effect,
    Plan,
    Read,
    Reply,
    Write,
)
from tiered_cache._engine.plans.delete import delete
from tiered_cache._engine.plans.get_or_compute import get_or_compute
from tiered_cache._engine.plans.read import look_up
from tiered_cache._engine.plans.write import store
from tiered_cache._engine.terms import Terms, Work
from tiered_cache.computation import Computation
from tiered_cache.contracts import ANY, Absent, Found
from tiered_cache.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache._engine.stack import Stack

NOW = 1_700_000_000.0


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Three tiers that keep entries, none of them live, so that each read is an effect."""
    tiers = [MemoryTier(name=name, eviction="lru") for name in ("l1", "l2", "l3")]
    with TieredCache(tiers) as cache:
        yield cache._source.core().stack


def found(value: object, *, fresh_s: float = 60.0, grace_s: float = 0.0) -> Reply:
    entry = Entry(
        value, created_s=NOW, fresh_until_s=NOW + fresh_s, stale_until_s=NOW + fresh_s + grace_s
    )
    return Reply(OK, Found(entry, math.inf, "seen"), 0.0, NOW)


def absent(token: object = "nothing") -> Reply:
    return Reply(OK, Absent(token), 0.0, NOW)


def run(plan: Plan[Any], replies: list[Any]) -> tuple[list[Effect], Any]:
    """The effects that the plan asked for, given the replies in order, and its result."""
    effects: list[Effect] = []
    try:
        effect = next(plan)
        while True:
            effects.append(effect)
            effect = plan.send(replies[len(effects) - 1])
    except StopIteration as stop:
        return effects, stop.value


@pytest.mark.proves("promotion/missed")
def test_a_hit_below_is_promoted_slowest_tier_first_with_the_tokens_seen(stack: Stack) -> None:
    stored = Reply(OK, True, 0.0, NOW)
    effects, search = run(
        look_up(stack, "key"), [absent("t1"), absent("t2"), found(5), stored, stored]
    )
    assert [type(each) for each in effects] == [Read, Read, Read, Write, Write]
    puts = [each for each in effects if isinstance(each, Write)]
    assert [(put.level, put.item.expected, put.item.lifetime_s) for put in puts] == [
        (1, "t2", 60.0),
        (0, "t1", 60.0),
    ]
    assert search.finding.entry.value == 5


@pytest.mark.proves("reading/miss-and-error", "filling/unanswered", "promotion/failed")
@pytest.mark.parametrize("status", [FAILED, SKIPPED])
def test_nothing_is_filled_into_a_tier_that_did_not_answer(stack: Stack, status: str) -> None:
    broken = Reply(status, None, 0.0, NOW, "broken")
    computed = Computed("value", 1.0, NOW, 1.0, 1, Computation())
    stored = Reply(OK, True, 0.0, NOW)
    plan = get_or_compute(stack, "key", Work(lambda: "value", Terms()))
    replies = [absent("t1"), broken, absent("t3"), None, computed, stored, stored]
    effects, value = run(plan, replies)
    assert value == "value"
    assert [each.level for each in effects if isinstance(each, Write)] == [2, 0]


@pytest.mark.proves("reading/hit-below")
def test_every_combination_of_answers_ends_with_the_first_fresh_value(stack: Stack) -> None:
    """Law 1: for all answers of three tiers, the function's value or a fresh one is returned."""
    answers: dict[str, Callable[[], Reply]] = {
        "hit": lambda: found("kept"),
        "stale": lambda: found("old", fresh_s=-5, grace_s=60),
        "expired": lambda: found("old", fresh_s=-5),
        "absent": absent,
        "failed": lambda: Reply(FAILED, None, 0.0, NOW, "broken"),
        "skipped": lambda: Reply(SKIPPED, None, 0.0, NOW, "open"),
        "unreadable": lambda: Reply(UNREADABLE, None, 0.0, NOW, "corrupt"),
        "nonsense": lambda: Reply(OK, "nonsense", 0.0, NOW),
    }
    for combination in itertools.product(answers, repeat=3):
        plan = get_or_compute(stack, "key", Work(lambda: "computed", Terms()))
        asked: list[int] = []
        computes = 0
        effect: Any = next(plan)
        value: object = None
        quarantined: set[int] = set()
        while True:
            reply: Any
            if isinstance(effect, Read) and effect.level in quarantined:
                reply = absent()
            elif isinstance(effect, Read):
                asked.append(effect.level)
                reply = answers[combination[effect.level]]()
                if combination[effect.level] == "unreadable":
                    quarantined.add(effect.level)
            elif isinstance(effect, Compute):
                computes += 1
                reply = Computed("computed", 0.1, NOW, 0.1, 1, Computation())
            else:
                reply = Reply(OK, True, 0.0, NOW)
            try:
                effect = plan.send(reply)
            except StopIteration as stop:
                value = stop.value
                break
        hit = "hit" in combination
        assert asked == list(range(combination.index("hit") + 1 if hit else 3)), combination
        assert value == ("kept" if hit else "computed"), combination
        assert computes == (0 if hit else 1), combination


@pytest.mark.proves("law-3/smaller-counts")
def test_law_3_the_smaller_lifetime_counts(stack: Stack) -> None:
    entry = Entry("v", created_s=NOW, fresh_until_s=NOW + 60)
    short = Reply(OK, Found(entry, 5.0, "t"), 0.0, NOW)
    stored = Reply(OK, True, 0.0, NOW)
    effects, search = run(look_up(stack, "key"), [absent(), short, stored])
    assert search.finding.fresh_s == 5.0
    assert [each.item.lifetime_s for each in effects if isinstance(each, Write)] == [5.0]


@pytest.mark.proves("writing/lowest-first")
def test_a_set_goes_lowest_tier_first_and_unconditionally(stack: Stack) -> None:
    effects, result = run(store(stack, {"key": "v"}, Terms()), [Reply(OK, True, 0.0, NOW)] * 3)
    assert [(each.level, each.item.expected) for each in effects if isinstance(each, Write)] == [
        (2, ANY),
        (1, ANY),
        (0, ANY),
    ]
    assert result["key"]


@pytest.mark.proves("law-4/own-changes")
def test_law_4_no_interleaving_of_a_fill_and_a_deletion_leaves_the_old_value(stack: Stack) -> None:
    """Every order in which the steps of the two plans can follow each other, over three tiers."""
    background = Background(lambda: 0, lambda: None, lambda: None, lambda _: None)
    driver = SyncDriver(stack, background)

    def perform(effect: Effect) -> Any:
        return driver.perform(effect)

    def steps(order: list[int]) -> bool:
        """Run both plans in `order`, and return whether the deletion ended last."""
        for level in stack.levels:
            level.tier.clear()
        plans: list[Any] = [
            get_or_compute(stack, "key", Work(lambda: "older", Terms())),
            delete(stack, ["key"]),
        ]
        pending: list[Any] = [next(plan) for plan in plans]
        ended: list[int] = []
        for which in [*order, *[0] * 20, *[1] * 20]:
            if pending[which] is None:
                continue
            try:
                pending[which] = plans[which].send(perform(pending[which]))
            except StopIteration:
                pending[which] = None
                ended.append(which)
        return ended == [0, 1]

    # 3 reads, 1 lead, 1 computation and 3 fills against 3 deletions.
    orders = _orders(8, 3)
    tried = 0
    for order in orders:
        steps(order)
        tried += 1
        values = [level.tier.get("key") for level in stack.levels]
        held = [each for each in values if isinstance(each, Found)]
        began_before = _fill_read_before_deletion_ended(order)
        if began_before:
            assert not held, (order, values)
    assert tried == 165


def _orders(fills: int, deletions: int) -> list[list[int]]:
    total = fills + deletions
    return [
        [1 if place in places else 0 for place in range(total)]
        for places in itertools.combinations(range(total), deletions)
    ]


def _fill_read_before_deletion_ended(order: list[int]) -> bool:
    """Whether the fill had read every tier's token before the deletion had changed it."""
    reads = 0
    deleted = 0
    for which in order:
        if which == 0:
            reads += 1
        else:
            deleted += 1
            level = 3 - deleted  # the deletion goes from the slowest tier up
            if reads <= level:
                return False
    return True
