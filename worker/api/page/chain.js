// The chain as a graph, a row a type, and what each step changes as tables.

import { make, table } from "./lanes.js";

const WIDTH = 110, HEIGHT = 44, GAP = 70, LEFT = 170, ROW = 84;
const SVG = "http://www.w3.org/2000/svg";

export async function showChain(parent, source) {
  const query = `?route=${encodeURIComponent(source)}`;
  const [graph, mapping] = await Promise.all(
    ["graph", "mapping"].map((part) => fetch(`v2/chain/${part}${query}`).then((answer) => answer.json())),
  );
  parent.replaceChildren(draw(graph), ...mapping.hops.map(hop));
}

function draw({ nodes, edges }) {
  const types = [...new Set(nodes.map((node) => node.event_type))];
  const places = new Map();
  const columns = columnsOf(nodes, edges);
  for (const node of nodes) {
    places.set(node.id, [LEFT + columns.get(node.id) * (WIDTH + GAP), types.indexOf(node.event_type) * ROW + 20]);
  }
  const width = LEFT + (Math.max(...columns.values()) + 1) * (WIDTH + GAP);
  const svg = element("svg", { viewBox: `0 0 ${width} ${types.length * ROW}`, width, role: "img" });
  const told = edges.map((edge) => `${edge.source} to ${edge.target}`).join(", ");
  svg.append(element("title", {}, `The chain's versions and steps: ${told}`));
  const marker = element("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" });
  marker.append(element("path", { d: "M0 0 L8 4 L0 8 z" }));
  svg.append(marker);
  types.forEach((type, row) => svg.append(element("text", { x: 0, y: row * ROW + 47 }, type)));
  for (const edge of edges) svg.append(line(places.get(edge.source), places.get(edge.target), edge));
  for (const node of nodes) svg.append(...box(node, places.get(node.id)));
  const scroll = make("div", undefined, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "the chain as a graph");
  scroll.append(svg);
  return scroll;
}

/** Each version stands behind all that lead to it, and behind the ones before it in its own row. */
function columnsOf(nodes, edges) {
  const columns = new Map(nodes.map((node) => [node.id, 0]));
  const last = new Map();
  const before = edges.map((edge) => [edge.source, edge.target]);
  for (const node of nodes) {
    if (last.has(node.event_type)) before.push([last.get(node.event_type), node.id]);
    last.set(node.event_type, node.id);
  }
  for (let round = 0; round < nodes.length; round += 1) {
    for (const [source, target] of before) {
      columns.set(target, Math.max(columns.get(target), Math.min(columns.get(source) + 1, nodes.length)));
    }
  }
  return columns;
}

function line([x1, y1], [x2, y2], edge) {
  const [startX, startY] = y1 === y2 ? [x1 + WIDTH, y1 + HEIGHT / 2] : [x1 + WIDTH / 2, y1 + HEIGHT];
  const [endX, endY] = y1 === y2 ? [x2, y2 + HEIGHT / 2] : [x2 + WIDTH / 2, y2];
  const path = element("path", {
    d: `M${startX} ${startY} C${(startX + endX) / 2} ${startY} ${(startX + endX) / 2} ${endY} ${endX} ${endY}`,
    class: edge.preview ? "preview" : "", "marker-end": "url(#tip)",
  });
  path.append(element("title", {}, `${edge.step}, way back: ${edge.way_back}`));
  return path;
}

function box(node, [x, y]) {
  const current = node.marks.includes("current") ? "current" : "";
  return [
    element("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 6, class: current }),
    element("text", { x: x + 10, y: y + 19 }, node.version || "no version"),
    element("text", { x: x + 10, y: y + 36, class: "small" }, node.marks.join(", ")),
  ];
}

function hop(given) {
  const details = make("details");
  const to = given.to_type === given.event_type ? given.to_version : `${given.to_type} ${given.to_version}`;
  details.append(make("summary", `${given.event_type} ${given.from_version} → ${to} (${given.step})`));
  details.append(table("what the step does", [["operation"], ["way back"], ["why"]], given.changes.map((change) => [
    `${"\u00a0\u00a0".repeat(change.depth)}${change.text}`, change.way_back, change.why,
  ]), `what ${given.step} does`));
  return details;
}

function element(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
