// What several pages show: numbers, times, entities, values, events and facts.

import { h } from "./dom.js";

const numbers = new Intl.NumberFormat("en");

/** A number with separators. */
export const number = (value) => numbers.format(value);

/** The name of something, in the singular or plural. */
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** A time, in the zone of the reader. */
export function time(iso) {
  const date = new Date(iso);
  const text = Number.isNaN(date.getTime()) ? iso : date.toLocaleString("sv-SE");
  return h("time", { datetime: iso, title: iso }, text);
}

/** The model as it was when a page was loaded last: the states of each entity type. */
const states = new Map();

export function learnStates(types) {
  for (const type of types) states.set(type.name, type.states.map((state) => state.name));
}

/** The address of a page. Parameters that are missing are left out, and the time that is shown is kept. */
export function href(page, parameters = {}, at = new URLSearchParams(location.search).get("at")) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...parameters, at: parameters.at ?? at })) {
    if (value !== null && value !== undefined && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return text ? `${page}?${text}` : page;
}

/** The name of a state, in its colour. */
export function state(type, name) {
  if (!name) return null;
  const hue = Math.max(0, (states.get(type) ?? []).indexOf(name)) % 8;
  return h("span", { class: `state hue${hue}` }, name);
}

/** An entity with its state, as a link. */
export function entity(named, { withState = true, withType = true } = {}) {
  const label = named.label.startsWith(`${named.type}/`) ? named.label : withType ? `${named.type} ${named.label}` : named.label;
  return h(
    "span",
    { class: "entity" },
    h("a", { href: href("entity", { type: named.type, id: named.id }) }, label),
    withState ? state(named.type, named.state) : null,
  );
}

/** A value, with links to the entities that it refers to. */
export function value(shown) {
  const more = shown.more ? h("span", { class: "dim" }, ` .. ${plural(shown.more, "more character")}`) : null;
  if (shown.entities?.length) {
    const links = shown.entities.map((one) => entity(one, { withState: false }));
    return h("span", { class: "value" }, links.flatMap((link, ix) => (ix ? [", ", link] : [link])), more);
  }
  if (shown.none) return h("span", { class: "value dim" }, "none");
  return h("span", { class: "value" }, shown.text === "" ? h("span", { class: "dim" }, "empty") : shown.text, more);
}

/** An event with its fields on one line. */
export function firing(fired) {
  const fields = fired.fields.map((field) => h("span", { class: "field" }, h("span", { class: "dim" }, `${field.name} `), value(field.value)));
  const chosen = (fired.chosen ?? []).map(([name, all]) =>
    h("span", { class: "field" }, h("span", { class: "dim" }, `chose ${name} `), all.flatMap((one, ix) => (ix ? [", ", entity(one)] : [entity(one)]))),
  );
  return h(
    "span",
    { class: "firing" },
    h("span", { class: fired.immediate ? "event immediate" : "event" }, fired.event),
    fired.immediate ? h("span", { class: "tag" }, "immediate") : null,
    fields,
    chosen,
  );
}

const SIGNS = { create: "+", delete: "−", move: "→", set: "=", link: "+", unlink: "−", set_link: "=" };
const VERBS = { create: "created", delete: "deleted", move: "moved", set: "set", link: "linked", unlink: "unlinked", set_link: "set" };

/** A fact on one line. */
export function fact(one) {
  const subject = entity(one.entity, { withState: false });
  const to = state(one.entity.type, one.to);
  const from = state(one.entity.type, one.from);
  const data = one.value ? value(one.value) : null;
  const field = h("code", {}, one.data_of ? `${one.data_of}.${one.field}` : (one.field ?? ""));
  const parts = {
    create: [subject, " in ", to],
    delete: [subject, " in ", from],
    move: [subject, " ", from, h("span", { class: "dim", "aria-label": "to" }, " → "), to],
    set: [subject, " ", field, " = ", data],
    link: [subject, " ", field, " → ", one.other ? entity(one.other, { withState: false }) : null],
    unlink: [subject, " ", field, " → ", one.other ? entity(one.other, { withState: false }) : null],
    set_link: [subject, " ", field, " → ", one.other ? entity(one.other, { withState: false }) : null, " = ", data],
  }[one.fact];
  return h(
    "li",
    { class: `fact ${one.fact}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[one.fact]),
    h("span", { class: "verb" }, VERBS[one.fact]),
    h("span", { class: "what" }, parts),
  );
}

/** Facts as a list, with the number of those that are left out. */
export function facts(list, count = list.length) {
  if (!count) return h("p", { class: "dim" }, "Nothing changes.");
  const more = count > list.length ? h("li", { class: "dim" }, `.. ${plural(count - list.length, "more fact")}`) : null;
  return h("ul", { class: "facts" }, list.map(fact), more);
}

/** The link to a transaction. */
export const seq = (number_) => h("a", { class: "seq", href: href("transaction", { seq: number_ }) }, `#${number_}`);

/** A transaction with its events, and their facts if it has them. */
export function transaction(one, { compact = false, tried = false } = {}) {
  const meta = [
    one.actor ? h("span", { class: "tag" }, `by ${one.actor}`) : null,
    one.causation !== undefined ? h("span", { class: "tag" }, "caused by ", seq(one.causation)) : null,
    one.migration ? h("span", { class: "tag" }, "migration") : null,
  ];
  return h(
    "article",
    { class: "transaction", "data-key": `t${one.seq}`, "aria-label": `Transaction ${one.seq}` },
    h("header", {}, tried ? `It would be frame ${number(one.seq)}.` : [seq(one.seq), time(one.time)], meta),
    h(
      "ul",
      { class: "firings" },
      one.firings.map((fired) => h("li", {}, firing(fired), compact && !fired.facts?.length ? null : facts(fired.facts ?? [], fired.fact_count))),
    ),
  );
}

/** A table of places whose numbers differ. */
export function placeChanges(places) {
  if (!places.length) return h("p", { class: "dim" }, "No place has another number of tokens.");
  const row = (place) => {
    const delta = place.after - place.before;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, place.edge ? h("code", {}, `${place.type}.${place.place}`) : [`${place.type} `, state(place.type, place.place)]),
      h("td", { class: "number" }, number(place.before)),
      h("td", { class: "number" }, number(place.after)),
      h("td", { class: `number ${delta > 0 ? "more" : "less"}` }, `${delta > 0 ? "+" : "−"}${number(Math.abs(delta))}`),
    );
  };
  const head = ["Place", "Before", "After", "Change"].map((name, ix) => h("th", { scope: "col", class: ix ? "number" : null }, name));
  return scrolls("Places that change", h("table", { class: "grid" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, places.map(row))));
}

/** Something that may be wider than the page. */
export const scrolls = (label, ...children) => h("div", { class: "scrolls", role: "region", tabindex: "0", "aria-label": label }, children);

/** A panel with a heading. */
export const panel = (title, ...children) => h("section", { class: "panel" }, h("h2", {}, title), children);

/** The heading of a page. */
export const heading = (...children) => h("h1", {}, children);

/** A select with a label. */
export function select(label, options, chosen, onchange) {
  return h(
    "label",
    { class: "control" },
    h("span", {}, label),
    h(
      "select",
      { onchange: (event) => onchange(event.target.value) },
      options.map(([name, text]) => h("option", { value: name, selected: name === chosen }, text)),
    ),
  );
}
