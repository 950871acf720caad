// Receives the statistics: pushed, or polled if the server does not push or has no free stream.

import { get } from "./api.js";

const ASK_MS = 3000;
const LOST_MS = 15000;

export class Live {
  #source = null;
  #timer = null;
  #watch = null;
  #window = "15m";
  #pushed;
  #heard = 0;

  constructor({ pushed, onNumbers, onState }) {
    this.#pushed = pushed;
    this.onNumbers = onNumbers;
    this.onState = onState;
    // A hidden page closes its stream, so that it costs the server nothing.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.open(this.#window)));
    addEventListener("pagehide", () => this.#stop());
    addEventListener("pageshow", (event) => { if (event.persisted) this.open(this.#window); });
  }

  open(window) {
    this.#stop();
    this.#window = window;
    this.#heard = Date.now();
    this.#watch = setInterval(() => { if (Date.now() - this.#heard > LOST_MS) this.onState("lost"); }, 1000);
    if (this.#pushed) this.#listen(); else this.#ask();
  }

  #listen() {
    const source = new EventSource("api/stream?window=" + this.#window);
    this.#source = source;
    source.addEventListener("now", (event) => this.#hear(JSON.parse(event.data)));
    source.onerror = () => {
      this.onState("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
      this.#source = null;
      this.#ask();
    };
  }

  async #ask() {
    const window = this.#window;
    const numbers = await get("now?window=" + window).catch(() => null);
    if (window !== this.#window || document.hidden) return;
    this.#timer = setTimeout(() => this.#ask(), ASK_MS);
    if (numbers) this.#hear(numbers); else this.onState("lost");
  }

  #hear(numbers) {
    this.#heard = Date.now();
    this.onNumbers(numbers);
    this.onState("live");
  }

  #stop() {
    this.#source?.close();
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#source = this.#timer = this.#watch = null;
  }
}
