// A graph of partitions, drawn in layers: what a partition is made from is on the left of it, what is made from it on the right.

import { h, svg } from "../explore/assets/dom.js";
import { href, number } from "../explore/assets/parts.js";
import { stateOf } from "./parts.js";

const WIDTH = 178;
const HEIGHT = 44;
const GAP_X = 54;
const GAP_Y = 12;
const MARGIN = 6;
/** The number of characters of a name that fit. */
const CHARS = 23;

/** Draws the nodes `{name, state, depth}` and the edges `[from, to]` between them. */
export function drawLineage({ nodes, edges, count }, label) {
  const placed = layers(nodes, edges);
  const tallest = Math.max(...placed.map((layer) => layer.length));
  const height = tallest * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN;
  const width = placed.length * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN;
  const at = new Map();
  placed.forEach((layer, x) => {
    const top = (height - layer.length * (HEIGHT + GAP_Y) + GAP_Y) / 2;
    layer.forEach((ix, y) => at.set(ix, { x: MARGIN + x * (WIDTH + GAP_X), y: top + y * (HEIGHT + GAP_Y) }));
  });
  const wires = edges.map(([from, to]) => wire(at.get(from), at.get(to)));
  const boxes = nodes.map((node, ix) => box(node, at.get(ix)));
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label }, ...wires, ...boxes);
  const left = count - nodes.length;
  return [
    h("div", { class: "lineage scrolls", role: "region", tabindex: "0", "aria-label": label }, picture),
    left > 0 ? h("p", { class: "dim" }, `and ${number(left)} more, further away`) : null,
  ];
}

/** The nodes in layers of the same depth. In each layer, a node is near the middle of what it is connected with. */
function layers(nodes, edges) {
  const depths = [...new Set(nodes.map((node) => node.depth))].sort((a, b) => a - b);
  const all = depths.map((depth) => nodes.flatMap((node, ix) => (node.depth === depth ? [ix] : [])));
  const beside = nodes.map(() => []);
  for (const [from, to] of edges) {
    beside[from].push(to);
    beside[to].push(from);
  }
  const position = new Map(all.flatMap((layer) => layer.map((ix, y) => [ix, y - (layer.length - 1) / 2])));
  const own = depths.indexOf(0);
  const order = depths.map((_, x) => x).sort((a, b) => Math.abs(a - own) - Math.abs(b - own));
  for (let round = 0; round < 3; round += 1) {
    for (const x of order) {
      const middle = (ix) => (beside[ix].length ? beside[ix].reduce((sum, other) => sum + position.get(other), 0) / beside[ix].length : position.get(ix));
      const middles = new Map(all[x].map((ix) => [ix, middle(ix)]));
      all[x].sort((a, b) => middles.get(a) - middles.get(b) || (nodes[a].name < nodes[b].name ? -1 : 1));
      all[x].forEach((ix, y) => position.set(ix, y - (all[x].length - 1) / 2));
    }
  }
  return all;
}

function wire(from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
  return svg("path", { class: "wire", d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
}

function box(node, { x, y }) {
  const [hue, sign, word] = stateOf(node.state);
  const name = node.name.length > CHARS ? `${node.name.slice(0, 9)}…${node.name.slice(10 - CHARS)}` : node.name;
  const text = (dy, content, kind) => {
    const element = svg("text", { x: x + 10, y: y + dy, class: kind });
    element.textContent = content;
    return element;
  };
  const hint = svg("title");
  hint.textContent = node.name;
  return svg(
    "a",
    { href: href("partition", { ref: node.name }), class: `s-${hue}${node.depth === 0 ? " own" : ""}`, "aria-label": `${node.name}: ${word}` },
    hint,
    svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 8 }),
    text(18, name, "label"),
    text(35, `${sign} ${word}`, "word"),
  );
}
