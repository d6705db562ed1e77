// One run of a job: when it was queued, started and ended, what it read, and what it writes, as it writes it.

import { ask } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, panel, time } from "../../explore/assets/parts.js";
import { between, list, partition, seconds, state, want } from "../parts.js";

/** How often what a run writes is read again, in milliseconds. */
const POLL_INTERVAL = 1000;
/** The number of characters of a stream that are kept. */
const SHOWN_MAX = 256 * 1024;

/** What was read of the streams of one run. */
let output = { id: null, streams: {} };
let timer = null;

export const title = (data) => `Run ${data.id}`;

export async function load(parameters, signal) {
  const id = parameters.get("id") ?? "";
  const one = await ask(`runs/${encodeURIComponent(id)}`, { at: parameters.get("at") }, signal);
  if (output.id !== id) output = { id, streams: { stdout: empty(), stderr: empty() } };
  await Promise.all(Object.keys(output.streams).map((name) => read(id, name, signal)));
  follow(id);
  return one;
}

const empty = () => ({ text: "", next: 0, ended: false, withheld: null });

async function read(id, name, signal) {
  const stream = output.streams[name];
  for (let page = 0; page < 32; page += 1) {
    const part = await ask(`runs/${encodeURIComponent(id)}/logs`, { stream: name, from: stream.next }, signal);
    stream.text = (part.from < stream.next ? part.text : stream.text + part.text).slice(-SHOWN_MAX);
    Object.assign(stream, { next: part.next, withheld: part.withheld, ended: part.ended && part.next >= part.size });
    if (part.next >= part.size || part.text === "") return;
  }
}

/** Reads what is written while the page is shown and the run goes on. */
function follow(id) {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const isShown = location.pathname.endsWith("/run") && new URLSearchParams(location.search).get("id") === id;
    if (!isShown || Object.values(output.streams).every((stream) => stream.ended)) return;
    try {
      await Promise.all(Object.keys(output.streams).map((name) => read(id, name)));
      for (const [name, stream] of Object.entries(output.streams)) {
        const target = document.getElementById(`output-${name}`);
        if (target && target.textContent !== stream.text && stream.text) {
          const isAtEnd = target.scrollTop + target.clientHeight >= target.scrollHeight - 4;
          target.textContent = stream.text;
          if (isAtEnd) target.scrollTop = target.scrollHeight;
        }
      }
    } catch {
      // The status line says that the server cannot be reached.
    }
    follow(id);
  }, POLL_INTERVAL);
}

/** A word as a shell would read it. */
const inShell = (word) => (/^[\w\-./=:,@%+]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

export function view(data) {
  return [
    h("div", { class: "title" }, heading(`Run ${data.id}`, " ", state(data.state))),
    h(
      "div",
      { class: "columns" },
      panel(
        "What it does",
        h(
          "dl",
          { class: "values" },
          pair("Builds", list(data.builds, (name) => partition(name))),
          data.command ? pair("Command", h("pre", { class: "command", tabindex: "0", role: "region", "aria-label": "Command" }, data.command.map(inShell).join(" "))) : null,
          data.attempt > 1 ? pair("Attempt", String(data.attempt)) : null,
          data.pid ? pair("Process", String(data.pid)) : null,
          data.exit !== null && data.exit !== undefined ? pair("Exit status", String(data.exit)) : null,
          pair("Serves", list(data.wants, (id) => want(id), { none: "no want" })),
        ),
        data.reason ? h("pre", { class: "reason" }, data.reason) : null,
      ),
      panel("When", timeline(data)),
    ),
    panel("What it read", list(data.reads, (name) => partition(name), { none: "Nothing that it reported." })),
    data.missed?.count ? panel("What it missed", list(data.missed, (name) => partition(name))) : null,
    Object.entries(output.streams).map(([name, stream]) =>
      panel(
        name,
        stream.withheld ? h("p", { class: "dim" }, stream.withheld) : null,
        h("pre", { class: "output", id: `output-${name}`, tabindex: "0", role: "region", "aria-label": `What it wrote to ${name}` }, stream.text || (stream.ended ? "It wrote nothing, or what it wrote is not kept any more." : "Nothing yet.")),
      ),
    ),
  ];
}

const pair = (name, shown) => [h("dt", {}, name), h("dd", {}, shown)];

function timeline(data) {
  const waited = between(data.queued, data.started);
  const took = between(data.started, data.ended);
  const all = (waited ?? 0) + (took ?? 0);
  const lane = (from, length, hue) => {
    const span = h("span", { class: `span s-${hue}` });
    span.style.left = `${all ? (100 * from) / all : 0}%`;
    span.style.width = `${all ? (100 * length) / all : 0}%`;
    return h("span", { class: "lane", "aria-hidden": "true" }, span);
  };
  return [
    h(
      "dl",
      { class: "values" },
      data.queued ? pair("Queued", time(data.queued)) : null,
      data.started ? pair("Started", time(data.started)) : null,
      data.ended ? pair("Ended", time(data.ended)) : null,
    ),
    took === null ? null : h("div", { class: "gantt" }, h("span", {}, "to start"), lane(0, waited, "idle"), h("span", { class: "number" }, seconds(waited)), h("span", {}, "run"), lane(waited, took, data.state === "Failed" ? "bad" : "good"), h("span", { class: "number" }, seconds(took))),
  ];
}
