// What would be built if partitions were wanted, or if they changed: how much, when, why, and the chain that takes longest.

import { Refusal, ask, send } from "../api.js";
import { h } from "../../explore/assets/dom.js";
import { heading, href, number, panel, plural, scrolls } from "../../explore/assets/parts.js";
import { sentence } from "../../explore/assets/shell.js";
import { drawGantt } from "../gantt.js";
import { action, named, partition, seconds, state } from "../parts.js";

/** The number of steps that are asked for, and of bars that are drawn. */
const STEPS_MAX = 300;
const BARS_MAX = 60;
/** The number of characters of names in an address. Longer ones are kept here until the page is loaded again. */
const ADDRESS_MAX = 2000;
let kept = [];

export const title = () => "Plan";

/** A form does not change while it is filled in, and a plan is made when it is asked for. */
export const isFixed = () => true;

/** What the address asks: which question, and the names. */
function asked(parameters) {
  const isChange = parameters.has("change");
  const text = parameters.get(isChange ? "change" : "want");
  return { isChange, refs: parameters.has("kept") ? kept : named(text) };
}

export async function load(parameters, signal) {
  const { isChange, refs } = asked(parameters);
  const question = { [isChange ? "change" : "want"]: refs, limit: STEPS_MAX };
  const refused = (error) => {
    // A mistake in the names is said beside them.
    if (!(error instanceof Refusal) || error.status === 401) throw error;
    return { problem: error.message };
  };
  const [{ at }, answer] = await Promise.all([
    ask("status", { at: parameters.get("at") }, signal),
    refs.length ? send("POST", "plan", question, signal).then((plan) => ({ plan }), refused) : {},
  ]);
  return { at, isChange, refs, ...answer };
}

export function view({ isChange, refs, plan, problem }, parameters, go) {
  return [
    heading("Plan"),
    form(isChange, refs, go),
    problem ? h("p", { role: "alert", class: "problem" }, sentence(problem)) : null,
    plan ? planned(plan, isChange, refs, go) : null,
  ];
}

function form(isChange, refs, go) {
  const submit = (event) => {
    event.preventDefault();
    const names = named(document.getElementById("refs").value);
    const question = document.getElementById("of-change").checked ? "change" : "want";
    const text = names.join(" ");
    if (text.length <= ADDRESS_MAX) {
      go(href("plan", { [question]: text }));
    } else {
      kept = names;
      go(href("plan", { [question]: "many", kept: "yes" }));
    }
  };
  // What was typed stays in a form that becomes another one, so it is changed where the address has other names.
  const [old, ofWant, ofChange] = ["refs", "of-want", "of-change"].map((id) => document.getElementById(id));
  if (old && named(old.value).join(" ") !== refs.join(" ")) old.value = refs.join("\n");
  if (ofWant && ofChange) [ofWant.checked, ofChange.checked] = [!isChange, isChange];
  const choice = (id, text, isChecked) => h("label", {}, h("input", { type: "radio", name: "question", id, checked: isChecked }), text);
  return h(
    "form",
    { class: "panel plan", "aria-label": "What is planned", onsubmit: submit },
    h("label", { class: "control wide" }, h("span", {}, "Names, one a line or with spaces between them; ranges and patterns as on the page Build"), h("textarea", { id: "refs", rows: "4", spellcheck: "false", placeholder: "report/2026-01", "data-raw": refs.join("\n") }, refs.join("\n"))),
    h("fieldset", { class: "choices" }, h("legend", {}, "What if these"), choice("of-want", "are wanted", !isChange), choice("of-change", "have changed", isChange)),
    h("div", { class: "actions" }, h("button", { class: "primary" }, "Plan"), h("span", { class: "dim" }, "Nothing is built, and no digest is compared.")),
  );
}

