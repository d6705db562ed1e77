// What all pages of a program have: the address says which page is shown, the bar which time, and a page that shows what is now is asked
// for again when the log has grown.

import { Refusal, follow } from "./api.js";
import { h, patchChildren } from "./dom.js";
import { href } from "./parts.js";
import { showTimebar } from "./timebar.js";

/** The shortest time between two updates of a page that follows the log, in milliseconds. */
const UPDATE_INTERVAL = 400;

/**
 * Shows the pages of a program, and follows its log.
 *
 * `pages` has a module for each name, which is the last segment of the address. A module has `load(parameters, signal)`, which asks for
 * what the page shows; `title(data, parameters)`; and `view(data, parameters, go)`, which makes its elements. It may have `isFixed(parameters)`,
 * whether what it shows cannot change, and `grown(last, again)`, which decides itself whether to ask again. The page without a name is `start`, which
 * `home` names in a sentence. `navigation` has the name and the text of each link. `begin()` returns the first and the last frame, and the name that is shown.
 */
export async function run({ pages, start, home, navigation, suffix, begin }) {
  const main = document.getElementById("main");
  const status = document.getElementById("status");
  const timebar = document.getElementById("timebar");

  let first = 0;
  let last = 0;
  let moment = null;
  let loading = null;
  let isStale = false;
  let updateTimer = null;

  const current = () => {
    const name = location.pathname.split("/").pop();
    return { name, page: pages[name] ?? pages[start], parameters: new URLSearchParams(location.search) };
  };

  function go(address, { replace = false } = {}) {
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
      navigation.map(([page, text]) => {
        const parameters = page === "diff" && at ? { from: at, at: null } : {};
        return h("a", { href: href(page, parameters, page === "diff" ? null : at), "aria-current": page === name || (page === "." && !name) ? "page" : null }, text);
      }),
    );
    showTimebar(timebar, { first, last, at, moment }, goTo);
  }

  /** Shows the link of the page, if there are more links than there is room. */
  function showLink() {
    const links = document.getElementById("pages");
    const link = links.querySelector("[aria-current]");
    if (link) links.scrollTo({ left: link.offsetLeft - links.offsetLeft - (links.clientWidth - link.clientWidth) / 2 });
  }

  async function show({ isUpdate = false } = {}) {
    const { page, parameters } = current();
    loading?.abort();
    // An update that another page waits for would make this one again, also if it is fixed.
    clearTimeout(updateTimer);
    updateTimer = null;
    const controller = new AbortController();
    loading = controller;
    if (!isUpdate) moment = null;
    showFrame();
    if (!isUpdate) showLink();
    main.setAttribute("aria-busy", "true");
    try {
      const data = await page.load(parameters, controller.signal);
      if (controller.signal.aborted) return;
      moment = data.at ?? data.to ?? null;
      if (moment) last = Math.max(last, moment.live ? moment.seq : last);
      const title = page.title(data, parameters);
      document.title = `${title} · ${suffix}`;
      patchChildren(main, page.view(data, parameters, go).flat(Infinity).filter(Boolean));
    } catch (error) {
      if (controller.signal.aborted) return;
      const text = error instanceof Refusal ? error.message : `The answer cannot be shown: ${error.message}`;
      document.title = `No answer · ${suffix}`;
      patchChildren(main, [
        h("h1", {}, "No answer"),
        h("p", { role: "alert", class: "problem" }, sentence(text)),
        h("p", {}, h("a", { href: start || "." }, home)),
      ]);
      if (!(error instanceof Refusal)) console.error(error);
    }
    loading = null;
    main.removeAttribute("aria-busy");
    showFrame();
    if (isStale) update();
  }

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
    const isOwn = new URL(".", address).href === new URL(".", location.href).href && address.pathname.split("/").pop() in pages;
    if (!isOwn || link.target || address.hash) return;
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
    const begun = await begin();
    first = begun.first ?? 0;
    last = begun.last;
    document.getElementById("brand").textContent = begun.name;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    status.textContent = error.message;
  }
  show();
}

export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
