// Breakers and their past, the write-back queue with its journal, and the bus.

import { h, show } from "./dom.js";
import { bytes, clock, count, duration } from "./format.js";
import { keyNodes } from "./keytext.js";
import { BREAKERS, breaker } from "./tiers.js";

const pair = (name, value, field) => [h("dt", null, name), h("dd", { "data-field": field }, value)];

export function showHealth(elements, numbers) {
  show(elements.breakers, numbers.tiers.map(oneBreaker), past(numbers.tiers));
  const { queue, bus } = numbers;
  show(elements.queue,
    h("dl", { class: "pairs" },
      pair("Keys waiting", count(queue.depth), "queue_depth"),
      pair("Oldest waits", queue.depth ? duration(queue.age_s) : "–"),
      pair("Given up (parked)", count(queue.parked)),
      pair("Journal on disk", bytes(queue.journal_bytes))),
    queue.parked ? h("p", { class: "past" }, "Parked writes stay until they are retried or dropped: tiered-cache journal list") : null);
  show(elements.bus,
    h("dl", { class: "pairs" },
      pair("Changes elsewhere known within", bus.bound_s === null ? "no bound" : duration(bus.bound_s)),
      pair("Last heard of the log", bus.lag_s === null ? "–" : `${duration(bus.lag_s)} ago`, "bus_lag"),
      pair("Last change took to arrive", duration(bus.delay_s)),
      pair("Waited for another's computation", count(numbers.total.waits)),
      pair("Misses that took its outcome", count(numbers.total.coalesced))));
}

function oneBreaker(tier) {
  return h("div", { class: "breaker", "data-breaker": tier.name, "data-state": tier.breaker },
    h("div", { class: "row" }, h("span", null, tier.name), breaker(tier.breaker)),
    tier.breaker === "closed" ? null : h("p", { class: "fault" }, keyNodes(tier.detail, 600)));
}

function past(tiers) {
  const changes = tiers.flatMap((tier) => tier.breaker_changes.map((each) => ({ ...each, tier: tier.name })));
  changes.sort((a, b) => b.at_s - a.at_s);
  if (!changes.length) return h("p", { class: "past" }, "No breaker has changed its state.");
  return h("ul", { class: "past", "aria-label": "What changed, latest first" }, changes.slice(0, 6).map((each) => h("li", null,
    h("span", null, `${each.tier} ${BREAKERS[each.state] ?? each.state}`), h("time", { datetime: new Date(each.at_s * 1000).toISOString() }, clock(each.at_s)))));
}
