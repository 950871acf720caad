// The tiers as a flow chart: misses fall to the next tier, hits return. Widths show volumes.

import { h, s, show } from "./dom.js";
import { count, duration, percent } from "./format.js";
import { hue } from "./tiers.js";

const NARROW = 720;

export function showFlow(element, numbers) {
  const width = Math.floor(element.clientWidth);
  const steps = stepsOf(numbers);
  if (!width) return;
  if (!steps[0].reach) {
    show(element, h("p", { class: "empty" }, "No lookups in this time window. They appear here as soon as a process uses the cache."));
    return;
  }
  show(element, width < NARROW ? standing(steps, width) : lying(steps, width));
}

// The tiers, and the computations at the end.
function stepsOf(numbers) {
  const { tiers, total } = numbers;
  const steps = tiers.map((tier, at) => ({
    name: tier.name, style: hue(at), reach: tier.lookups, out: tier.hits + tier.stale_hits,
    share: tier.lookups ? percent((tier.hits + tier.stale_hits) / tier.lookups) : "–",
    detail: tier.get.p95_s !== null ? `p95 ${duration(tier.get.p95_s)}` : tier.get.mean_s ? `mean ${duration(tier.get.mean_s)}` : "",
    down: tier.breaker === "closed" ? "" : `breaker ${tier.breaker === "open" ? "open" : "probing"}: ${count(tier.skips)} skipped`,
  }));
  const computes = total.computes + total.compute_errors;
  steps.push({
    name: "computed", style: { "--hue": "var(--computed)" }, reach: computes, out: computes, last: true,
    share: total.lookups ? percent(computes / total.lookups) : "–",
    detail: computes ? `${duration(total.compute_seconds)} in total` : "", down: "",
  });
  return steps;
}

const most = (steps) => Math.max(...steps.map((each) => each.reach));
// A small volume stays visible.
const scale = (steps, size) => (value) => (value ? Math.max(1.5, (value / most(steps)) * size) : 0);

function described(steps) {
  return steps.map((each) => (each.last
    ? `${count(each.reach)} computed`
    : `${each.name}: ${count(each.reach)} lookups, ${count(each.out)} answered (${each.share})${each.down ? ", " + each.down : ""}`)).join("; ");
}

function picture(steps, width, height, parts) {
  return s("svg", { class: "flow", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": described(steps) }, parts);
}

const NODE = 8, TURN = 22;

function lying(steps, width) {
  const high = 100, floor = 216, top = 60;
  const size = scale(steps, high);
  const pitch = (width - 128) / (steps.length - 1);
  const parts = [];
  steps.forEach((step, at) => {
    const x = Math.round(at * pitch);
    const tall = Math.max(2, size(step.reach)), thick = Math.min(size(step.out), tall);
    const next = steps[at + 1];
    if (next && next.reach) {
      const low = size(next.reach);
      parts.push(s("rect", { class: "falls", x: x + NODE, y: floor - low, width: Math.max(0, pitch - NODE), height: low }));
    }
    parts.push(s("rect", { class: "bar", style: step.style, x, y: floor - tall, width: NODE, height: tall, rx: 2 }));
    if (!step.last) {
      const middle = x + NODE + TURN + thick / 2;
      if (thick) parts.push(s("path", { class: "hit", style: step.style, d: rising(x + NODE, floor - tall, thick, top) }));
      parts.push(
        s("text", { class: "title", x: middle, y: 24, "text-anchor": "middle" }, step.share),
        s("text", { class: "small", x: middle, y: 43, "text-anchor": "middle" }, `${count(step.out)} answered`));
    }
    parts.push(...labels(step, x, floor + 26));
  });
  return picture(steps, width, 292, parts);
}

// The hits: a ribbon that leaves to the right, and turns up to a point.
function rising(x, y, thick, top) {
  const inner = x + TURN, outer = inner + thick, point = Math.min(10, 4 + thick / 4);
  return `M${x},${y} A${TURN},${TURN} 0 0 0 ${inner},${y - TURN} L${inner},${top + point} L${inner + thick / 2},${top} L${outer},${top + point}`
    + ` L${outer},${y - TURN} A${TURN + thick},${TURN + thick} 0 0 1 ${x},${y + thick} Z`;
}

function labels(step, x, y) {
  return [
    s("text", { class: "title", x, y }, step.name),
    s("text", { class: "small", x, y: y + 19 }, step.last ? `${count(step.reach)} · ${step.share}` : `${count(step.reach)} lookups`),
    step.down ? s("text", { class: "down", x, y: y + 37 }, step.down) : s("text", { class: "small", x, y: y + 37 }, step.detail),
  ];
}

function standing(steps, width) {
  const wide = 84, pitch = 124, text = 150;
  const size = scale(steps, wide);
  const parts = [];
  steps.forEach((step, at) => {
    const y = at * pitch + 4;
    const across = Math.max(2, size(step.reach)), thick = Math.min(size(step.out), across);
    const next = steps[at + 1];
    if (next && next.reach) parts.push(s("rect", { class: "falls", x: 0, y: y + NODE, width: size(next.reach), height: pitch - NODE }));
    if (thick && !step.last) parts.push(s("path", { class: "hit", style: step.style, d: leaving(across, y + NODE, thick, text - 12) }));
    parts.push(
      s("rect", { class: "bar", style: step.style, x: 0, y, width: across, height: NODE, rx: 2 }),
      s("text", { class: "title", x: text, y: y + 22 }, step.last ? step.name : `${step.name} ${step.share}`),
      s("text", { class: "small", x: text, y: y + 41 }, step.last ? `${count(step.reach)} · ${step.share}` : `${count(step.out)} of ${count(step.reach)}`),
      step.down ? s("text", { class: "down", x: text, y: y + 59 }, step.down) : s("text", { class: "small", x: text, y: y + 59 }, step.detail));
  });
  return picture(steps, width, (steps.length - 1) * pitch + 72, parts);
}

// The hits in the vertical chart: a ribbon that leaves downwards, and turns right to a point.
function leaving(across, y, thick, end) {
  const turn = 10, inner = y + turn, outer = inner + thick, point = Math.min(10, 4 + thick / 4);
  return `M${across},${y} A${turn},${turn} 0 0 0 ${across + turn},${inner} L${end - point},${inner} L${end},${inner + thick / 2} L${end - point},${outer}`
    + ` L${across + turn},${outer} A${turn + thick},${turn + thick} 0 0 1 ${across - thick},${y} Z`;
}
