// Keys are untrusted text. Invisible characters, and those that reorder text, appear as escapes.

import { h } from "./dom.js";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u00a0\u115f\u1160\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]/u;
const MOST = 400;

// The key as nodes, with a marked \u… for each hidden character.
export function keyNodes(key, most = MOST) {
  const nodes = [];
  let plain = "";
  let shown = 0;
  for (const each of key) {
    if (shown === most) break;
    shown += 1;
    if (!HIDDEN.test(each)) { plain += each; continue; }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(h("span", { class: "escape" }, escaped(each)));
  }
  if (plain) nodes.push(plain);
  if (key.length > shown + 1) nodes.push(h("small", null, ` … ${key.length.toLocaleString("en")} characters`));
  return nodes;
}

export const keyElement = (key, most) => h("bdi", { class: "key" }, keyNodes(key, most));

// The key as one line of text, for labels.
export function keyLabel(key) {
  const shown = [...key.slice(0, 120)].map((each) => (HIDDEN.test(each) ? escaped(each) : each)).join("");
  return key.length > 120 ? shown + "…" : shown;
}

function escaped(character) {
  const code = character.codePointAt(0);
  return code < 0x10000 ? "\\u" + code.toString(16).padStart(4, "0") : "\\u{" + code.toString(16) + "}";
}
