"""The write plans: set and fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    ForgetJournal,
    Plan,
    Put,
    PutMany,
    ReadHeads,
    Reply,
    WriteJournal,
)
from tiered_cache._engine.finding import UNKNOWN
from tiered_cache._engine.plans.outdated import remove, trust
from tiered_cache._engine.plans.tags import versions_of
from tiered_cache._engine.plans.write_back import enqueue, enqueue_many
from tiered_cache._engine.state.entry_records import Records
from tiered_cache._engine.state.write_queue import Pending
from tiered_cache._engine.terms import Terms, make_entry
from tiered_cache.contracts import ANY, PutItem
from tiered_cache.events import Event, EventKind
from tiered_cache.results import TierWrite, WriteOutcome, WriteResult
from tiered_cache_policies.contracts import WritePlan, WriteRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import Durability

__all__ = ["fill", "store", "store_many"]

_TOLD_ALREADY = (WriteOutcome.WRITTEN, WriteOutcome.QUEUED)


def store(
    stack: Stack, key: str, value: object, terms: Terms, durability: Durability | None = None
) -> Plan[WriteResult]:
    """Write a changed value to the tiers that the write policy names, whatever they hold.

    It is of the moment in which the plan begins to run, with the key's lock held.
    """
    versions = yield from versions_of(stack, terms.tags)
    if versions is None:
        return (yield from _refuse_everywhere(stack, key))
    entry = make_entry(stack, key, value, terms, stack.stamp(), tags=versions)
    return (yield from _store(stack, key, entry, durability))


def _refuse_everywhere(stack: Stack, key: str) -> Plan[WriteResult]:
    reason = "the versions of its tags can't be known: the tier that all share is away"
    reports: dict[int, TierWrite] = {}
    for level in reversed(stack.levels):
        reports[level.index] = yield from _refuse(stack, level, key, reason)
    return _result(stack, key, reports)


def _store(
    stack: Stack, key: str, entry: Entry, durability: Durability | None
) -> Plan[WriteResult]:
    records = Records(stack, key, entry)
    plan = _write_plan(stack, key, entry, computed=False, durability=durability)
    if stack.measures:
        records.measure()
        plan = _admitted(stack, key, entry, plan, computed=False)
    queued: tuple[int, ...] = ()
    if plan.later:
        plan = yield from enqueue(stack, key, records, plan)
        queued = plan.later
    if not queued:
        records.measure()
    reports: dict[int, TierWrite] = {}
    tokens = yield from _tokens_between(stack, [key], plan.now)
    for index in plan.now:
        level = stack.levels[index]
        put = (records.item(level), tokens.get((index, key), ANY))
        reports[index] = yield from _write(stack, level, key, put, entry)
    for level in reversed(stack.levels):
        if level.index in queued:
            reports[level.index] = level.queued
        elif level.index not in plan.now:
            yield from remove(level, key)
            reports[level.index] = TierWrite(level.name, WriteOutcome.SKIPPED, "by policy")
    if not queued and key in stack.queue.held:
        yield from _overtake(stack, key, records, reports)
    return _result(stack, key, reports)


def _result(stack: Stack, key: str, reports: Mapping[int, TierWrite]) -> WriteResult:
    """What a write did in each tier, as an event too where it is neither written nor queued."""
    if stack.listeners.active:
        for each in reports.values():
            if each.outcome not in _TOLD_ALREADY:
                event = Event(EventKind.WRITE, each.tier, key, 0.0, 0, each.outcome.value)
                stack.note(event)
    return WriteResult(tuple([reports[level.index] for level in stack.levels]))


def _overtake(
    stack: Stack, key: str, records: Records, reports: Mapping[int, TierWrite]
) -> Plan[None]:
    """Take a queued change back that was overtaken by one written at once.

    It is looked for after the writes: what came from a journal before them has seen nothing newer.
    Where that did not reach a tier, it takes the other's place: the tier was promised a newer value
    than it has.
    """
    overtaken = stack.queue.held.get(key)
    if overtaken is None:  # it was flushed just now
        return
    failed = [index for index, each in reports.items() if each.outcome is WriteOutcome.FAILED]
    behind = tuple(index for index in overtaken.levels if index in failed)
    row = overtaken.row
    if behind:
        entry = records.entry
        records.settle([stack.levels[index] for index in behind])
        record = records.any_record()
        if row is not None and record is not None:
            reply = yield WriteJournal(key, record, entry.created_s, row.tiers)
            row = reply.value or row
        stack.queue.put(Pending(key, entry, entry.created_s, behind, records=records, row=row))
        stack.wake()
        return
    stack.queue.remove(key)
    if row is not None:
        yield ForgetJournal([row])


def store_many(
    stack: Stack,
    values: Mapping[str, object],
    terms: Terms,
    durability: Durability | None = None,
) -> Plan[dict[str, WriteResult]]:
    """Write several changed values, each tier in one go.

    Where writes are queued, in one go for as many keys as a flush writes: they need room together.
    """
    versions = yield from versions_of(stack, terms.tags)
    if versions is None:
        refused = {}
        for key in values:
            refused[key] = yield from _refuse_everywhere(stack, key)
        return refused
    now_s = stack.stamp()
    made = {}
    for key, value in values.items():
        entry = make_entry(stack, key, value, terms, now_s, tags=versions)
        made[key] = Records(stack, key, entry)
    if not stack.queues_writes:
        return (yield from _store_batch(stack, made, durability))
    limits = stack.queue.limits
    size = min(limits.max_batch, limits.max_pending)
    keys = list(made)
    results: dict[str, WriteResult] = {}
    for start in range(0, len(keys), size):
        batch = {key: made[key] for key in keys[start : start + size]}
        results |= yield from _store_batch(stack, batch, durability)
    return results


def _store_batch(
    stack: Stack, made: Mapping[str, Records], durability: Durability | None
) -> Plan[dict[str, WriteResult]]:
    plans = {}
    for key, records in made.items():
        plan = _write_plan(stack, key, records.entry, computed=False, durability=durability)
        if stack.measures:
            records.measure()
            plan = _admitted(stack, key, records.entry, plan, computed=False)
        plans[key] = plan
    if any(plan.later for plan in plans.values()):
        plans = yield from enqueue_many(stack, made, plans)
    through = [key for key in made if not plans[key].later]
    for key in through:
        made[key].measure()
    reports = yield from _write_batch(stack, made, plans)
    for key in through:
        if key in stack.queue.held:
            yield from _overtake(stack, key, made[key], reports[key])
    return {key: _result(stack, key, each) for key, each in reports.items()}


def _write_batch(
    stack: Stack, made: Mapping[str, Records], plans: Mapping[str, WritePlan]
) -> Plan[dict[str, dict[int, TierWrite]]]:
    """Write each tier in one go, the slowest first; what became of each key in each tier."""
    reports: dict[str, dict[int, TierWrite]] = {key: {} for key in made}
    now = {index for plan in plans.values() for index in plan.now}
    tokens = yield from _tokens_between(stack, list(made), now)
    for level in reversed(stack.levels):
        index = level.index
        items = {}
        for key, plan in plans.items():
            if index in plan.later:
                reports[key][index] = level.queued
            elif index not in plan.now:
                yield from remove(level, key)
                reports[key][index] = TierWrite(level.name, WriteOutcome.SKIPPED, "by policy")
            elif isinstance(item := made[key].item(level), str):
                reports[key][index] = yield from _refuse(stack, level, key, item)
            else:
                expected = tokens.get((index, key), ANY)
                items[key] = PutItem(item, _lifetime_in(level, made[key].entry), expected)
        if items:
            tickets = {key: level.suspects.ticket(key) for key in items}
            reply = yield PutMany(index, items)
            for key in items:
                landed = reply.status == OK and key in reply.value
                status = OK if landed else REFUSED if reply.status == OK else reply.status
                one = Reply(status, None, 0.0, reply.now_s, reply.reason)
                reports[key][index] = yield from _settle(level, key, one, tickets[key])
    return reports


def fill(stack: Stack, key: str, entry: Entry, sought: Sought) -> Plan[None]:
    """Write a computed value where nothing changed since the lookup that missed it (law 4)."""
    if stack.epoch != sought.epoch:
        return
    records = Records(stack, key, entry)
    plan = _write_plan(stack, key, entry, computed=True)
    if stack.measures or not plan.later:
        records.measure()
    plan = _admitted(stack, key, entry, plan, computed=True)
    for index in plan.now:
        token = sought.tokens[index] if index < len(sought.tokens) else UNKNOWN
        level = stack.levels[index]
        item = records.item(level)
        if token is UNKNOWN:
            continue
        if isinstance(item, str):
            _say_refused(stack, level, item)
            continue
        put = PutItem(item, _lifetime_in(level, entry), token, fill=True)
        reply = yield Put(index, key, put)
        if reply.status == REFUSED and reply.value is False:
            # Others changed the key, or computed it first: their value is the one to be promoted.
            return
    if plan.later:
        _fill_later(stack, key, records, sought, plan.later)


def _fill_later(
    stack: Stack, key: str, records: Records, sought: Sought, levels: Sequence[int]
) -> None:
    """Queue a computed value, if there is room: it can be computed again."""
    known = [
        stack.levels[index]
        for index in levels
        if index < len(sought.tokens) and sought.tokens[index] is not UNKNOWN
    ]
    if known and stack.queue.has_room(key):
        entry, tokens = records.entry, tuple(sought.tokens)
        takers = tuple([level.index for level in records.settle(known)])
        if takers:
            stack.queue.put(
                Pending(key, entry, entry.created_s, takers, records=records, tokens=tokens)
            )
            stack.wake()


def _write_plan(
    stack: Stack,
    key: str,
    entry: Entry,
    *,
    computed: bool,
    durability: Durability | None = None,
) -> WritePlan:
    request = WriteRequest(key, _lifetime_s(entry), entry.cost_s, computed, durability)
    return stack.plan_write(request)


def _admitted(
    stack: Stack, key: str, entry: Entry, plan: WritePlan, *, computed: bool
) -> WritePlan:
    """`plan` without the levels that don't take the value by their own choice."""
    if not stack.measures:
        return plan

    def admitted(levels: tuple[int, ...]) -> tuple[int, ...]:
        lifetime_s = _lifetime_s(entry)
        return tuple(
            index
            for index in levels
            if stack.admits(stack.levels[index], key, entry, lifetime_s, filling=computed)
        )

    return plan._replace(now=admitted(plan.now), later=admitted(plan.later))


