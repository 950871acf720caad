// The confirmation dialog before an action that can't be undone.

import { byId, show } from "./dom.js";

// Resolves to whether the user confirms. Escape and Cancel decline; Cancel has the focus.
export function confirmed(title, text, yes) {
  const dialog = byId("confirm");
  show(byId("confirm-title"), title);
  byId("confirm-text").replaceChildren(...text);
  show(byId("confirm-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  byId("confirm-no").focus();
  return new Promise((resolve) => {
    byId("confirm-yes").onclick = () => dialog.close("yes");
    byId("confirm-no").onclick = () => dialog.close("");
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