function planned(plan, isChange, refs, go) {
  const { counts } = plan;
  if (!plan.count) {
    const text = isChange ? "Nothing that is known is made from it." : "All of it is live.";
    return panel("Nothing is to be built", h("p", { class: "dim" }, text), notes(plan));
  }
  const build = async () => {
    const want = await send("POST", "wants", { refs: isChange ? plan.ends.items : refs });
    go(href("want", { id: want.id }));
    return `Want ${want.id.split(".")[0]} is for ${plural(want.partitions.count, "partition")}.`;
  };
  const does = counts.build + counts.check + counts.keep > 0;
  const path = plan.critical_path;
  const figure = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const isKnown = !plan.steps.some((step) => step.known_from === "nothing");
  return [
    panel(
      isChange ? "What would be built again" : "What would be built",
      h(
        "dl",
        { class: "figures" },
        figure("to build", number(counts.build)),
        counts.check ? figure("to check", number(counts.check)) : null,
        counts.keep ? figure("live again without a run", number(counts.keep)) : null,
        counts.blocked ? figure("not built", number(counts.blocked)) : null,
        figure(counts.check ? "at most" : "takes", isKnown ? seconds(plan.seconds) : "not known"),
        figure("at a time", plural(plan.jobs_max, "job")),
      ),
      counts.check ? h("p", { class: "dim" }, "What is to be checked is built only if one of its inputs comes out different. The times assume that all of it is built.") : null,
      h("div", { class: "actions" }, does ? action(isChange ? "Bring all of it up to date" : "Build", build, { kind: "primary" }) : null),
    ),
    path.length > 1
      ? panel("Critical path", h("p", { class: "chain" }, path.map((step, ix) => [ix ? h("span", { class: "dim", "aria-label": "then" }, " → ") : null, partition(step.name), h("span", { class: "dim" }, ` ${seconds(step.seconds)}`)])), h("p", { class: "dim" }, `${seconds(plan.critical_seconds)}, however many jobs run at a time.`))
      : null,
    gantt(plan),
    steps(plan),
    notes(plan),
  ];
}

function gantt(plan) {
  const path = new Set(plan.critical_path.length > 1 ? plan.critical_path.map((step) => step.name) : []);
  const timed = plan.steps.filter((step) => step.seconds !== null);
  if (!timed.length) return null;
  const bars = timed.slice(0, BARS_MAX).map((step) => ({ name: step.name, state: step.action, from: step.from_seconds, to: step.to_seconds, isCritical: path.has(step.name) }));
  const left = timed.length - bars.length;
  return panel("When what would run", drawGantt(bars, "When what would run"), left > 0 ? h("p", { class: "dim" }, `and ${number(left)} later ones`) : null);
}

/** Where a duration is from, if it is not from runs of the partition itself. */
const SOURCES = { job: "as its job", asking: "as runs that asked", others: "as other jobs" };

function steps(plan) {
  const row = (step) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, partition(step.name)),
      h("td", {}, state(step.action)),
      h("td", { class: "why" }, step.why),
      h("td", { class: "number" }, step.from_seconds === null || step.seconds === null ? "" : step.from_seconds === 0 ? "now" : seconds(step.from_seconds)),
      h("td", { class: "number" }, step.from_seconds === null ? "" : seconds(step.seconds), SOURCES[step.known_from] ? h("span", { class: "dim" }, ` ${SOURCES[step.known_from]}`) : null),
    );
  const head = ["Partition", "Plan", "Why", "Begins", "Takes"].map((name, ix) => h("th", { scope: "col", class: ix > 2 ? "number" : null }, name));
  const left = plan.count - plan.steps.length;
  return panel(
    plural(plan.count, "partition"),
    scrolls("Partitions of the plan", h("table", { class: "grid steps" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, plan.steps.map(row)))),
    left > 0 ? h("p", { class: "dim" }, `and ${number(left)} more, which `, h("code", {}, "databuild plan --full"), " prints") : null,
  );
}

function notes(plan) {
  const lines = [...plan.notes];
  if (new URLSearchParams(location.search).has("at")) lines.unshift("a plan is of now, not of the time that the bar shows");
  return lines.length ? panel("What the plan assumes", h("ul", { class: "notes" }, lines.map((line) => h("li", {}, sentence(line))))) : null;
}
