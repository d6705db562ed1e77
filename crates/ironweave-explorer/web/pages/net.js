// The net of the model, with the number of tokens in each place.

import { ask } from "../api.js";
import { h, svg } from "../dom.js";
import { heading, href, number, plural, scrolls, select } from "../parts.js";

export const title = () => "Net";

/** The picture that was read last, as an element, and what it shows. */
let picture = { text: null, element: null };
/** The numbers that were shown last, to mark those that have changed. */
let shown = null;

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const asked = { kind: parameters.get("kind") ?? "net", type: parameters.get("type"), at };
  const [net, model] = await Promise.all([ask("net", asked, signal), ask("places", { at }, signal)]);
  return { ...net, types: model.types, kind: asked.kind, type: asked.type };
}

export function view(data, parameters, go) {
  const chosen = data.kind === "lifecycle" ? `lifecycle ${data.type}` : data.kind;
  const show = (text) => {
    const [kind, type] = text.split(" ");
    go(href("net", { kind, type }));
  };
  const options = [["net", "All events"], ["edges", "Edges"], ...data.types.map((type) => [`lifecycle ${type.name}`, `Lifecycle of ${type.name}`])];
  // On a phone, a whole net would be too small to read.
  const size = parameters.get("size") ?? (matchMedia("(max-width: 40rem)").matches ? "full" : "fit");
  const asked = { kind: data.kind, type: data.type };
  return [
    heading("Net"),
    h(
      "div",
      { class: "controls" },
      select("Picture", options, chosen, show),
      h("a", { href: href("net", { ...asked, size: size === "fit" ? "full" : "fit" }) }, size === "fit" ? "Actual size" : "Fit the page"),
    ),
    scrolls("Picture of the net", h("div", { class: `picture ${size}`, "data-raw": "net" }, draw(data))),
    h("p", { class: "dim" }, "A place shows the number of its entities or links, and leads to them. Solid arrows are what events declare, dashed ones what their handlers may do, dotted ones conditions."),
  ];
}

function draw(data) {
  if (picture.text !== data.svg) {
    const parsed = new DOMParser().parseFromString(data.svg, "image/svg+xml");
    picture = { text: data.svg, element: document.importNode(parsed.documentElement, true) };
    picture.element.querySelector("title")?.remove();
    shown = null;
  }
  const root = picture.element.cloneNode(true);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Places and events of the model");
  for (const node of root.querySelectorAll("[data-places]")) mark(node, data);
  shown = data.tokens;
  return root;
}

function mark(node, data) {
  const places = node.dataset.places.split(" ").map(Number);
  const sum = (tokens) => places.reduce((all, place) => all + (tokens?.[place] ?? 0), 0);
  const count = sum(data.tokens);
  const [first] = places.map((place) => data.places[place]);
  const text = node.classList.contains("count") ? node : node.querySelector(".count");
  const words = first?.edge ? plural(count, "link") : plural(count, "entity", "entities");
  if (text) text.textContent = words;
  node.classList.toggle("marked", count > 0);
  node.classList.toggle("changed", shown !== null && sum(shown) !== count);
  if (node.nodeName !== "g" || !first || first.edge) return;
  const state = places.length === 1 ? first.name : null;
  const link = svg("a", { href: href("entities", { type: first.type, state }), "aria-label": `${first.type}${state ? ` ${state}` : ""}: ${number(count)} entities` });
  node.replaceWith(link);
  link.append(node);
}
