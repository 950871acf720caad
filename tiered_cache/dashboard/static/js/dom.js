// Makes and updates elements. Strings become text nodes: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    // The content security policy refuses style attributes, but permits the object model.
    if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const byId = (id) => document.getElementById(id);

// Replaces the children of `element`, and changes only the nodes that differ: scroll position,
// selection and focus stay.
export function show(element, ...children) {
  const wanted = document.createDocumentFragment();
  wanted.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  match(element, wanted);
}

function match(old, wanted) {
  const now = [...old.childNodes];
  const next = [...wanted.childNodes];
  next.forEach((node, at) => {
    const mine = now[at];
    if (!mine) old.append(node);
    else if (mine.nodeName !== node.nodeName) old.replaceChild(node, mine);
    else if (node.nodeType === Node.TEXT_NODE) {
      if (mine.data !== node.data) mine.data = node.data;
    } else {
      matchAttributes(mine, node);
      match(mine, node);
    }
  });
  for (const left of now.slice(next.length)) left.remove();
}

function matchAttributes(old, wanted) {
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name) && name !== "style") old.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.style.cssText !== wanted.style.cssText) old.style.cssText = wanted.style.cssText;
}
