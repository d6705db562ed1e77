// A form for data that is wrong: it is built again when it is wanted, and nothing is made from it until then.

import { send } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href } from "../../explore/assets/parts.js";
import { action, named } from "../parts.js";

export const title = () => "Wrong data";

/** A form does not change while it is filled in. */
export const isFixed = () => true;

export async function load(parameters) {
  return { refs: named(parameters.get("refs")) };
}

export function view(data, parameters, go) {
  const text = (id) => document.getElementById(id).value;
  const taint = async () => {
    const refs = named(text("refs"));
    const { done } = await send("POST", "taint", { refs, reason: text("reason") });
    if (refs.length === 1 && !/[*{+]/.test(refs[0])) go(href("partition", { ref: refs[0] }));
    return done;
  };
  return [
    heading("Wrong data"),
    h(
      "section",
      { class: "panel plan", "aria-label": "What is wrong" },
      h("p", {}, "What is tainted is used for nothing any more, and is built again when it is wanted. What was made from it is stale, and is built again only if it comes out different."),
      h("label", { class: "control wide" }, h("span", {}, "Names, one a line; ranges and patterns as for builds, and name+ for all that was made from it too"), h("textarea", { id: "refs", rows: "4", spellcheck: "false", "data-raw": "refs" }, data.refs.join("\n"))),
      h("label", { class: "control wide" }, h("span", {}, "What is wrong with the data"), h("input", { id: "reason", type: "text", maxlength: "200", required: true, autocomplete: "off", "data-raw": "reason" })),
      h("div", { class: "actions" }, action("Taint", taint, { kind: "primary" }), h("a", { href: href("grid") }, "Select in the grid")),
    ),
  ];
}
