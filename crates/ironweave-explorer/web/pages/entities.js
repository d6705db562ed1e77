// The entities of a type, in pages.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { entity, heading, href, learnStates, number, plural, scrolls, select, state, value } from "../parts.js";

export const title = (data) => data.type ?? "Entities";

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const model = await ask("places", { at }, signal);
  learnStates(model.types);
  const type = parameters.get("type") ?? model.types[0]?.name;
  if (!type) return { at: model.at, types: [], type: null };
  const asked = { type, at, state: parameters.get("state"), key: parameters.get("key"), field: parameters.get("field"), value: parameters.get("value"), after: parameters.get("after") };
  return { ...(await ask("entities", asked, signal)), types: model.types };
}

export function view(data, parameters, go) {
  if (!data.type) return [heading("Entities"), h("p", {}, "The model has no entity types.")];
  const chosen = { type: data.type, state: parameters.get("state"), key: parameters.get("key"), field: parameters.get("field"), value: parameters.get("value") };
  const show = (change) => go(href("entities", { ...chosen, ...change }));
  const of = data.types.find((type) => type.name === data.type);
  const search = (event) => {
    event.preventDefault();
    const { key, value } = event.target.elements;
    const field = chosen.field ?? "";
    show({ key: key.value.trim(), field: field || null, value: field ? value.value : null });
  };
  const found = chosen.key ? data.items.length : data.count;
  return [
    heading(data.type, h("span", { class: "count" }, number(data.count))),
    h(
      "form",
      { class: "controls", role: "search", onsubmit: search },
      select("Type", data.types.map((type) => [type.name, type.name]), data.type, (type) => go(href("entities", { type }))),
      select("State", [["", "all"], ...(of?.states ?? []).map((one) => [one.name, `${one.name} (${number(one.count)})`])], chosen.state ?? "", (name) => show({ state: name, key: null })),
      h("label", { class: "control" }, h("span", {}, of?.key.length ? `Key (${of.key.join(", ")}) or id` : "Id"), h("input", { name: "key", value: chosen.key ?? "", autocomplete: "off", size: "24" })),
      select("Field", [["", "any"], ...data.filters.map((name) => [name, name])], chosen.field ?? "", (field) => show({ field: field || null, value: null })),
      h("label", { class: "control" }, h("span", {}, "Value"), h("input", { name: "value", value: chosen.value ?? "", autocomplete: "off", size: "14", disabled: !chosen.field })),
      h("button", { type: "submit" }, "Find"),
      chosen.key ? h("a", { href: href("entities", { ...chosen, key: null }) }, "Show all") : null,
    ),
    data.items.length ? table(data, of) : h("p", { class: "dim" }, chosen.key ? `There is no ${data.type} with this key or id.` : "There are none."),
    pages(data, parameters, chosen, found),
  ];
}

function table(data, of) {
  // The entity is shown by its key.
  const fields = data.fields.filter((name) => of?.key.length !== 1 || of.key[0] !== name);
  const dataNames = [...new Set(data.items.flatMap((item) => item.data.map((one) => one.name)))];
  const cell = (values, name) => {
    const found = values.find((one) => one.name === name);
    return h("td", {}, found ? value(found.value) : h("span", { class: "dim" }, "·"));
  };
  const row = (item) =>
    h(
      "tr",
      { "data-key": item.id },
      h("th", { scope: "row" }, entity(item, { withState: false, withType: false })),
      h("td", {}, state(item.type, item.state)),
      fields.map((name) => cell(item.fields, name)),
      dataNames.map((name) => cell(item.data, name)),
    );
  const head = ["Entity", "State", ...fields, ...dataNames];
  return scrolls(
    `Entities of type ${data.type}`,
    h("table", { class: "grid" }, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, data.items.map(row))),
  );
}

function pages(data, parameters, chosen, found) {
  return h(
    "p",
    { class: "pager" },
    h("span", { class: "dim" }, `${plural(data.items.length, "entity", "entities")} of ${number(found)} shown`),
    parameters.get("after") ? h("a", { href: href("entities", chosen) }, "First page") : null,
    data.next ? h("a", { href: href("entities", { ...chosen, after: data.next }) }, "Next page") : null,
  );
}
