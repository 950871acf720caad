// The table of tiers, and the colour of each tier on the whole page.

import { h, show } from "./dom.js";
import { bytes, count, duration, percent } from "./format.js";

const HUES = 4;
export const hueName = (at) => "tier-" + (at % HUES);
export const hue = (at) => ({ "--hue": `var(--${hueName(at)})` });

export const BREAKERS = { closed: "closed", half_open: "probing", open: "open" };
export const breaker = (state) => h("span", { class: "state " + state }, BREAKERS[state] ?? state);

// Whether the statistics policy keeps histograms. Every policy keeps means.
export const hasPercentiles = (numbers) => numbers.tiers.some((tier) => tier.get.p95_s !== null);

export function showTiers(element, numbers) {
  const percentiles = hasPercentiles(numbers);
  const times = percentiles ? ["Get p50", "p95", "p99", "Put p95"] : ["Get, mean", "Put, mean"];
  const columns = ["Tier", "Breaker", "Lookups", "Hits", "Hit rate", "Stale", "Failed", ...times, "Entries", "Size", "Evicted", "Refused", "Saved"];
  show(element, h("table", null,
    h("thead", null, h("tr", null, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, numbers.tiers.map((tier, at) => row(tier, at, percentiles)))));
}

function row(tier, at, percentiles) {
  const cell = (text) => h("td", null, text);
  const full = tier.max_bytes && tier.bytes !== null ? tier.bytes / tier.max_bytes
    : tier.max_entries && tier.entries !== null ? tier.entries / tier.max_entries : null;
  return h("tr", { "data-tier": tier.name },
    h("th", { scope: "row" }, h("span", { class: "swatch", style: hue(at) }), tier.name),
    cell(breaker(tier.breaker)),
    h("td", { "data-field": "lookups" }, count(tier.lookups)),
    h("td", { "data-field": "hits" }, count(tier.hits)),
    cell(tier.lookups ? percent(tier.hit_rate) : "–"),
    cell(count(tier.stale_hits)),
    cell(count(tier.errors + tier.skips)),
    (percentiles ? [tier.get.p50_s, tier.get.p95_s, tier.get.p99_s, tier.put.p95_s] : [tier.get.mean_s, tier.put.mean_s]).map((each) => cell(duration(each))),
    cell(count(tier.entries)),
    cell([full === null ? null : h("span", { class: "meter", "aria-hidden": "true" }, h("i", { style: { width: `${Math.min(100, full * 100)}%`, ...hue(at) } })), bytes(tier.bytes)]),
    cell(count(tier.evictions)),
    cell(count(tier.not_admitted + tier.write_refusals)),
    cell(duration(tier.seconds_saved)));
}
