// What an event would do: it is filled in from its schema and fired on a snapshot, of which nothing is kept.

import { Refusal, ask, tryEvent } from "../api.js";
import { h, patchChildren } from "../dom.js";
import { entity, heading, href, panel, placeChanges, select, transaction } from "../parts.js";

export const title = () => "What if";

/** A form does not change while it is filled in. */
export const isFixed = () => true;

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const [data, model] = await Promise.all([ask("events", { at }, signal), ask("places", { at }, signal)]);
  const events = data.events.filter((event) => !event.immediate);
  const name = parameters.get("event") ?? events.find((event) => !event.untried)?.name ?? events[0]?.name;
  const event = events.find((one) => one.name === name) ?? null;
  const suggestions = await Promise.all((event?.fields ?? []).map((field) => suggest(field, at, signal)));
  return { ...data, events, event, name, suggestions, types: model.types };
}

/** The first entities that a field could name. */
async function suggest(field, at, signal) {
  if (field.by === "value") return [];
  const page = await ask("entities", { type: field.type, state: field.state, limit: 100, at }, signal);
  return page.items;
}

export function view(data, parameters, go) {
  if (!data.events.length) return [heading("What if"), h("p", {}, "The model has no events that a program fires.")];
  if (!data.event) return [heading("What if"), h("p", { role: "alert", class: "problem" }, `The model has no event ${data.name}.`)];
  const { event } = data;
  return [
    heading("What if"),
    h("p", { class: "dim" }, "The event is fired on a snapshot, with all that follows from it. The store does not change."),
    h("div", { class: "controls" }, select("Event", data.events.map((one) => [one.name, one.name]), event.name, (name) => go(href("what-if", { event: name })))),
    h(
      "div",
      { class: "columns" },
      panel(event.name, rules(event), event.untried ? h("p", { class: "problem", role: "note" }, event.untried) : form(data, parameters)),
      h("section", { class: "panel", "aria-live": "polite", "aria-label": "What would happen", id: "outcome", "data-raw": `${event.name} ${parameters.get("at")}` }, h("h2", {}, "What would happen"), h("p", { class: "dim" }, "Fill in the event and try it.")),
    ),
  ];
}

function rules(event) {
  const lines = [...event.arcs, ...event.guards.map((guard) => `guard(${guard})`), ...(event.handler ? ["a handler"] : [])];
  return lines.length ? h("ul", { class: "rules" }, lines.map((line) => h("li", {}, h("code", {}, line)))) : null;
}

function form(data, parameters) {
  const { event, suggestions } = data;
  const submit = async (submitted) => {
    submitted.preventDefault();
    const target = document.getElementById("outcome");
    try {
      const fields = event.fields.map((field) => `${JSON.stringify(field.name)}:${read(field, submitted.target.elements[field.name].value)}`);
      const outcome = await tryEvent(`{${JSON.stringify(event.name)}:{${fields.join(",")}}}`, parameters.get("at"));
      patchChildren(target, happens(outcome));
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof Unreadable)) throw error;
      const what = error.status === 403 || error.status === 409 ? "It would be rejected" : "It cannot be tried";
      patchChildren(target, [h("h2", {}, what), h("p", { class: "problem", role: "alert" }, error.message)]);
    }
  };
  return h(
    "form",
    { class: "event-form", onsubmit: submit, "data-key": event.name },
    event.fields.map((field, ix) => control(field, suggestions[ix], parameters)),
    h("button", { type: "submit", class: "primary" }, "Try it"),
  );
}

function control(field, suggested, parameters) {
  const list = suggested.length ? `list-${field.name}` : null;
  const hint = [field.ty, field.state ? `in ${field.state}` : null, field.ensure ? "created if there is none" : null].filter(Boolean).join(", ");
  const asText = field.many || field.form === "json" || (field.optional && field.form === "bool");
  const common = { name: field.name, id: `field-${field.name}`, "aria-describedby": `hint-${field.name}` };
  const given = parameters.get(`field.${field.name}`);
  let input;
  if (field.by === "value" && field.form === "bool" && !asText) {
    input = h("select", common, ["false", "true"].map((text) => h("option", { value: text }, text)));
  } else if (asText && !list) {
    input = h("textarea", { ...common, rows: "2", placeholder: field.many ? "one on each line" : "JSON" });
  } else {
    input = h("input", { ...common, list, autocomplete: "off", value: given, required: !field.optional && !field.many, inputmode: field.form === "integer" ? "numeric" : null });
  }
  return h(
    "div",
    { class: "form-field" },
    h("label", { for: common.id }, field.name),
    input,
    h("span", { class: "dim", id: `hint-${field.name}` }, `${hint}${field.many ? "; separated by commas or lines" : ""}${field.optional ? "; may be empty" : ""}`),
    list ? h("datalist", { id: list }, suggested.map((one) => h("option", { value: field.by === "key" ? one.label : `${one.type}/${one.id}` }, `${one.label} ${one.state ?? ""}`))) : null,
  );
}

/** A field that is not filled in with a value of its type. */
class Unreadable extends Error {}

/** Returns what is filled in as JSON. */
function read(field, text) {
  if (field.many) {
    const items = text.split(/[\n,]/).map((item) => item.trim()).filter(Boolean);
    return `[${items.map((item) => single(field, item)).join(",")}]`;
  }
  if (field.optional && text.trim() === "") return "null";
  return single(field, text);
}

function single(field, text) {
  switch (field.form) {
    case "integer":
      // A number beyond what JavaScript can represent is sent as it is written.
      if (/^[+-]?\d+$/.test(text.trim())) return text.trim().replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1");
      throw new Unreadable(`${field.name} is an integer, and "${text}" is none.`);
    case "number":
      if (text.trim() !== "" && Number.isFinite(Number(text))) return String(Number(text));
      throw new Unreadable(`${field.name} is a number, and "${text}" is none.`);
    case "bool":
      return text.trim() === "true" ? "true" : "false";
    case "json":
      try {
        JSON.parse(text);
        return text;
      } catch {
        throw new Unreadable(`${field.name} is of type ${field.ty}; write its value as JSON.`);
      }
    default:
      return JSON.stringify(field.by === "value" ? text : text.trim());
  }
}

function happens(outcome) {
  const names = outcome.names.filter(([, all]) => all.length);
  return [
    h("h2", {}, "It would happen"),
    names.length ? h("dl", { class: "values" }, names.flatMap(([name, all]) => [h("dt", {}, name), h("dd", {}, all.flatMap((one, ix) => (ix ? [", ", entity(one)] : [entity(one)])))])) : null,
    placeChanges(outcome.places),
    h("div", { class: "tried" }, transaction(outcome.transaction, { tried: true })),
  ].filter(Boolean);
}
