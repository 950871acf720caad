// Searches keys, explains an entry, deletes it and invalidates its tags.

import { post } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, h, show } from "./dom.js";
import { bytes, count, duration } from "./format.js";
import { keyElement, keyLabel, keyNodes } from "./keytext.js";

export class Entries {
  #about;
  #keys = [];
  #asked = 0;

  constructor(about) {
    this.#about = about;
    byId("search").addEventListener("submit", (event) => { event.preventDefault(); this.#search(); });
    byId("found").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#explain(this.#keys[Number(button.dataset.at)]);
    });
    byId("found").addEventListener("keydown", (event) => this.#move(event));
    this.#hint();
  }

  #hint() {
    show(byId("entry"), h("p", { class: "empty" }, this.#about.allow_changes
      ? "Search for keys, then choose one to see its state in each tier. You can also delete it."
      : "Search for keys, then choose one to see its state in each tier. This dashboard is read-only: restart it with --allow-changes to delete entries."));
  }

  async #search() {
    const asked = ++this.#asked;
    const said = byId("search-said");
    said.textContent = "Searching…";
    try {
      const { keys, looked_at: looked, whole } = await post("search", { text: byId("search-text").value });
      if (asked !== this.#asked) return;
      this.#keys = keys;
      this.#list();
      said.textContent = `${count(keys.length)} found, ${count(looked)} searched${whole ? "" : ". There may be more: search for a longer text."}`;
    } catch (error) {
      if (asked === this.#asked) said.textContent = `Search failed: ${error.message}`;
    }
  }

  #list() {
    // New elements: the focused one belongs to the previous search.
    byId("found").replaceChildren(...this.#keys.map((key, at) => h("li", null, h("button", { type: "button", "data-at": at, "aria-label": keyLabel(key), tabindex: at ? -1 : 0 }, keyElement(key, 160)))));
  }

  // Arrow keys move within the list, so that one Tab leaves it.
  #move(event) {
    const buttons = [...byId("found").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[at]?.setAttribute("tabindex", "-1");
    buttons[to].setAttribute("tabindex", "0");
    buttons[to].focus();
  }

  async #explain(key) {
    for (const button of byId("found").querySelectorAll("button")) button.setAttribute("aria-current", String(this.#keys[Number(button.dataset.at)] === key));
    try {
      this.#show(await post("explain", { key }));
    } catch (error) {
      show(byId("entry"), h("p", { class: "notice" }, error.message));
    }
  }

  #show(entry, note) {
    const columns = ["Tier", "Present", "Age", "Expires in", "Size", "Reason"];
    const place = byId("entry");
    place.replaceChildren(
      h("h3", { class: "key", id: "entry-key", tabindex: "0" }, h("bdi", null, keyNodes(entry.key, 2000))),
      note ? h("p", { class: "said" }, note) : "",
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "State in each tier" }, h("table", null,
        h("thead", null, h("tr", null, columns.map((name) => h("th", { scope: "col", class: name === "Reason" ? "words" : null }, name)))),
        h("tbody", null, entry.tiers.map((each) => h("tr", null,
          h("th", { scope: "row" }, each.tier), h("td", null, each.present ? "yes" : "no"),
          h("td", null, duration(each.age_s)), h("td", null, each.age_s === null ? "–" : each.remaining_s === null ? "never" : duration(each.remaining_s)),
          h("td", null, bytes(each.bytes)), h("td", { class: "words long" }, each.why)))))),
      entry.cost_s ? h("p", { class: "said" }, `Computing it took ${duration(entry.cost_s)}.`) : "",
      entry.tags.length ? h("p", { class: "tags" }, "Tags", entry.tags.map((tag) => this.#tag(tag, entry.key))) : "",
      entry.value === undefined ? "" : h("pre", { tabindex: "0", role: "region", "aria-label": "Value" }, entry.value ?? "no fresh value"),
      this.#about.allow_changes && entry.tiers.some((each) => each.bytes !== null) ? this.#remove(entry.key) : "");
  }

  #tag(tag, key) {
    const shown = h("bdi", null, keyNodes(tag, 80));
    if (!this.#about.allow_changes) return h("span", { class: "tag" }, shown);
    const button = h("button", { type: "button", "aria-label": `Invalidate the tag ${keyLabel(tag)}` }, "invalidate");
    button.addEventListener("click", async () => {
      const title = "Invalidate this tag?";
      if (!(await confirmed(title, [keyElement(tag, 200), " – every entry with this tag becomes a miss, in all processes and hosts."], "Invalidate"))) return;
      await this.#change("invalidate", { tag }, ({ missed }) => (missed.length ? `The tag is invalidated, but not in ${missed.join(", ")}.` : "The tag is invalidated."), key);
    });
    return h("span", { class: "tag" }, shown, button);
  }

  #remove(key) {
    const button = h("button", { type: "button", class: "danger", id: "delete" }, "Delete this entry");
    button.addEventListener("click", async () => {
      if (!(await confirmed("Delete this entry?", [keyElement(key, 400), " – the entry is removed from every tier, for all processes."], "Delete"))) return;
      await this.#change("delete", { key }, ({ deleted }) => (deleted ? "Deleted." : "The entry was already gone."), key);
    });
    return h("div", { class: "buttons" }, button);
  }

  async #change(path, body, note, key) {
    try {
      const done = await post(path, body);
      this.#show(done.tiers ? done : await post("explain", { key }), note(done));
      byId("entry-key").focus();
    } catch (error) {
      byId("entry").prepend(h("p", { class: "notice", role: "alert" }, `Failed: ${error.message}`));
    }
  }
}
