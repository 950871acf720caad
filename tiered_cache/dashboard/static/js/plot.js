// A uPlot chart in the page's colours and fonts, as wide as its container.

import uPlot from "../vendor/uPlot.esm.js";
import { colour, onTheme } from "./theme.js";

export class Plot {
  #place;
  #make;
  #plot = null;
  #data = null;

  // `make` returns uPlot's options without the size. A new colour scheme calls it again.
  constructor(place, height, make) {
    this.#place = place;
    this.#make = () => ({ ...make(), width: Math.max(200, place.clientWidth), height, legend: { show: false }, padding: [10, 18, 0, 0] });
    onTheme(() => this.renew());
    new ResizeObserver(() => {
      if (this.#plot && place.clientWidth) this.#plot.setSize({ width: place.clientWidth, height });
    }).observe(place);
  }

  renew() {
    this.#plot?.destroy();
    this.#plot = this.#data ? new uPlot(this.#make(), this.#data, this.#place) : null;
  }

  show(data) {
    this.#data = data;
    if (this.#plot) this.#plot.setData(data); else this.renew();
  }

  redraw() {
    this.#plot?.redraw(false);
  }
}

export function axis(values, extra) {
  return {
    stroke: colour("soft"), font: "12px system-ui, sans-serif", gap: 6,
    grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, values, ...extra,
  };
}

// One grid line for each visible power of ten.
export function decades(_plot, _axis, low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power += 1) found.push(10 ** power);
  return found;
}

export const rangeLog = (_plot, low, high) => (low > 0 && high > 0 ? uPlot.rangeLog(low, high, 10, true) : [1e-6, 1]);
