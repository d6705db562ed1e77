// The bar with the time slider, which every page has.

import { h, patchChildren } from "./dom.js";
import { href, number, time } from "./parts.js";

/**
 * Shows the bar. `state` has `first` and `last`, the first and the last frame; `at`, the parameter of the address or null; and `moment`, what the page shows, or
 * null while it is not known. `go(at, isDone)` shows another time.
 */
export function showTimebar(target, state, go) {
  const { first, last, at, moment } = state;
  const isLive = at === null;
  const seq = isLive ? last : (moment?.seq ?? (Number(at) || 0));
  const step = (by) => go(String(Math.min(last, Math.max(first, seq + by))), true);
  const submit = (event) => {
    event.preventDefault();
    const text = event.target.elements.moment.value.trim();
    go(text === "" || text === "now" ? null : text, true);
  };
  const slider = h("input", {
    type: "range",
    min: String(Math.min(first, last)),
    max: String(last),
    step: "1",
    value: String(seq),
    "aria-label": "Frame of the log",
    "aria-valuetext": `frame ${seq} of ${last}${isLive ? ", live" : ""}`,
    oninput: (event) => go(isLast(event, last), false),
    onchange: (event) => go(isLast(event, last), true),
  });
  patchChildren(target, [
    h(
      "div",
      { class: "slider" },
      h("button", { type: "button", "aria-label": "One frame back", disabled: seq <= first, onclick: () => step(-1) }, "‹"),
      slider,
      h("button", { type: "button", "aria-label": "One frame on", disabled: isLive, onclick: () => (seq + 1 >= last ? go(null, true) : step(1)) }, "›"),
      h("button", { type: "button", class: isLive ? "live on" : "live", "aria-pressed": String(isLive), onclick: () => go(isLive ? String(last) : null, true) }, "Live"),
    ),
    h(
      "div",
      { class: "moment" },
      h("span", { class: "frame" }, `Frame ${number(seq)} of ${number(last)}`),
      moment && moment.seq === seq ? time(moment.time) : null,
      h("a", { href: href("diff", { from: isLive ? Math.max(0, last - 1) : seq, at: null }, null) }, "Compare"),
      h(
        "form",
        { onsubmit: submit, class: "goto" },
        h("label", {}, h("span", { class: "hidden" }, "Frame or time to go to"), h("input", { name: "moment", placeholder: "42 or 2026-11-28T12:00Z", autocomplete: "off", size: "21" })),
        h("button", { type: "submit" }, "Go"),
      ),
    ),
  ]);
}

function isLast(event, last) {
  return Number(event.target.value) >= last ? null : event.target.value;
}
