// Partitions by name and time. A range of cells is selected by dragging or with the keyboard, and built.

import { ask, send } from "../api.js";
import { h, patchChildren } from "../../explore/assets/dom.js";
import { heading, href, number, panel, plural } from "../../explore/assets/parts.js";
import { action, partition, retryAndBuild, state, stateOf } from "../parts.js";

/** The number of columns that are filled in where a row of times has gaps. */
const FILLED_MAX = 400;
const UNITS = { hour: "hour", day: "day", week: "week", month: "month", year: "year", field: "value" };
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** What is shown: for each section its columns, and its rows with a name and a cell for each column. */
let sections = [];
/** The selected rectangle: the section, and the first and the last cell, as row and column. */
let selected = null;
/** Whether the next click extends the selection, as on a screen without a keyboard. */
let extends_ = false;
let isDragging = false;

export const title = () => "Grid";

export async function load(parameters, signal) {
  const at = parameters.get("at");
  const pattern = parameters.get("pattern");
  // In the past, the rows and columns are those of now, so that they stay where they are.
  const [then, now] = await Promise.all([ask("grid", { at, pattern }, signal), at ? ask("grid", { pattern }, signal) : null]);
  const states = new Map();
  for (const cell of [...then.sections.flatMap((one) => one.rows.flatMap((row) => row.cells)), ...then.rest]) states.set(cell.name, cell);
  sections = (now ?? then).sections.map((one) => arrange(one, states));
  const rest = (now ?? then).rest.map((cell) => states.get(cell.name) ?? { ...cell, state: null, run: null });
  if (selected && !sections[selected.section]) selected = null;
  return { at: then.at, count: (now ?? then).count, rest, rest_count: (now ?? then).rest_count, raw: (now ?? then).sections };
}

function arrange(section, states) {
  const columns = filled(section.unit, section.columns);
  const rows = section.rows.map((row) => ({
    pattern: row.pattern,
    cells: columns.map((column) => {
      const name = row.pattern.replace("*", column);
      return { name, state: states.get(name)?.state ?? null, isKnown: row.cells.some((cell) => cell.name === name) };
    }),
  }));
  return { ...section, columns, rows };
}

/** The days or months from the first to the last column. */
function filled(unit, columns) {
  if (columns.length < 2 || (unit !== "day" && unit !== "month")) return columns;
  const first = new Date(`${columns[0]}${unit === "day" ? "" : "-01"}T00:00:00Z`);
  const last = columns.at(-1);
  const all = [];
  for (let at = first; all.length < FILLED_MAX; ) {
    const text = at.toISOString().slice(0, unit === "day" ? 10 : 7);
    all.push(text);
    if (text >= last) return columns.every((column) => all.includes(column)) ? all : columns;
    if (unit === "day") at.setUTCDate(at.getUTCDate() + 1);
    else at.setUTCMonth(at.getUTCMonth() + 1);
  }
  return columns;
}

export function view(data, parameters, go) {
  const submit = (event) => {
    event.preventDefault();
    selected = null;
    go(href("grid", { pattern: event.target.elements.pattern.value.trim() }));
  };
  const filter = h(
    "form",
    { class: "controls", onsubmit: submit },
    h("label", { class: "control" }, h("span", {}, "Only names that match"), h("input", { name: "pattern", value: parameters.get("pattern") ?? "", placeholder: "daily/*/2026-01-*", autocomplete: "off", spellcheck: "false" })),
    h("button", { type: "submit" }, "Filter"),
    parameters.get("pattern") ? h("a", { href: href("grid") }, "Show all") : null,
  );
  const shown = new Set(sections.flatMap((one) => one.rows.flatMap((row) => row.cells.map((cell) => cell.state ?? (cell.isKnown ? "Missing" : null)))));
  for (const one of data.rest) shown.add(one.state);
  shown.delete(null);
  requestAnimationFrame(showLatest);
  return [
    heading("Grid"),
    filter,
    data.count ? h("p", { class: "key", "aria-label": "Signs of states" }, [...shown].map((name) => state(name))) : h("p", { class: "panel empty" }, parameters.get("pattern") ? "No name matches." : "No partition is known yet. Name one on the page Build."),
    sections.map((section, ix) => calendar(section, ix, data.raw[ix])),
    data.rest.length
      ? panel("Without a time", h("ul", { class: "links" }, data.rest.map((one) => h("li", {}, partition(one.name), " ", one.state ? state(one.state) : h("span", { class: "dim" }, "not known then")))), data.rest_count > data.rest.length ? h("p", { class: "dim" }, `and ${number(data.rest_count - data.rest.length)} more`) : null)
      : null,
    sections.length ? h("div", { class: "selection", id: "selection", role: "region", "aria-label": "Selected partitions" }, selection()) : null,
  ];
}

