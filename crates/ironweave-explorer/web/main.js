// Which page is shown: a page is asked for by its address, and asked again when the log has grown.

import { Refusal, ask, follow } from "./api.js";
import { h, patchChildren } from "./dom.js";
import { href, learnStates } from "./parts.js";
import { showTimebar } from "./timebar.js";
import * as places from "./pages/places.js";
import * as entities from "./pages/entities.js";
import * as entity from "./pages/entity.js";
import * as log from "./pages/log.js";
import * as transaction from "./pages/transaction.js";
import * as net from "./pages/net.js";
import * as diff from "./pages/diff.js";
import * as whatIf from "./pages/what-if.js";

const PAGES = { places, entities, entity, log, transaction, net, diff, "what-if": whatIf };
const NAVIGATION = [
  ["places", "Places"],
  ["entities", "Entities"],
  ["log", "Log"],
  ["net", "Net"],
  ["diff", "Compare"],
  ["what-if", "What if"],
];

/** The shortest time between two updates of a page that follows the log, in milliseconds. */
const UPDATE_INTERVAL = 400;

const main = document.getElementById("main");
const status = document.getElementById("status");
const timebar = document.getElementById("timebar");

let last = 0;
let moment = null;
let loading = null;
let isStale = false;
let updateTimer = null;

const current = () => {
  const name = location.pathname.split("/").pop();
  return { name, page: PAGES[name] ?? places, parameters: new URLSearchParams(location.search) };
};

/** Shows another address. */
export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  show();
}

function goTo(at, isDone) {
  const url = new URL(location.href);
  if (at === null) url.searchParams.delete("at");
  else url.searchParams.set("at", at);
  url.searchParams.delete("after");
  url.searchParams.delete("before");
  go(url, { replace: !isDone });
}

function showFrame() {
  const { name, parameters } = current();
  const at = parameters.get("at");
  patchChildren(
    document.getElementById("pages"),
    NAVIGATION.map(([page, text]) => {
      const parameters = page === "diff" && at ? { from: at, at: null } : {};
      return h("a", { href: href(page, parameters, page === "diff" ? null : at), "aria-current": page === name ? "page" : null }, text);
    }),
  );
  document.querySelector("#pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  showTimebar(timebar, { last, at, moment }, goTo);
}

async function show({ isUpdate = false } = {}) {
  const { page, parameters } = current();
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  if (!isUpdate) moment = null;
  showFrame();
  main.setAttribute("aria-busy", "true");
  try {
    const data = await page.load(parameters, controller.signal);
    if (controller.signal.aborted) return;
    moment = data.at ?? data.to ?? null;
    if (moment) last = Math.max(last, moment.live ? moment.seq : last);
    const title = page.title(data, parameters);
    document.title = `${title} · ironweave`;
    patchChildren(main, page.view(data, parameters, go).flat(Infinity).filter(Boolean));
  } catch (error) {
    if (controller.signal.aborted) return;
    const text = error instanceof Refusal ? error.message : `The answer cannot be shown: ${error.message}`;
    document.title = "No answer · ironweave";
    patchChildren(main, [
      h("h1", {}, "No answer"),
      h("p", { role: "alert", class: "problem" }, sentence(text)),
      h("p", {}, h("a", { href: "places" }, "Show the places as they are now")),
    ]);
    if (!(error instanceof Refusal)) console.error(error);
  }
  loading = null;
  main.removeAttribute("aria-busy");
  showFrame();
  if (isStale) update();
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;

/** Asks for the page again, soon, if it shows what is now. */
function update() {
  isStale = false;
  if (loading) {
    isStale = true;
    return;
  }
  const { page, parameters } = current();
  if (parameters.has("at") || page.isFixed?.(parameters)) {
    showFrame();
    return;
  }
  if (page.grown) {
    showFrame();
    page.grown(last, () => show({ isUpdate: true }));
    return;
  }
  updateTimer ??= setTimeout(() => {
    updateTimer = null;
    if (loading) isStale = true;
    else show({ isUpdate: true });
  }, UPDATE_INTERVAL);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const address = new URL(link.href?.baseVal ?? link.href, location.href);
  const isOwn = address.origin === location.origin && address.pathname.split("/").pop() in PAGES && !link.target;
  if (!isOwn || address.hash) return;
  event.preventDefault();
  go(address);
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
});

addEventListener("popstate", () => show());

follow(
  (seq) => {
    last = seq;
    update();
  },
  (problem) => {
    const text = problem ?? "";
    if (status.textContent !== text) status.textContent = text;
  },
);

try {
  const model = await ask("places");
  learnStates(model.types);
  last = model.at.seq;
  document.getElementById("brand").textContent = model.model;
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  status.textContent = error.message;
}
show();
