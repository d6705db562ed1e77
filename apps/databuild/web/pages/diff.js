// What two times differ in.

import { ask } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href, number, panel, plural, time } from "../../explore/assets/parts.js";
import { partition, run, state, want } from "../parts.js";

export const title = (data) => `Difference from ${data.from.seq} to ${data.to.seq}`;

export async function load(parameters, signal) {
  let from = parameters.get("from");
  const to = parameters.get("at");
  if (from === null) {
    // The last hundred steps, or all if there are fewer.
    const { seq } = await ask("status", { at: to }, signal);
    from = Math.max(0, (seq ?? 0) - 100);
  }
  const data = await ask("diff", { from, to }, signal);
  return { ...data, to: { ...data.to, live: to === null } };
}

export function view(data, parameters, go) {
  const show = (from) => go(href("diff", { from }), { replace: true });
  const most = Math.max(data.to.seq, data.from.seq);
  return [
    heading("What has changed"),
    h(
      "div",
      { class: "panel between" },
      h("label", { class: "control wide" }, h("span", {}, "From step"), h("input", { type: "range", min: "0", max: String(most), value: String(data.from.seq), "aria-valuetext": `step ${data.from.seq}`, oninput: (event) => show(event.target.value) })),
      h("p", {}, "From step ", h("strong", {}, number(data.from.seq)), " ", time(data.from.time), " to step ", h("strong", {}, number(data.to.seq)), " ", time(data.to.time), data.to.live ? [" ", h("span", { class: "tag" }, "live")] : null),
      h("p", { class: "dim" }, "The bar above chooses the second time, this one the first. ", h("a", { href: href("explore/diff", { from: data.from.seq }) }, "All facts that differ")),
    ),
    section("partition", data.partitions, (name) => partition(name)),
    section("run", data.runs, (text) => labelled(text, run, partition)),
    section("want", data.wants, (text) => labelled(text, want, (label) => h("span", { class: "dim" }, label))),
  ];
}

/** Something that is named by its id and a label. */
function labelled(text, link, show) {
  const [id, ...label] = text.split(" ");
  return [link(id), label.length ? [" ", show(label.join(" "))] : null];
}

function section(what, part, show) {
  if (!part.count) return panel(`No ${what} differs`, h("p", { class: "dim" }, `Every ${what} is as it was.`));
  return panel(
    `${plural(part.count, what)} differ`.replace(/^1 (\w+) differ$/, "1 $1 differs"),
    part.groups.map((group) =>
      h(
        "div",
        { class: "edge" },
        h("h3", {}, group.from ? state(group.from) : h("span", { class: "dim" }, "new"), h("span", { class: "dim", "aria-label": "to" }, " → "), group.to ? state(group.to) : h("span", { class: "dim" }, "gone"), group.again ? h("span", { class: "tag" }, "built again") : null, h("span", { class: "count" }, number(group.names.count))),
        h("ul", { class: "links" }, group.names.items.map((item) => h("li", {}, show(item)))),
        group.names.count > group.names.items.length ? h("p", { class: "dim" }, `and ${number(group.names.count - group.names.items.length)} more`) : null,
      ),
    ),
  );
}
