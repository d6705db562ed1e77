// One want: what it needs and how far it is, what is in its way, when what ran, and which chain of runs decides how long it takes.

import { ask, below, send } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href, number, panel, plural } from "../../explore/assets/parts.js";
import { drawGantt } from "../gantt.js";
import { drawLineage } from "../lineage.js";
import { action, bar, list, partition, run, seconds, state, times } from "../parts.js";

/** The number of wanted partitions whose tree is drawn, and the number of partitions of each. */
const TREES_MAX = 3;
const DRAWN_MAX = 40;

export const title = (data) => `Want ${data.id}`;

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const path = `wants/${encodeURIComponent(parameters.get("id") ?? "")}`;
  const [one, timeline] = await Promise.all([ask(path, { at }, signal), ask(`${path}/timeline`, { at }, signal)]);
  const drawn = one.partitions.items.slice(0, TREES_MAX);
  const trees = await Promise.all(drawn.map((name) => ask(below("lineage", name), { at, direction: "up", limit: DRAWN_MAX }, signal)));
  return { ...one, timeline, trees };
}

export function view(data) {
  const cancel = async () => (await send("DELETE", `wants/${data.id}`)).done;
  const more = data.partitions.count - data.trees.length;
  return [
    h("div", { class: "title" }, heading(`Want ${data.id}`, " ", state(data.state)), data.open ? h("div", { class: "actions" }, action("Cancel", cancel, { ask: "Cancel it?" })) : null),
    panel(
      "Progress",
      bar(data.progress),
      times(data),
      data.running.count ? [h("h3", {}, "Running"), list(data.running, (one) => [run(one.id), " ", partition(one.label)])] : null,
      data.failed.items.map((one) => h("div", { class: "edge" }, h("h3", {}, partition(one.name), " ", state("Failed")), h("pre", { class: "reason" }, one.reason))),
      data.blocked.count ? h("p", {}, data.blocked.items.slice(0, 8).map((one) => [partition(one.name), h("span", { class: "dim" }, " is blocked by "), one.by.items.map((name, ix) => [ix ? ", " : "", partition(name)]), h("br")])) : null,
    ),
    panel("When what ran", gantt(data.timeline)),
    panel(`Wanted: ${plural(data.partitions.count, "partition")}`, list(data.partitions, (name) => partition(name))),
    data.trees.map((tree) => panel(`What ${tree.name} is made from`, tree.nodes.length > 1 ? drawLineage(tree, `What ${tree.name} is made from`) : h("p", { class: "dim" }, "Nothing that is known."))),
    more > 0 && data.trees.length ? h("p", { class: "dim" }, `The trees of ${number(more)} more partitions are on their pages.`) : null,
  ];
}

function gantt({ runs, count, critical }) {
  if (!runs.length) return h("p", { class: "dim" }, "No job ran for what it needs.");
  const at = (time) => (time ? new Date(time).getTime() / 1000 : null);
  const path = new Set(critical);
  const bars = runs.map((one) => ({ name: one.name, state: one.state, from: at(one.started ?? one.queued), to: at(one.ended), isCritical: path.has(one.name) }));
  const whole = bars.filter((one) => one.isCritical && one.to !== null);
  const sum = whole.reduce((all, one) => all + one.to - one.from, 0);
  return [
    h("p", {}, critical.length ? ["The chain that decided how long it took (◆): ", critical.map((name, ix) => [ix ? " → " : "", partition(name)]), h("span", { class: "dim" }, ` ran for ${seconds(sum)}`)] : null),
    drawGantt(bars, "When what ran", { now: Date.now() / 1000 }),
    count > runs.length ? h("p", { class: "dim" }, `and ${number(count - runs.length)} earlier runs`) : null,
    h("p", {}, h("a", { href: href("grid") }, "All partitions")),
  ];
}
