// Charts of hit rate and latency over time, one line per tier.

import { h, show } from "./dom.js";
import { clock, duration, percent } from "./format.js";
import { Plot, axis, decades, rangeLog } from "./plot.js";
import { colour } from "./theme.js";
import { hue, hueName } from "./tiers.js";

const HEIGHT = 220;
const SHORTEST_S = 10; // a shorter time axis would repeat its labels
const FEW = 8; // so few points are drawn as dots: a line needs two

const timeAxis = () => axis((plot, splits) => {
  const spanS = plot.scales.x.max - plot.scales.x.min;
  return splits.map((at) => (spanS < 240 ? clock(at) : clock(at).replace(/:\d\d(?=\D*$)/, "")));
}, { space: 84, size: 30 });

export class Chart {
  #element;
  #options;
  #plot = null;
  #series = [];
  #data = [[]];
  #at = null;
  #parts = null;

  // options: { format, label, scale, series(numbers) -> [{ name, at?, values }] }
  constructor(element, options) {
    this.#element = element;
    this.#options = options;
  }

  show(numbers) {
    const at = numbers.series.at;
    const series = this.#options.series(numbers);
    const known = series.some((each) => each.values.some((value) => value !== null));
    if (at.length < 2 || !known) { this.#clear(); return; }
    this.#data = [at, ...series.map((each) => each.values)];
    const same = this.#plot && series.length === this.#series.length && series.every((each, i) => each.name === this.#series[i].name);
    this.#series = series;
    if (!same) this.#build();
    this.#plot.show(this.#data);
    this.#legend();
    this.#table();
  }

  #clear() {
    this.#plot = null;
    this.#parts = null;
    this.#element.replaceChildren(h("p", { class: "empty" }, "The chart appears after a few seconds with lookups."));
  }

  #build() {
    const place = h("div", { class: "chart", role: "img" });
    const rows = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": this.#options.label + " as a table" });
    const details = h("details", { class: "data" }, h("summary", null, "As a table"), rows);
    const legend = h("p", { class: "legend" });
    this.#parts = { place, legend, rows, details };
    this.#element.replaceChildren(place, legend, details);
    details.addEventListener("toggle", () => this.#table());
    this.#plot = new Plot(place, HEIGHT, () => ({
      series: [{}, ...this.#series.map((each) => ({
        stroke: each.at === undefined ? colour("ink") : colour(hueName(each.at)),
        width: each.at === undefined ? 2 : 1.5, points: { show: (plot) => plot.data[0].length < FEW, size: 5 }, spanGaps: true,
      }))],
      scales: { x: { time: true, range: (_plot, first, last) => [Math.min(first, last - SHORTEST_S), last] }, y: this.#options.scale },
      axes: [timeAxis(), axis((_plot, splits) => splits.map((value) => (value === null ? "" : this.#options.tick(value))), { size: 58, ...this.#options.axis })],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      hooks: { setCursor: [(plot) => { this.#at = plot.cursor.idx; this.#legend(); }] },
    }));
  }

  #legend() {
    if (!this.#parts) return;
    const last = this.#data[0].length - 1;
    const pointed = this.#at !== null && this.#at !== undefined && this.#at <= last;
    const latest = (values) => values.findLast((value) => value !== null) ?? null;
    const said = this.#series.map((each) => [each, pointed ? each.values[this.#at] : latest(each.values)]);
    show(this.#parts.legend, said.map(([each, value]) => h("span", null,
      h("span", { class: "swatch", style: each.at === undefined ? { "--hue": "var(--ink)" } : hue(each.at) }), each.name, " ", h("b", null, this.#options.format(value)))),
      h("span", { class: "quiet" }, pointed ? clock(this.#data[0][this.#at]) : "latest"));
    this.#parts.place.setAttribute("aria-label", `${this.#options.label}, latest: ${this.#series.map((each) => `${each.name} ${this.#options.format(latest(each.values))}`).join(", ")}`);
  }

  #table() {
    if (!this.#parts?.details.open) return;
    const rows = this.#data[0].map((at, i) => h("tr", null, h("th", { scope: "row" }, clock(at)), this.#series.map((each) => h("td", null, this.#options.format(each.values[i])))));
    show(this.#parts.rows, h("table", null,
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Time"), this.#series.map((each) => h("th", { scope: "col" }, each.name)))),
      h("tbody", null, rows.reverse())));
  }
}

export const rateChart = (element) => new Chart(element, {
  label: "Hit rate over time", format: percent, tick: (value) => `${Math.round(value * 100)} %`,
  scale: { range: [0, 1] }, axis: { incrs: [0.25, 0.5, 1] },
  series: (numbers) => [{ name: "all", values: numbers.series.hit_rate }, ...numbers.series.tiers.map((each, at) => ({ name: each.name, at, values: each.hit_rate }))],
});

export const latencyChart = (element) => new Chart(element, {
  label: "Read latency over time", format: duration, tick: (value) => duration(value).replace(/\.0+(?!\d)/, ""),
  scale: { distr: 3, range: rangeLog }, axis: { splits: decades, filter: (_plot, splits) => splits },
  series: (numbers) => numbers.series.tiers.map((each, at) => ({ name: each.name, at, values: each.latency_s })),
});
