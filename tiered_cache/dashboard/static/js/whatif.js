// The estimated hit rate of a tier at other sizes: a curve, a slider and a sentence.

import { h, show } from "./dom.js";
import { duration, percent, times } from "./format.js";
import { Plot, axis } from "./plot.js";
import { colour } from "./theme.js";
import { hueName } from "./tiers.js";

export class WhatIf {
  #element;
  #tiers = [];
  #name = null;
  #at = null;
  #plot = null;
  #parts = null;

  constructor(element) {
    this.#element = element;
  }

  show(numbers) {
    const known = numbers.tiers.map((tier, at) => ({ ...tier, at })).filter((tier) => tier.what_if);
    const names = known.map((tier) => tier.name).join();
    const rebuilt = names !== this.#tiers.map((tier) => tier.name).join();
    this.#tiers = known;
    if (!known.length) { this.#empty(); return; }
    if (rebuilt || !this.#parts) this.#build();
    this.#update();
  }

  get #tier() { return this.#tiers.find((tier) => tier.name === this.#name); }

  #empty() {
    this.#parts = null;
    this.#plot = null;
    this.#element.replaceChildren(h("p", { class: "empty" }, "Estimates need some thousand lookups, and a tier with a size limit. They appear here when enough lookups have been sampled."));
  }

  #build() {
    this.#name = this.#tier?.name ?? this.#tiers[0].name;
    const tabs = h("fieldset", { class: "choice tabs", hidden: this.#tiers.length < 2 }, h("legend", { class: "unseen" }, "Tier"),
      this.#tiers.map((tier) => h("label", null, h("input", { type: "radio", name: "what-if-tier", value: tier.name, checked: tier.name === this.#name }), h("span", null, tier.name))));
    tabs.addEventListener("change", (event) => { this.#name = event.target.value; this.#at = null; this.#plot.renew(); this.#update(); });
    const slider = h("input", { type: "range", id: "what-if-size", min: 0, max: this.#tier.what_if.length - 1, step: 1 });
    slider.addEventListener("input", () => { this.#at = Number(slider.value); this.#update(); });
    const said = h("p", { class: "said-if", id: "what-if-said" });
    const note = h("p", { class: "quiet" }, "Estimated from sampled lookups, for a tier that evicts its least recently used entry.");
    const place = h("div", { class: "chart", role: "img" });
    this.#parts = { slider, said, place };
    this.#element.replaceChildren(tabs, h("div", { class: "what-if" },
      h("div", null, h("label", { for: "what-if-size" }, "Size of the tier"), slider,
        h("div", { class: "ticks", "aria-hidden": "true" }, h("span", null, "1/16"), h("span", null, "1/4"), h("span", null, "now"), h("span", null, "×4"), h("span", null, "×16")), said, note),
      place));
    this.#plot = new Plot(place, 220, () => ({
      series: [{}, { stroke: colour(hueName(this.#tier.at)), width: 2, points: { show: false } }],
      scales: { x: { time: false, range: [-4, 4] }, y: { range: [0, 1] } },
      axes: [
        axis((_plot, splits) => splits.map((each) => (each < 0 ? `1/${2 ** -each}` : each ? `×${2 ** each}` : "now")), { incrs: [1, 2], size: 30 }),
        axis((_plot, splits) => splits.map((each) => `${Math.round(each * 100)} %`), { size: 58, incrs: [0.25, 0.5, 1] }),
      ],
      cursor: { show: false },
      hooks: { draw: [(plot) => this.#mark(plot)] },
    }));
  }

  #chosen() {
    const points = this.#tier.what_if;
    const now = points.findIndex((each) => each.times === 1);
    return { points, now, at: this.#at ?? Math.min(now + 2, points.length - 1) };
  }

  #update() {
    const { points, now, at } = this.#chosen();
    const { slider, said, place } = this.#parts;
    const point = points[at];
    if (Number(slider.value) !== at) slider.value = String(at);
    const text = at === now
      ? `${this.#name} at its current size: hit rate ${percent(points[now].hit_rate)}`
      : `${this.#name} ${times(point.times)}: hit rate ${change(points[now].hit_rate, point.hit_rate)}${gain(point)}`;
    show(said, text);
    slider.setAttribute("aria-valuetext", text);
    place.setAttribute("aria-label", `Hit rate of ${this.#name} by its size: ` + points.filter((_, i) => i % 4 === 0).map((each) => `${times(each.times)} ${percent(each.hit_rate)}`).join(", "));
    this.#plot.show([points.map((each) => Math.log2(each.times)), points.map((each) => each.hit_rate)]);
  }

  #mark(plot) {
    const { points, now, at } = this.#chosen();
    const { ctx, bbox } = plot;
    const place = (point) => [plot.valToPos(Math.log2(point.times), "x", true), plot.valToPos(point.hit_rate, "y", true)];
    ctx.save();
    ctx.strokeStyle = colour("line-strong");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    const [nowX] = place(points[now]);
    ctx.beginPath(); ctx.moveTo(nowX, bbox.top); ctx.lineTo(nowX, bbox.top + bbox.height); ctx.stroke();
    const [x, y] = place(points[at]);
    ctx.beginPath(); ctx.arc(x, y, 5 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fillStyle = colour(hueName(this.#tier.at)); ctx.fill();
    ctx.restore();
  }
}

function change(before, after) {
  const [from, to] = [percent(before), percent(after)];
  return from === to ? `stays at ${to}` : `${from} → ${to}`;
}

function gain(point) {
  if (point.saved_per_hour_s === null || Math.abs(point.saved_per_hour_s) < 1e-3) return "";
  return point.saved_per_hour_s > 0
    ? `, saves ${duration(point.saved_per_hour_s)} more per hour`
    : `, saves ${duration(-point.saved_per_hour_s)} less per hour`;
}
