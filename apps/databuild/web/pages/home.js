// What is wanted and what is in its way, what runs, and what has failed.

import { ask, send } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href, number, panel, plural } from "../../explore/assets/parts.js";
import { action, bar, chain, partition, run, retryAndBuild, state, times, want } from "../parts.js";

/** The number of wants of which the progress is asked for. */
const WANTS_MAX = 8;
/** The number of chains that lead to one failure and are shown. */
const CHAINS_MAX = 3;

export const title = () => "Home";

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const status = await ask("status", { at }, signal);
  const first = status.open.slice(0, WANTS_MAX);
  const open = await Promise.all(first.map(async (one) => ({ ...(await ask(`wants/${one.id}`, { at }, signal)), chains: one.chains })));
  return { ...status, detailed: open };
}

export function view(data) {
  const rest = data.open.length - data.detailed.length;
  return [
    h("div", { class: "title" }, heading("What is built"), h("a", { href: href("build") }, "Build something")),
    h("div", { class: "tiles" }, tile("Partitions", data.partitions, href("grid")), tile("Runs", data.runs, href("explore/entities", { type: "JobRun" })), tile("Wants", data.wants, href("explore/entities", { type: "Want" }))),
    panel(
      plural(data.open.length, "open want"),
      data.detailed.map(openWant),
      rest > 0 ? h("p", { class: "dim" }, `and ${number(rest)} more`) : null,
      data.open.length ? null : h("p", { class: "dim" }, "Nothing is wanted that is not there."),
    ),
    panel(
      `${number(data.runs.Running ?? 0)} running`,
      data.running.map(running),
      data.running.length ? null : h("p", { class: "dim" }, "No job runs."),
    ),
    panel(
      `${number(data.partitions.Failed ?? 0)} failed`,
      data.failed.length > 1
        ? h("p", {}, action("Retry these", () => retryAndBuild(data.failed.map((one) => one.name)), { ask: "Retry all of these?" }))
        : null,
      data.failed.map((one) => failure(one, data.waiting.items)),
      data.failed.length ? null : h("p", { class: "dim" }, "Nothing has failed."),
    ),
  ];
}

function tile(name, counts, address) {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return h("section", { class: "panel tile" }, h("h2", {}, h("a", { href: address }, name), h("span", { class: "big" }, number(all))), bar(counts, { label: name }));
}

function openWant(one) {
  const [named] = one.partitions.items;
  const more = one.partitions.count - 1;
  const cancel = async () => (await send("DELETE", `wants/${one.id}`)).done;
  return h(
    "div",
    { class: "item", "data-key": `w${one.id}` },
    h("p", { class: "heads" }, want(one.id), state(one.state), named ? partition(named) : null, more > 0 ? h("span", { class: "dim" }, `and ${number(more)} more`) : null),
    h("div", { class: "actions" }, action("Cancel", cancel, { label: `Cancel want ${one.id}`, ask: "Cancel it?" })),
    h(
      "div",
      { class: "wide" },
      bar(one.progress, { label: `Progress of want ${one.id}` }),
      one.chains.map((each) => chain(each.links, each.left_out)),
      times(one),
    ),
  );
}

function running(one) {
  return h(
    "div",
    { class: "item", "data-key": `r${one.id}` },
    h("p", { class: "heads" }, run(one.id), state(one.state), partition(one.label), one.attempt > 1 ? h("span", { class: "tag" }, `attempt ${one.attempt}`) : null),
    h("span", { class: "dim" }, one.pid ? `pid ${one.pid}` : ""),
  );
}

function failure(one, waiting) {
  const behind = waiting.filter((each) => each.links.at(-1).partition === one.name);
  const retry = () => retryAndBuild([one.name]);
  return h(
    "div",
    { class: "item", "data-key": `f${one.name}` },
    h("p", { class: "heads" }, partition(one.name), state(one.state), one.run ? run(one.run) : null),
    h("div", { class: "actions" }, action("Retry", retry, { label: `Retry ${one.name}` })),
    one.reason ? h("pre", { class: "reason wide" }, one.reason) : null,
    behind.length ? h("div", { class: "wide" }, behind.slice(0, CHAINS_MAX).map((each) => chain(each.links, each.left_out)), behind.length > CHAINS_MAX ? h("p", { class: "dim" }, `and ${number(behind.length - CHAINS_MAX)} more that wait for it`) : null) : null,
  );
}
