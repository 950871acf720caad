// The table of processes, with a filter if there are many.

import { byId, h, show } from "./dom.js";
import { ago, count, duration, percent } from "./format.js";
import { keyNodes } from "./keytext.js";
import { breaker } from "./tiers.js";

const MANY = 12;
const ROWS = 200;
let latest = null;

export function showProcesses(element, numbers) {
  latest = numbers;
  const { processes, gone } = numbers;
  if (!byId("process-filter")) build(element);
  const hosts = new Map();
  for (const each of processes) hosts.set(each.host, (hosts.get(each.host) ?? 0) + 1);
  const named = [...hosts].slice(0, 8).map(([host, many]) => h("span", null, h("b", null, keyNodes(host, 60)), ` ${many}`));
  if (hosts.size > 8) named.push(h("span", null, `and ${hosts.size - 8} more hosts`));
  show(byId("process-hosts"), named, gone ? h("span", { class: "quiet" }, `${count(gone)} ended; their totals stay`) : null);
  byId("process-filter-row").hidden = processes.length <= MANY;
  rows();
}

function build(element) {
  element.append(
    h("p", { class: "hosts", id: "process-hosts" }),
    h("div", { class: "filter", id: "process-filter-row", hidden: true }, h("label", { for: "process-filter" }, "Host, process or program"), h("input", { id: "process-filter", type: "search", autocomplete: "off", spellcheck: "false" })),
    h("div", { class: "scroll tall", id: "process-rows", tabindex: "0", role: "region", "aria-label": "Processes" }));
  byId("process-filter").addEventListener("input", rows);
}

function rows() {
  const text = byId("process-filter").value.toLowerCase();
  const fits = (each) => `${each.host} ${each.pid} ${each.program}`.toLowerCase().includes(text);
  const shown = latest.processes.filter(fits);
  const table = byId("process-rows");
  if (!shown.length) {
    show(table, h("p", { class: "empty" }, latest.processes.length ? "No process matches." : "No process uses the cache. A process appears here some seconds after it opens the cache, and disappears when it ends."));
    return;
  }
  const columns = ["Host", "Process", "Program", "Lookups", "Hit rate", "Saved", "Breakers", "Uptime", "Last report"];
  show(table, h("table", null,
    h("thead", null, h("tr", null, columns.map((name) => h("th", { scope: "col", class: name === "Program" ? "words" : null }, name)))),
    h("tbody", null, shown.slice(0, ROWS).map(row))),
    shown.length > ROWS ? h("p", { class: "empty" }, `${shown.length - ROWS} more: filter to see them`) : null);
}

function row(each) {
  return h("tr", { "data-process": each.pid },
    h("td", null, keyNodes(each.host, 60)),
    h("td", null, each.pid),
    h("td", { class: "words" }, keyNodes(each.program, 60)),
    h("td", { "data-field": "lookups" }, count(each.lookups)),
    h("td", null, each.lookups ? percent(each.hit_rate) : "–"),
    h("td", null, duration(each.seconds_saved)),
    h("td", null, each.breakers.length ? each.breakers.map(({ tier, state }) => [tier, " ", breaker(state)]) : h("span", { class: "quiet" }, "all closed")),
    h("td", null, duration(Math.max(0, Math.round(latest.at_s - each.started_s)))),
    h("td", null, ago(Math.max(0, latest.at_s - each.at_s))));
}
