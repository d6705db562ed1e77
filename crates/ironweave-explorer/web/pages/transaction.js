// One transaction with its events, its facts and what caused it.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { firing, heading, href, panel, seq, time, transaction } from "../parts.js";

export const title = (data) => `Transaction ${data.seq}`;

export const load = (parameters, signal) => ask("transaction", { seq: parameters.get("seq") }, signal);

export const isFixed = () => true;

export function view(data) {
  return [
    heading(`Transaction ${data.seq}`),
    h(
      "p",
      { class: "pager" },
      data.seq > 0 ? h("a", { href: href("transaction", { seq: data.seq - 1 }) }, "Previous") : null,
      data.seq < data.last ? h("a", { href: href("transaction", { seq: data.seq + 1 }) }, "Next") : null,
      h("a", { href: href("places", { at: data.seq }) }, "The graph after it"),
      data.seq > 0 ? h("a", { href: href("diff", { from: data.seq - 1, to: null, at: data.seq }) }, "Difference") : null,
    ),
    h("div", { class: "panel list" }, transaction(data), metadata(data)),
    data.causes.length ? panel("Causes", h("ol", { class: "causes" }, data.causes.map(cause))) : null,
  ];
}

function metadata(data) {
  const pairs = [
    ["correlation", data.correlation],
    ["idempotency key", data.idempotency_key],
  ].filter(([, text]) => text);
  return pairs.length ? h("dl", { class: "values" }, pairs.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])) : null;
}

const cause = (one) => h("li", {}, seq(one.seq), " ", time(one.time), one.firings.map((fired) => h("p", {}, firing(fired))));