/** Shows the latest times of a calendar that has just been made. */
function showLatest() {
  for (const element of document.querySelectorAll(".calendar")) {
    if (!element.scrolled) element.scrollLeft = element.scrollWidth;
    element.scrolled = true;
  }
}

function calendar(section, ix, raw) {
  const isWide = section.columns.some((column) => short(section.unit, column).length > 3);
  const groups = [];
  for (const column of section.columns) {
    const name = group(section.unit, column);
    if (groups.at(-1)?.name === name) groups.at(-1).span += 1;
    else groups.push({ name, span: 1 });
  }
  const cell = (row, r) => (one, c) => {
    const [hue, sign, word] = one.state ? stateOf(one.state) : [null, one.isKnown ? "" : "+", one.isKnown ? "not known then" : "never wanted"];
    const isFirst = selected?.section === ix ? selected.to[0] === r && selected.to[1] === c : r === 0 && c === 0;
    return h(
      "td",
      { role: "gridcell", class: `cell ${hue ? `s-${hue}` : "none"}${isWide ? " wide" : ""}`, tabindex: isFirst ? "0" : "-1", "data-cell": `${ix} ${r} ${c}`, "aria-selected": String(isSelected(ix, r, c)), "aria-label": `${one.name}: ${word}`, title: `${one.name}: ${word}` },
      sign,
    );
  };
  const left = [
    raw.rows_count > raw.rows.length ? `${number(raw.rows_count - raw.rows.length)} more rows` : null,
    raw.columns_count > raw.columns.length ? `${number(raw.columns_count - raw.columns.length)} earlier columns` : null,
  ].filter(Boolean);
  return h(
    "section",
    { "data-key": `section${section.unit}` },
    h("h2", {}, `By ${UNITS[section.unit] ?? section.unit}`, h("span", { class: "count" }, plural(section.rows.length, "row"), ", ", plural(section.columns.length, "column"))),
    h(
      "div",
      { class: "calendar" },
      h(
        "table",
        { role: "grid", "aria-multiselectable": "true", "aria-label": `Partitions by ${UNITS[section.unit] ?? section.unit}` },
        h(
          "thead",
          {},
          groups.length > 1 || groups[0]?.name ? h("tr", { role: "row" }, h("td", {}), groups.map((one) => h("th", { role: "columnheader", class: "group", colspan: one.span }, one.name))) : null,
          h("tr", { role: "row" }, h("td", {}), section.columns.map((column) => h("th", { role: "columnheader", "aria-label": column }, short(section.unit, column)))),
        ),
        h("tbody", {}, section.rows.map((row, r) => h("tr", { role: "row" }, h("th", { role: "rowheader", title: row.pattern }, row.pattern), row.cells.map(cell(row, r))))),
      ),
    ),
    left.length ? h("p", { class: "dim" }, `Not shown: ${left.join(", ")}. Filter by a pattern to see them.`) : null,
  );
}

const group = (unit, column) => (unit === "day" ? `${MONTHS[Number(column.slice(5, 7)) - 1]} ${column.slice(0, 4)}` : unit === "week" || unit === "month" ? column.slice(0, 4) : unit === "hour" ? column.slice(0, 10) : "");
const short = (unit, column) => (unit === "day" ? String(Number(column.slice(8, 10))) : unit === "week" ? column.slice(5) : unit === "month" ? MONTHS[Number(column.slice(5, 7)) - 1] : unit === "hour" ? column.slice(11) : column);

function isSelected(section, row, column) {
  if (!selected || selected.section !== section) return false;
  const within = (value, ix) => value >= Math.min(selected.from[ix], selected.to[ix]) && value <= Math.max(selected.from[ix], selected.to[ix]);
  return within(row, 0) && within(column, 1);
}

function selectedCells() {
  if (!selected) return [];
  return sections[selected.section].rows.flatMap((row, r) => row.cells.filter((_, c) => isSelected(selected.section, r, c)));
}

