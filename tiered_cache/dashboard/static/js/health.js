// Breakers and their recent changes, the write-back queue with its journal, and coherence.

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
      pair("Oldest waiting", queue.depth ? duration(queue.age_s) : "–"),
      pair("Parked keys", count(queue.parked)),
      pair("Journal on disk", bytes(queue.journal_bytes))),
    queue.parked ? h("p", { class: "past" }, "Parked writes stay until you run tiered-cache journal retry or tiered-cache journal drop.") : null);
  show(elements.bus,
    h("dl", { class: "pairs" },
      pair("Staleness bound", bus.bound_s === null ? "none" : duration(bus.bound_s)),
      pair("Change log last read", bus.lag_s === null ? "–" : `${duration(bus.lag_s)} ago`, "bus_lag"),
      pair("Delay of the last change", duration(bus.delay_s)),
      pair("Waits for a computation", count(numbers.total.waits)),
      pair("Misses coalesced", count(numbers.total.coalesced))));
}

function oneBreaker(tier) {
  return h("div", { class: "breaker", "data-breaker": tier.name, "data-state": tier.breaker },
    h("div", { class: "row" }, h("span", null, tier.name), breaker(tier.breaker)),
    tier.breaker === "closed" ? null : h("p", { class: "fault" }, keyNodes(tier.detail, 600)));
}

function past(tiers) {
  const changes = tiers.flatMap((tier) => tier.breaker_changes.map((each) => ({ ...each, tier: tier.name })));
  changes.sort((a, b) => b.at_s - a.at_s);
  if (!changes.length) return h("p", { class: "past" }, "No breaker has changed state.");
  return h("ul", { class: "past", "aria-label": "Breaker changes, latest first" }, changes.slice(0, 6).map((each) => h("li", null,
    h("span", null, `${each.tier} ${BREAKERS[each.state] ?? each.state}`), h("time", { datetime: new Date(each.at_s * 1000).toISOString() }, clock(each.at_s)))));
}
