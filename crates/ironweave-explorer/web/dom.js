// Elements, and how the ones that are shown become others without losing the focus or the position.

/** The handlers of an element, which are properties, since the policy of the page forbids attributes. */
const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown", "ontoggle"];

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element. An attribute that is false, null or undefined is left out; one that is true is empty. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Makes an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Changes the children of an element to others. Those that are alike stay the same nodes. */
export function patchChildren(target, fresh) {
  const keyed = new Map();
  for (const child of target.children) {
    if (child.dataset.key) keyed.set(child.dataset.key, child);
  }
  let at = target.firstChild;
  for (const child of [...fresh]) {
    const node = typeof child === "string" ? document.createTextNode(child) : child;
    const known = node.dataset?.key ? keyed.get(node.dataset.key) : undefined;
    if (known && known !== at) target.insertBefore(known, at);
    const old = known ?? (at?.dataset?.key ? null : at);
    if (old && isAlike(old, node)) {
      patch(old, node);
      at = old.nextSibling;
    } else {
      target.insertBefore(node, at);
      if (old && old === at) {
        at = old.nextSibling;
        old.remove();
      }
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isAlike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;
}

function patch(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.isEqualNode(fresh) && !HANDLERS.some((name) => fresh[name]) && !fresh.querySelector("button, input, select, form, summary")) {
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isKept(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value) continue;
    // The policy of the page forbids the attribute, but not the property.
    if (name === "style") old.style.cssText = value;
    else old.setAttribute(name, value);
  }
  for (const name of HANDLERS) {
    if (old[name] !== fresh[name]) old[name] = fresh[name];
  }
  if (old.dataset.raw === undefined) patchChildren(old, fresh.childNodes);
  else if (old.dataset.raw !== fresh.dataset.raw || fresh.childNodes.length) patchChildren(old, fresh.childNodes);
  if (old.nodeName === "INPUT" && old !== document.activeElement && fresh.hasAttribute("value")) {
    if (old.value !== fresh.getAttribute("value")) old.value = fresh.getAttribute("value");
  }
  if (old.nodeName === "SELECT" && old !== document.activeElement && fresh.selectedIndex >= 0) {
    old.selectedIndex = fresh.selectedIndex;
  }
}

/** What the user has changed: an opened part, and the style of a bar. */
function isKept(element, name) {
  return name === "style" || (name === "open" && element.nodeName === "DETAILS");
}