/** The content of the bar with what is selected. */
function selection() {
  const cells = selectedCells();
  if (!cells.length) return [h("p", { class: "dim" }, matchMedia("(pointer: coarse)").matches ? "Tap a cell to select what to build." : "Drag over cells to select what to build, or use the arrow keys with Shift. Enter opens a partition.")];
  const failed = cells.filter((cell) => cell.state === "Failed" || cell.state === "UpstreamFailed");
  const refs = cells.map((cell) => cell.name);
  const build = async () => {
    const want = await send("POST", "wants", { refs });
    clear();
    return `Want ${want.id.split(".")[0]} is for ${plural(want.partitions.count, "partition")}.`;
  };
  const retry = () => retryAndBuild(failed.map((cell) => cell.name));
  const word = cells.length === 1 ? [partition(cells[0].name), " ", cells[0].state ? state(cells[0].state) : null] : [h("strong", {}, plural(cells.length, "partition")), ` from ${refs[0]} to ${refs.at(-1)}`];
  return [
    h("p", { "aria-live": "polite" }, word),
    h(
      "div",
      { class: "actions" },
      action(cells.length === 1 ? "Build it" : "Build them", build, { kind: "primary" }),
      failed.length ? action(failed.length === 1 ? "Retry it" : `Retry ${failed.length}`, retry) : null,
      h("button", { type: "button", "aria-pressed": String(extends_), onclick: () => ((extends_ = !extends_), show()) }, "Extend"),
      h("button", { type: "button", onclick: clear }, "Clear"),
    ),
  ];
}

function clear() {
  selected = null;
  extends_ = false;
  show();
}

/** Shows the selection on the cells and in the bar. */
function show() {
  for (const element of document.querySelectorAll("[data-cell]")) {
    const [section, row, column] = place(element);
    const text = String(isSelected(section, row, column));
    if (element.getAttribute("aria-selected") !== text) element.setAttribute("aria-selected", text);
  }
  const bar = document.getElementById("selection");
  if (bar) patchChildren(bar, selection());
}

const place = (element) => element.dataset.cell.split(" ").map(Number);
const elementAt = (section, row, column) => document.querySelector(`[data-cell="${section} ${row} ${column}"]`);

function select(element, isMore) {
  const [section, ...cell] = place(element);
  if (isMore && selected?.section === section) selected.to = cell;
  else selected = { section, from: cell, to: cell };
  show();
}

function focus(element) {
  for (const other of document.querySelectorAll('[data-cell][tabindex="0"]')) {
    if (place(other)[0] === place(element)[0]) other.tabIndex = -1;
  }
  element.tabIndex = 0;
  element.focus();
}

document.addEventListener("pointerdown", (event) => {
  const cell = event.target.closest?.("[data-cell]");
  if (!cell || event.button) return;
  if (event.pointerType === "mouse") {
    event.preventDefault();
    focus(cell);
    isDragging = true;
    select(cell, event.shiftKey || extends_);
  }
});
document.addEventListener("pointermove", (event) => {
  if (!isDragging) return;
  const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-cell]");
  if (cell) select(cell, true);
});
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => (isDragging = false));
// A finger that moves scrolls, so that it selects by two taps.
document.addEventListener("click", (event) => {
  const cell = event.target.closest?.("[data-cell]");
  if (!cell || event.pointerType === "mouse") return;
  select(cell, extends_);
  extends_ = false;
  show();
});
document.addEventListener("dblclick", (event) => open(event.target.closest?.("[data-cell]")));

function open(cell) {
  if (!cell) return;
  const [section, row, column] = place(cell);
  const link = partition(sections[section].rows[row].cells[column].name);
  document.getElementById("main").append(link);
  link.click();
  link.remove();
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -Infinity], End: [0, Infinity] };

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.("[data-cell]");
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  const [section, row, column] = place(cell);
  const move = MOVES[event.key];
  if (move) {
    const { rows, columns } = sections[section];
    const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
    const next = elementAt(section, clamp(row + move[0], rows.length), clamp(column + move[1], columns.length));
    if (event.shiftKey && selected?.section !== section) select(cell, false);
    focus(next);
    select(next, event.shiftKey);
  } else if (event.key === " ") select(cell, event.shiftKey);
  else if (event.key === "Enter") open(cell);
  else if (event.key === "Escape") clear();
  else return;
  event.preventDefault();
});
