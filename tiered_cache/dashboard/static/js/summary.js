// The overview: the time saved, in large type, and four figures beside it.

import { h, show } from "./dom.js";
import { count, duration, durationParts, percent, rate } from "./format.js";
import { keyNodes } from "./keytext.js";

export const WINDOWS = { "1m": "in the last minute", "15m": "in the last 15 minutes", "24h": "in the last 24 hours", all: "since counting began" };

const figures = (seconds) => durationParts(seconds).map(([figure, unit]) => [h("span", { class: "figure" }, figure), h("span", { class: "unit" }, " " + unit + " ")]);

function fact(name, value, aside, options = {}) {
  return h("div", { class: "fact" + (options.large ? " large" : "") },
    h("dt", null, name),
    h("dd", { "data-field": options.field }, value, h("span", { class: "aside" }, aside)));
}

export function showSummary(element, numbers) {
  const total = numbers.total;
  const spanS = numbers.span_s;
  const perSecond = spanS ? ` · ${rate(total.lookups / spanS)}` : "";
  show(element,
    fact(`Computing time saved ${WINDOWS[numbers.window]}`, figures(total.seconds_saved), saving(total), { large: true, field: "seconds_saved" }),
    fact("Hit rate", total.lookups ? percent(total.hit_rate) : "–", `${count(total.hits)} hits`, { field: "hit_rate" }),
    fact("Lookups", count(total.lookups), `${count(total.misses)} misses${perSecond}`, { field: "lookups" }),
    fact("Computed", count(total.computes), total.computes ? `p95 ${duration(total.compute.p95_s)}${failures(total)}` : "nothing", { field: "computes" }),
    fact("Staleness bound", numbers.bus.bound_s === null ? "none" : duration(numbers.bus.bound_s), "after a change elsewhere"));
}

const failures = (total) => (total.compute_errors ? ` · ${count(total.compute_errors)} failed` : "");

function saving(total) {
  if (!total.counted) return "the statistics policy is off: nothing is counted";
  if (!total.lookups) return "no lookups";
  return `${duration(total.seconds_spent)} spent, computing included`;
}

export function showAdvice(element, numbers) {
  show(element, numbers.advice.map((text) => h("li", null, h("span", null, keyNodes(text, 600)))));
}
