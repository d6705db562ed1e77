// The log, the latest transaction first.

import { ask } from "../api.js";
import { h, patchChildren } from "../dom.js";
import { heading, href, number, plural, select, transaction } from "../parts.js";

export const title = () => "Log";

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const asked = Object.fromEntries(["event", "type", "actor", "before"].map((name) => [name, parameters.get(name)]));
  const [log, events, model] = await Promise.all([
    ask("log", { ...asked, at, limit: 30 }, signal),
    ask("events", { at }, signal),
    ask("places", { at }, signal),
  ]);
  return { ...log, events: events.events, types: model.types };
}

/** The list stays where it is while it is read: that there is more is told beside the heading. */
export function grown(last, reload) {
  const news = document.getElementById("news");
  const first = Number(news?.dataset.last ?? last);
  if (!news || last <= first) return;
  const text = `Show ${plural(last - first, "new frame")}`;
  patchChildren(news, [h("button", { type: "button", onclick: reload }, text)]);
}

export function view(data, parameters, go) {
  const chosen = { event: parameters.get("event"), type: parameters.get("type"), actor: parameters.get("actor") };
  const show = (change) => go(href("log", { ...chosen, ...change }));
  const search = (event) => {
    event.preventDefault();
    show({ actor: event.target.elements.actor.value.trim() });
  };
  const names = (all) => [["", "all"], ...all.map((one) => [one.name, one.name])];
  return [
    h("div", { class: "headline" }, heading("Log"), h("span", { id: "news", role: "status", "data-raw": String(data.at.seq), "data-last": String(data.at.seq) })),
    h(
      "form",
      { class: "controls", role: "search", onsubmit: search },
      select("Event", names(data.events), chosen.event ?? "", (event) => show({ event })),
      select("Changes a", names(data.types), chosen.type ?? "", (type) => show({ type })),
      h("label", { class: "control" }, h("span", {}, "Actor"), h("input", { name: "actor", value: chosen.actor ?? "", autocomplete: "off", size: "14" })),
      h("button", { type: "submit" }, "Filter"),
    ),
    h("div", { class: "panel list" }, data.transactions.map((one) => transaction(one, { compact: true })), data.transactions.length ? null : h("p", { class: "dim" }, `None of the frames from ${number(data.from)} on passes the filters.`)),
    h(
      "p",
      { class: "pager" },
      parameters.get("before") ? h("a", { href: href("log", chosen) }, "Latest") : null,
      data.next !== undefined ? h("a", { href: href("log", { ...chosen, before: data.next }) }, "Earlier") : null,
    ),
  ];
}
