// What several pages show: states with their signs, names as links, durations, and buttons that send something.

import { Refusal, send } from "./api.js";
import { h } from "../explore/assets/dom.js";
import { href, number, time } from "../explore/assets/parts.js";
import { sentence } from "../explore/assets/shell.js";

/** The states of partitions, runs and wants: the colour, the sign, and the word for persons. */
const STATES = {
  Live: ["good", "✓", "live"],
  Succeeded: ["good", "✓", "succeeded"],
  Successful: ["good", "✓", "successful"],
  Building: ["run", "▸", "building"],
  Running: ["run", "▸", "running"],
  Checking: ["run", "≟", "checking"],
  Queued: ["run", "▹", "queued"],
  Failed: ["bad", "✕", "failed"],
  UpstreamFailed: ["blocked", "!", "blocked"],
  Tainted: ["bad", "#", "tainted"],
  Backoff: ["wait", "↻", "retries soon"],
  UpstreamBuilding: ["wait", "…", "waiting"],
  DepMiss: ["wait", "…", "missed inputs"],
  Stale: ["stale", "≈", "stale"],
  UpForRetry: ["idle", "○", "to build"],
  Idle: ["idle", "○", "idle"],
  Missing: ["idle", "·", "missing"],
  New: ["idle", "·", "new"],
  Lost: ["idle", "?", "lost"],
  Canceled: ["idle", "–", "canceled"],
  Expired: ["bad", "⌛", "expired"],
  Replaced: ["idle", "–", "replaced"],
  // What a plan does with a partition.
  build: ["run", "▸", "to build"],
  check: ["stale", "≟", "to check"],
  keep: ["good", "✓", "live again"],
  blocked: ["blocked", "!", "not built"],
};

/** The colour, the sign and the word of a state; one that is not known here has its own name. */
export const stateOf = (name) => STATES[name] ?? ["idle", "·", name ?? "not known"];

/** A state, with its sign. */
export function state(name, count) {
  if (!name) return null;
  const [hue, sign, word] = stateOf(name);
  return h("span", { class: `state s-${hue}`, title: name }, h("span", { "aria-hidden": "true" }, `${sign} `), count === undefined ? word : `${number(count)} ${word}`);
}

/** The states that some have, the most urgent first. */
const ORDER = ["Failed", "Tainted", "UpstreamFailed", "Building", "Running", "Queued", "Checking", "Backoff", "UpstreamBuilding", "UpForRetry", "Missing", "Stale", "Live"];

export const byUrgency = (counts) =>
  Object.entries(counts ?? {})
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => (ORDER.indexOf(a) + 1 || 99) - (ORDER.indexOf(b) + 1 || 99));

/** Counts by state as a bar, with the words below it. */
export function bar(counts, { label = "Progress" } = {}) {
  const parts = byUrgency(counts);
  const all = parts.reduce((sum, [, count]) => sum + count, 0);
  const pieces = [...parts].reverse().map(([name, count]) => {
    const piece = h("span", { class: `piece s-${stateOf(name)[0]}` });
    piece.style.flexGrow = String(count);
    return piece;
  });
  const live = (counts?.Live ?? 0) + (counts?.Succeeded ?? 0) + (counts?.Successful ?? 0);
  return h(
    "div",
    { class: "progress" },
    h("div", { class: "pieces", role: "img", "aria-label": `${label}: ${live} of ${all}` }, pieces),
    h("p", { class: "legend" }, all ? parts.map(([name, count]) => state(name, count)) : h("span", { class: "dim" }, "nothing yet")),
  );
}

/** A partition as a link. */
export const partition = (name, ...more) => h("a", { class: "name", href: href("partition", { ref: name }) }, name, more);

/** When a want expires, and whether it is late. */
export function times(one) {
  if (!one.deadline && !one.sla) return null;
  const late = h("span", { class: "state s-bad" }, h("span", { "aria-hidden": "true" }, "! "), "late");
  return h("p", { class: "dim" }, one.sla ? ["Promised for ", time(one.sla), " ", one.late ? late : null] : null, one.sla && one.deadline ? ". " : null, one.deadline ? ["Deadline ", time(one.deadline)] : null);
}

/** A run as a link. */
export const run = (id, text = `run ${id}`) => h("a", { href: href("run", { id }) }, text);

/** A want as a link. */
export const want = (id, text = `want ${id.split(".")[0]}`) => h("a", { href: href("want", { id }) }, text);

/** A duration in seconds, for persons. */
export function seconds(value) {
  if (value === null || value === undefined) return "not known";
  if (value < 0.001) return "< 1 ms";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(value % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The seconds between two times. */
export const between = (from, to) => (from && to ? Math.max(0, (new Date(to) - new Date(from)) / 1000) : null);

/** A list that may be cut, each item made by `show`. */
export function list(cut, show, { none = "None." } = {}) {
  if (!cut?.count) return h("p", { class: "dim" }, none);
  const left = cut.count - cut.items.length;
  return h("ul", { class: "links" }, cut.items.map((item) => h("li", {}, show(item))), left > 0 ? h("li", { class: "dim" }, `and ${number(left)} more`) : null);
}

/** A chain of partitions that wait for each other; the last one is in the way. `left` is the number of those that are left out in the middle. */
export const chain = (links, left = 0) =>
  h(
    "p",
    { class: "chain" },
    links.flatMap((link, ix) => [
      ix ? h("span", { class: "dim", "aria-label": "waits for" }, " ← ") : null,
      left && ix === Math.floor(links.length / 2) ? h("span", { class: "dim" }, `.. ${number(left)} more .. ← `) : null,
      partition(link.partition),
    ]),
    " ",
    h("span", { class: "dim" }, links.at(-1)?.state ?? ""),
  );

/**
 * A button that sends a request. What the server says is shown in the status line of its panel. It is disabled while a page shows the past.
 */
export function action(text, act, { kind = null, label = null, ask = null } = {}) {
  const isPast = new URLSearchParams(location.search).has("at");
  const press = async (event) => {
    const button = event.currentTarget;
    if (ask && button.dataset.asked === undefined) {
      button.dataset.asked = "yes";
      button.textContent = ask;
      setTimeout(() => {
        delete button.dataset.asked;
        button.textContent = text;
      }, 4000);
      return;
    }
    button.disabled = true;
    try {
      say(await act());
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      say(sentence(error.message), true);
    }
    button.disabled = false;
  };
  return h("button", { type: "button", class: kind, "aria-label": label, disabled: isPast, title: isPast ? "The past cannot be changed: choose Live" : null, onclick: press }, text);
}

/** Says what a request did, at the foot of the page. */
export function say(text, isProblem = false) {
  let target = document.getElementById("said");
  if (!target) {
    target = h("p", { id: "said", role: "status" });
    document.body.append(target);
  }
  target.className = isProblem ? "said problem" : "said";
  target.textContent = text ?? "";
  clearTimeout(target.timer);
  target.timer = setTimeout(() => target.remove(), 8000);
}

/** Forgets failures, and wants the partitions again. Returns what was done, as a sentence. */
export async function retryAndBuild(refs) {
  await send("POST", "retry", { refs });
  const want = await send("POST", "wants", { refs });
  return `Want ${want.id.split(".")[0]} tries ${refs.length === 1 ? refs[0] : `${number(refs.length)} partitions`} again.`;
}

/** The names in a text, which are between spaces or lines. */
export const named = (text) => (text ?? "").split(/\s+/).filter(Boolean);
