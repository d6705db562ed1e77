// One partition: its state and why, what it is made from and what is made from it, its versions, and its history.

import { ask, below, send } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href, number, panel, plural, time } from "../../explore/assets/parts.js";
import { drawLineage } from "../lineage.js";
import { action, chain, list, partition, retryAndBuild, run, seconds, state, want } from "../parts.js";

/** The number of partitions that are drawn. */
const DRAWN_MAX = 40;
/** The number of readers of a version that are named in its history. */
const READERS_MAX = 6;

export const title = (data) => data.name;

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const name = parameters.get("ref") ?? "";
  const [one, why, lineage, history] = await Promise.all([
    ask(below("partitions", name), { at }, signal),
    ask(below("why", name), { at }, signal),
    ask(below("lineage", name), { at, direction: "both", limit: DRAWN_MAX }, signal),
    ask(below("history", name), { at, limit: 100 }, signal),
  ]);
  return { ...one, why, lineage, history };
}

export function view(data) {
  const refs = [data.name];
  const build = async () => {
    const made = await send("POST", "wants", { refs });
    return `Want ${made.id.split(".")[0]} is for ${data.name}.`;
  };
  const retry = () => retryAndBuild(refs);
  const hasData = ["Live", "Stale", "Checking", "Tainted"].includes(data.state);
  const isFailed = data.state === "Failed" || data.state === "UpstreamFailed";
  return [
    h(
      "div",
      { class: "title" },
      heading(data.name, " ", state(data.state)),
      h("div", { class: "actions" }, isFailed ? action("Retry", retry, { kind: "primary" }) : null, action("Build", build, { kind: isFailed ? null : "primary" }), h("a", { href: href("plan", { change: data.name }) }, "What if it changed?"), hasData ? h("a", { href: href("taint", { refs: data.name }) }, "Its data is wrong") : null),
    ),
    h(
      "div",
      { class: "columns" },
      panel(
        "Why",
        h("ul", {}, data.why.lines.map((line) => h("li", {}, line))),
        data.why.chain.length > 1 ? chain(data.why.chain) : null,
      ),
      panel(
        "What it is",
        h(
          "dl",
          { class: "values" },
          pair("Built by", data.run ? run(data.run) : "no run yet"),
          data.since ? pair("Live since", time(data.since)) : null,
          data.expires ? pair("Live until", time(data.expires)) : null,
          pair("Versions", number(data.instances)),
          pair("Wanted by", list(data.wanted_by, (id) => want(id), { none: "no open want" })),
          data.digest ? pair("Digest", h("code", {}, data.digest)) : null,
        ),
      ),
    ),
    panel(
      "Lineage",
      data.lineage.nodes.length > 1 ? drawLineage(data.lineage, `Lineage of ${data.name}`) : h("p", { class: "dim" }, "It is made from nothing that is known, and nothing is made from it."),
    ),
    panel(`History`, h("p", { class: "dim" }, "Each step leads to the page as it was then."), story(data), more(data)),
  ];
}

const pair = (name, shown) => [h("dt", {}, name), h("dd", {}, shown)];

function story(data) {
  const entries = data.history.entries;
  if (!entries.length) return h("p", { class: "dim" }, "Nothing has happened.");
  return h(
    "ol",
    { class: "story" },
    entries.map((one) =>
      h(
        "li",
        { "data-key": `s${one.seq}-${one.event}-${one.instance}` },
        h("a", { class: "seq", href: href("partition", { ref: data.name }, one.seq) }, `#${one.seq}`),
        time(one.time),
        h(
          "span",
          { class: "text" },
          one.text,
          one.instance > 1 ? [" ", h("span", { class: "tag" }, `version ${one.instance}`)] : null,
          one.run ? [" ", run(one.run)] : null,
          one.seconds === null ? null : h("span", { class: "dim" }, ` ${seconds(one.seconds)}`),
          one.because ? h("span", { class: "dim" }, `: ${one.because}`) : null,
          one.digest ? [" ", h("code", {}, one.digest)] : null,
          one.read_by.length ? [h("span", { class: "dim" }, " → read by "), one.read_by.slice(0, READERS_MAX).map((name, ix) => [ix ? ", " : null, partition(name)]), one.read_by.length > READERS_MAX ? h("span", { class: "dim" }, ` and ${number(one.read_by.length - READERS_MAX)} more`) : null] : null,
        ),
      ),
    ),
  );
}

function more(data) {
  const left = data.history.count - data.history.entries.length;
  return left > 0 ? h("p", { class: "dim" }, `and ${plural(left, "earlier step")}`) : null;
}
