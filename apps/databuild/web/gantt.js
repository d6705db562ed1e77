// Bars on a common axis of time: what runs when.

import { h } from "../explore/assets/dom.js";
import { scrolls } from "../explore/assets/parts.js";
import { partition, seconds, stateOf } from "./parts.js";

/** Draws `{name, state, from, to, isCritical}`, with times in seconds. A bar without an end goes on until `now`. */
export function drawGantt(bars, label, { now = null } = {}) {
  const first = Math.min(...bars.map((bar) => bar.from));
  const last = Math.max(...bars.map((bar) => bar.to ?? now ?? bar.from), first + 0.001);
  const share = (value) => `${((100 * value) / (last - first)).toFixed(3)}%`;
  const rows = bars.map((bar) => {
    const [hue, sign, word] = stateOf(bar.state);
    const span = h("span", { class: `span s-${hue}${bar.isCritical ? " critical" : ""}` });
    const to = bar.to ?? now ?? bar.from;
    span.style.left = share(bar.from - first);
    span.style.width = share(to - bar.from);
    return [
      partition(bar.name),
      h("span", { class: "lane", role: "img", "aria-label": `${word}, from ${seconds(bar.from - first)} to ${seconds(to - first)}${bar.isCritical ? ", on the critical path" : ""}` }, span),
      h("span", { class: "number" }, h("span", { class: "dim", "aria-hidden": "true" }, bar.isCritical ? "◆ " : `${sign} `), seconds(to - bar.from)),
    ];
  });
  return scrolls(label, h("div", { class: "gantt" }, rows));
}
