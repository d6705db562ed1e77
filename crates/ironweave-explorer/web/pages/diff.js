// The difference of two points in time.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { facts, heading, href, number, panel, placeChanges, plural, seq, time } from "../parts.js";

export const title = (data) => `Difference from ${data.from.seq} to ${data.to.seq}`;

export async function load(parameters, signal) {
  const store = await ask("store", {}, signal);
  const from = parameters.get("from") ?? Math.max(store.first, store.last.seq - 1);
  const data = await ask("diff", { from, to: parameters.get("at"), skip: parameters.get("skip"), limit: 200 }, signal);
  return { ...data, asked: from, first: store.first };
}

export function view(data, parameters, go) {
  const at = parameters.get("at");
  const show = (from) => go(href("diff", { from }, at), { replace: true });
  const most = Math.max(data.to.seq, data.from.seq);
  return [
    heading("Difference"),
    h(
      "div",
      { class: "panel between" },
      h("label", { class: "control wide" }, h("span", {}, "From frame"), h("input", { type: "range", min: String(Math.min(data.first, most)), max: String(most), value: String(data.from.seq), oninput: (event) => show(event.target.value) })),
      h("p", {}, "From ", seq(data.from.seq), " ", time(data.from.time), " to ", seq(data.to.seq), " ", time(data.to.time), data.to.live ? h("span", { class: "tag" }, "live") : null),
      h("p", { class: "dim" }, "The bar above chooses the second point, this one the first."),
    ),
    panel("Places", placeChanges(data.places)),
    panel(plural(data.count, "fact"), facts(data.facts)),
    h(
      "p",
      { class: "pager" },
      data.facts.length < data.count ? h("span", { class: "dim" }, `${number(data.facts.length)} of ${number(data.count)} shown`) : null,
      parameters.get("skip") ? h("a", { href: href("diff", { from: data.asked }, at) }, "First page") : null,
      data.next !== undefined ? h("a", { href: href("diff", { from: data.asked, skip: data.next }, at) }, "Next page") : null,
    ),
  ];
}
