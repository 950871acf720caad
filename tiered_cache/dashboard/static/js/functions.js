// The functions with the most time saved, and those with the most computing time.

import { h, show } from "./dom.js";
import { count, duration, percent } from "./format.js";
import { keyNodes } from "./keytext.js";

const NONE = "No function is decorated with cached(). Decorated functions appear here with their savings and costs.";

export function showFunctions(saved, wasted, numbers) {
  const none = (what) => (numbers.functions.saved.length ? what : NONE);
  list(saved, numbers.functions.saved, (each) => each.seconds_saved, "--tier-3", none("No function saved time in this time window."),
    (each) => `${count(each.hits)} hits, ${percent(each.hit_rate)} of ${count(each.lookups)} calls`);
  list(wasted, numbers.functions.wasted, (each) => each.compute_seconds, "--tier-1", none("No function was computed in this time window."),
    (each) => `${count(each.computes)} computed${each.compute_errors ? `, ${count(each.compute_errors)} failed` : ""}, p95 ${duration(each.compute.p95_s)}`);
}

function list(element, functions, amount, hue, none, detail) {
  const shown = functions.filter((each) => amount(each) > 0);
  if (!shown.length) { show(element, h("p", { class: "empty" }, none)); return; }
  const largest = Math.max(...shown.map(amount));
  show(element, h("ol", { class: "bars" }, shown.map((each) => h("li", null,
    h("span", { class: "name", title: each.name }, h("bdi", null, keyNodes(each.name, 160))),
    h("span", { class: "amount" }, duration(amount(each))),
    h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: { width: `${(100 * amount(each)) / largest}%`, "--hue": `var(${hue})` } })),
    h("span", { class: "detail" }, detail(each))))));
}
