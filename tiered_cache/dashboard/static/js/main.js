// Connects the controls, the statistics and the parts of the page.

import { get } from "./api.js";
import { latencyChart, rateChart } from "./charts.js";
import { byId, show } from "./dom.js";
import { Entries } from "./entries.js";
import { showFlow } from "./flow.js";
import { ago, count } from "./format.js";
import { showFunctions } from "./functions.js";
import { showHealth } from "./health.js";
import { Live } from "./live.js";
import { showProcesses } from "./processes.js";
import { showAdvice, showSummary } from "./summary.js";
import { startTheme } from "./theme.js";
import { hasPercentiles, showTiers } from "./tiers.js";
import { WhatIf } from "./whatif.js";

const rate = rateChart(byId("chart-rate"));
const latency = latencyChart(byId("chart-latency"));
const whatIf = new WhatIf(byId("what-if-body"));
let numbers = null;
let state = "connecting";

function draw() {
  showSummary(byId("summary"), numbers);
  showAdvice(byId("advice"), numbers);
  showFlow(byId("flow-picture"), numbers);
  rate.show(numbers);
  latency.show(numbers);
  show(byId("latency-note"), hasPercentiles(numbers) ? "95th percentile" : "mean");
  showTiers(byId("tiers-table"), numbers);
  showFunctions(byId("functions-saved"), byId("functions-wasted"), numbers);
  whatIf.show(numbers);
  showHealth({ breakers: byId("breakers"), queue: byId("queue"), bus: byId("bus") }, numbers);
  showProcesses(byId("processes-body"), numbers);
  byId("notice").hidden = !numbers.trouble.length;
  show(byId("notice"), numbers.trouble.join(" "));
}

function drawStatus() {
  const words = { connecting: "Connecting", lost: numbers ? `No connection · last update ${ago(Date.now() / 1000 - numbers.at_s)}` : "No connection" };
  const element = byId("status");
  element.dataset.state = state;
  show(element.querySelector(".text"), words[state] ?? seen(numbers));
}

function seen({ processes }) {
  const hosts = new Set(processes.map((each) => each.host)).size;
  const some = (number, one) => `${count(number)} ${one}${number === 1 ? "" : one.endsWith("s") ? "es" : "s"}`;
  return processes.length ? `Live · ${some(processes.length, "process")} on ${some(hosts, "host")}` : "Live · no process";
}

async function start() {
  startTheme(byId("theme"));
  const about = await get("about");
  document.title = `${about.title} · tiered-cache`;
  show(byId("title"), about.title);
  show(byId("about"), `tiered-cache ${about.version} · ${about.allow_changes ? "changes allowed" : "read-only"}`);
  new Entries(about);
  const live = new Live({
    pushed: about.live,
    onNumbers: (latest) => { numbers = latest; draw(); },
    onState: (latest) => { state = latest; drawStatus(); },
  });
  const chosen = byId("window");
  chosen.addEventListener("change", () => live.open(chosen.querySelector(":checked").value));
  live.open(chosen.querySelector(":checked").value);
  new ResizeObserver(() => { if (numbers) showFlow(byId("flow-picture"), numbers); }).observe(byId("flow-picture"));
}

start().catch((error) => {
  state = "lost";
  show(byId("status").querySelector(".text"), `Failed to start: ${error.message}`);
});
