// The places of the model, with the numbers of entities and links.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { heading, href, learnStates, number, panel, plural, scrolls, state } from "../parts.js";

export const title = (data) => data.model;

export async function load(parameters, signal) {
  const data = await ask("places", { at: parameters.get("at") }, signal);
  learnStates(data.types);
  return data;
}

export function view(data) {
  return [
    heading(`Model ${data.model}`),
    h("div", { class: "cards" }, data.types.map(type)),
    data.edges.length ? panel("Edges", edges(data.edges)) : null,
  ];
}

function type(of) {
  const most = Math.max(1, ...of.states.map((one) => one.count));
  return h(
    "section",
    { class: "panel card", "data-key": of.name },
    h("h2", {}, h("a", { href: href("entities", { type: of.name }) }, of.name), h("span", { class: "count" }, number(of.count))),
    h(
      "ul",
      { class: "states" },
      of.states.map((one) => {
        const bar = h("span", { class: "bar", "aria-hidden": "true" });
        bar.style.width = `${(100 * one.count) / most}%`;
        return h(
          "li",
          {},
          h(
            "a",
            { href: href("entities", { type: of.name, state: one.name }), "aria-label": `${one.name}: ${plural(one.count, "entity", "entities")}` },
            state(of.name, one.name),
            h("span", { class: "dim note" }, [one.initial ? "initial" : null, one.terminal ? "terminal" : null].filter(Boolean).join(", ")),
            h("span", { class: "number" }, number(one.count)),
            h("span", { class: "track", "aria-hidden": "true" }, bar),
          ),
        );
      }),
    ),
  );
}

function edges(all) {
  const row = (edge) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("code", {}, `${edge.from.type}.${edge.from.name}`)),
      h("td", {}, edge.from.cardinality),
      h("td", {}, h("code", {}, `${edge.to.type}.${edge.to.name}`)),
      h("td", {}, edge.to.cardinality),
      h("td", { class: "number" }, number(edge.count)),
    );
  const head = ["Declared by", "Holds", "Other end", "Holds", "Links"];
  return scrolls(
    "Edges",
    h(
      "table",
      { class: "grid" },
      h("thead", {}, h("tr", {}, head.map((name, ix) => h("th", { scope: "col", class: ix === 4 ? "number" : null }, name)))),
      h("tbody", {}, all.map(row)),
    ),
  );
}
