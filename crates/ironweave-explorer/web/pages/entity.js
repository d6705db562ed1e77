// One entity: its fields, both ends of its edges, its history and the causes.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { entity, facts, firing, heading, href, number, panel, plural, seq, state, time, value } from "../parts.js";

export const title = (data) => data.history.entity.label;

export async function load(parameters, signal) {
  const asked = { type: parameters.get("type"), id: parameters.get("id"), at: parameters.get("at") };
  // A deleted entity still has a history.
  const history = await ask("history", { ...asked, before: parameters.get("before") }, signal);
  const now = history.exists ? await ask("entity", asked, signal) : null;
  return { at: history.at, entity: now, history };
}

export function view(data, parameters) {
  const name = data.history.entity;
  const now = data.entity;
  return [
    heading(name.label.startsWith(`${name.type}/`) ? name.label : [h("span", { class: "dim" }, `${name.type} `), name.label], " ", now ? state(name.type, now.state) : h("span", { class: "tag" }, "does not exist")),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        {},
        now ? panel("Fields", values([["id", h("code", {}, `${name.type}/${name.id}`)], ["state", state(name.type, now.state)], ...now.fields.map(field), ...now.data.map(dataOf(now.state))])) : null,
        now?.edges.length ? panel("Edges", now.edges.map((end) => edge(end, name))) : null,
      ),
      panel("History", data.history.transactions.map(step), pager(data, parameters)),
    ),
  ];
}

const field = (one) => [one.name, value(one.value)];
const dataOf = (stateName) => (one) => [`${stateName}.${one.name}`, value(one.value)];

const values = (pairs) => h("dl", { class: "values" }, pairs.flatMap(([name, shown]) => [h("dt", {}, name), h("dd", {}, shown)]));

function edge(end, name) {
  const link = (one) => h("li", {}, entity(one.entity), one.data ? [" = ", value(one.data)] : null);
  const left = end.count - end.links.length;
  return h(
    "div",
    { class: "edge" },
    h("h3", {}, end.name, h("span", { class: "count" }, number(end.count)), h("span", { class: "dim" }, ` other end ${end.other}`)),
    end.count ? h("ul", { class: "links" }, end.links.map(link)) : h("p", { class: "dim" }, "No links."),
    left ? h("details", { class: "more", ontoggle: (event) => more(event.target, end, name) }, h("summary", {}, `Show ${plural(left, "more link")}`), h("div", { "data-raw": "links" })) : null,
  );
}

async function more(details, end, name) {
  if (!details.open || details.dataset.loaded) return;
  details.dataset.loaded = "yes";
  const target = details.querySelector("[data-raw]");
  const at = new URLSearchParams(location.search).get("at");
  let skip = end.links.length;
  const load = async () => {
    const page = await ask("links", { type: name.type, id: name.id, edge: end.name, skip, limit: 200, at });
    target.querySelector("button")?.remove();
    target.append(h("ul", { class: "links" }, page.links.map((one) => h("li", {}, entity(one.entity)))));
    skip = page.next;
    if (skip) target.append(h("button", { type: "button", onclick: load }, "Show more"));
  };
  await load();
}

function step(one) {
  const cause = (each) =>
    h(
      "li",
      {},
      each.firing ? firing(each.firing) : h("span", { class: "tag" }, "migration"),
      each.enabled_by ? h("p", { class: "because" }, "enabled by ", firing(each.enabled_by)) : null,
      facts(each.firing?.facts ?? each.facts),
    );
  return h(
    "article",
    { class: one.step ? "transaction step" : "transaction", "data-key": `h${one.seq}`, "aria-label": `Transaction ${one.seq}` },
    h("header", {}, seq(one.seq), time(one.time), one.actor ? h("span", { class: "tag" }, `by ${one.actor}`) : null, one.causation !== undefined ? h("span", { class: "tag" }, "caused by ", seq(one.causation)) : null),
    h("ul", { class: "firings" }, one.causes.map(cause)),
  );
}

function pager(data, parameters) {
  const asked = { type: parameters.get("type"), id: parameters.get("id") };
  return h(
    "p",
    { class: "pager" },
    parameters.get("before") ? h("a", { href: href("entity", asked) }, "Latest") : null,
    data.history.next !== undefined ? h("a", { href: href("entity", { ...asked, before: data.history.next }) }, "Earlier") : null,
  );
}
