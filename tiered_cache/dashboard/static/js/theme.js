// The colour scheme: the user's choice, by default the system's.

const KEY = "tiered-cache-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

function stored() {
  try { return localStorage.getItem(KEY) ?? "auto"; } catch { return "auto"; }
}

function apply(choice) {
  const dark = choice === "dark" || (choice === "auto" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const each of listeners) each();
}

export const onTheme = (listener) => listeners.push(listener);
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

export function startTheme(select) {
  select.value = stored();
  select.addEventListener("change", () => {
    try { localStorage.setItem(KEY, select.value); } catch { /* the choice lasts until the page closes */ }
    apply(select.value);
  });
  system.addEventListener("change", () => apply(select.value));
  apply(select.value);
}

apply(stored());
