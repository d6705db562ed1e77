// A form for what is to be built: names, ranges and patterns.

import { ask, send } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href, plural } from "../../explore/assets/parts.js";
import { action, named, partition, state } from "../parts.js";

export const title = () => "Build";

/** A form does not change while it is filled in. */
export const isFixed = () => true;

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const status = await ask("status", { at }, signal);
  return { at: status.at, failed: status.failed, refs: named(parameters.get("refs")) };
}

export function view(data, parameters, go) {
  const build = async () => {
    const refs = named(document.getElementById("refs").value);
    const want = await send("POST", "wants", { refs });
    go(href("want", { id: want.id }));
    const left = want.left_out.length;
    return `Want ${want.id.split(".")[0]} is for ${plural(want.partitions.count, "partition")}${left ? `; ${left} were left out, because they depend on what is not known to be up to date` : ""}.`;
  };
  return [
    heading("Build"),
    h(
      "section",
      { class: "panel plan", "aria-label": "What is to be built" },
      h("label", { class: "control wide" }, h("span", {}, "Names, one a line; ranges, choices and patterns as below"), h("textarea", { id: "refs", rows: "6", spellcheck: "false", placeholder: "report/2026-01", "data-raw": "refs" }, data.refs.join("\n"))),
      h("div", { class: "actions" }, action("Build", build, { kind: "primary" }), h("a", { href: href("plan") }, "Plan it first"), h("a", { href: href("grid") }, "Select in the grid")),
    ),
    h(
      "section",
      { class: "panel" },
      h("h2", {}, "How to name several"),
      h(
        "dl",
        { class: "values" },
        [
          ["votes/2026-01-{01..31}", "all days of a month"],
          ["daily/{red,blue}/2026-01-01", "one of some"],
          ["daily/*/2026-01-01, daily/**", "the known partitions that match"],
          ["+report/2026-01", "also all that it was made from"],
          ["votes/2026-01-08+", "also all that was made from it"],
        ].map(([name, text]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, text)]),
      ),
    ),
    data.failed.length ? h("section", { class: "panel" }, h("h2", {}, "Failed"), data.failed.map((one) => h("p", {}, partition(one.name), " ", state(one.state)))) : null,
  ];
}