def _tokens_between(
    stack: Stack, keys: Sequence[str], levels: Collection[int]
) -> Plan[dict[tuple[int, str], object]]:
    """What tiers that are shared, above one that more share, must still hold when they are written.

    Another process may meanwhile learn of a later change from below, and drop the key there: what
    is written here must not come after that.
    """
    tokens: dict[tuple[int, str], object] = {}
    for index in stack.between:
        if index not in levels:
            continue
        reply = yield ReadHeads(index, keys)
        if reply.status == OK:
            tokens |= {(index, key): found.token for key, found in reply.value.items()}
    return tokens


def _write(
    stack: Stack, level: Level, key: str, put: tuple[Entry | bytes | str, object], entry: Entry
) -> Plan[TierWrite]:
    item, expected = put
    if isinstance(item, str):
        return (yield from _refuse(stack, level, key, item))
    ticket = level.suspects.ticket(key)
    reply = yield Put(level.index, key, PutItem(item, _lifetime_in(level, entry), expected))
    if reply.status == OK and ticket is None:
        return level.written
    return (yield from _settle(level, key, reply, ticket))


def _settle(level: Level, key: str, reply: Reply, ticket: int | None) -> Plan[TierWrite]:
    """Report a write, and see to it that an older value is not served where it did not land."""
    if reply.status == REFUSED:
        yield from remove(level, key)
        return TierWrite(level.name, WriteOutcome.REFUSED, reply.reason)
    trust(level, key, reply, ticket)
    if reply.status == OK:
        return level.written
    return TierWrite(level.name, WriteOutcome.FAILED, reply.reason)


def _refuse(stack: Stack, level: Level, key: str, reason: str) -> Plan[TierWrite]:
    _say_refused(stack, level, reason)
    yield from remove(level, key)
    return TierWrite(level.name, WriteOutcome.REFUSED, reason)


def _say_refused(stack: Stack, level: Level, reason: str) -> None:
    level.recorder.wrote("write_refusals", 0.0, 0)
    stack.faults.report(
        level.name, "refused", f"Tier {level.name!r} does not take a value: {reason}"
    )


def _lifetime_in(level: Level, entry: Entry) -> float:
    return level.capped(_lifetime_s(entry), entry)


def _lifetime_s(entry: Entry) -> float:
    return entry.stale_until_s - entry.created_s
