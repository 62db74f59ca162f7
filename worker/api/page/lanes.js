// Routes with their lanes, as tables: what is wrong or slowest first, the rest folded.

import { told } from "./charts.js";
import { age, moment } from "./times.js";

const KINDS = { running: "good", stopped: "soft", starting: "warn", draining: "warn", paused: "warn", rebuilding: "warn" };

export function make(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/** A table with a caption that scrolls by itself; cells are texts, numbers or elements. No two have the same `label`. */
export function table(caption, columns, rows, label = caption) {
  const scroll = make("div", undefined, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", label);
  const made = make("table");
  made.append(make("caption", caption));
  const head = made.createTHead().insertRow();
  for (const [name, kind] of columns) {
    const cell = make("th", name, kind);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value, place) => {
      const cell = make("td", undefined, columns[place][1]);
      cell.append(value instanceof Node ? value : typeof value === "number" ? told(value) : value ?? "–");
      line.append(cell);
    });
  }
  scroll.append(made);
  return scroll;
}

const COLUMNS = [
  ["partition", "number"], ["state"], ["lag", "number wide"], ["behind", "number"], ["position", "number wide"],
  ["committed", "number wide"], ["end", "number wide"], ["in flight", "number wide"], ["why"],
];
const SHOWN = 8; // of a route; what is wrong is shown whatever its number
const RANKS = ["blocked", "breaker-open", "rebuilding", "paused", "starting", "draining", "stopped", "running"];
const opened = new Map(); // source -> whether the rest is unfolded, and by what it is filtered

export function showRoutes(parent, routes) {
  const parts = routes.map((route) => {
    const section = document.createDocumentFragment();
    section.append(make("h3", `${route.source} → ${route.destination}`));
    const lanes = [...route.lanes].sort(worstFirst);
    const caption = `${lanes.length} ${lanes.length === 1 ? "lane" : "lanes"}, ${route.delivery}${route.paused ? ", paused" : ""}` +
      (route.records_per_second ? `, at most ${told(route.records_per_second)} records a second` : "");
    if (route.disagreeing.length) {
      section.append(make("p", `members of the group use another chain or destination: ${route.disagreeing.join("; ")}`, "bad"));
    }
    const wrong = lanes.filter((lane) => lane.state !== "running" || lane.reason).length;
    const shown = Math.max(SHOWN, wrong);
    section.append(table(caption, COLUMNS, lanes.slice(0, shown).map(row), `lanes of ${route.source}`));
    if (lanes.length > shown) section.append(folded(route.source, lanes.slice(shown)));
    return section;
  });
  const focused = parent.contains(document.activeElement) ? document.activeElement.id : "";
  parent.replaceChildren(...parts);
  if (focused) document.getElementById(focused)?.focus();
}

const rank = (lane) => RANKS.indexOf(lane.state) - (lane.reason ? 0.5 : 0);

function worstFirst(a, b) {
  return rank(a) - rank(b) || (b.lag_seconds ?? 0) - (a.lag_seconds ?? 0) || (b.lag ?? 0) - (a.lag ?? 0) ||
    a.partition - b.partition;
}

/** The other lanes, which run; the page is drawn again each second, and remembers what was unfolded. */
function folded(source, lanes) {
  const memory = opened.get(source) ?? { open: false, filter: "" };
  opened.set(source, memory);
  const details = make("details");
  const id = `rest-${source}`;
  details.open = memory.open;
  const summary = make("summary", `${lanes.length} more lanes, all running`);
  summary.id = `${id}-summary`;
  const place = make("div");
  const draw = () => {
    const kept = lanes.filter((lane) => !memory.filter || String(lane.partition).startsWith(memory.filter));
    place.replaceChildren(table(`${kept.length} of ${lanes.length}`, COLUMNS, kept.map(row), `more lanes of ${source}`));
  };
  const label = make("label", "partition ");
  const field = make("input");
  Object.assign(field, { id, type: "search", inputMode: "numeric", value: memory.filter });
  field.addEventListener("input", () => {
    memory.filter = field.value.trim();
    draw();
  });
  label.append(field);
  details.addEventListener("toggle", () => {
    memory.open = details.open;
    if (memory.open) draw();
  });
  if (memory.open) draw();
  details.append(summary, label, place);
  return details;
}

function row(lane) {
  const state = make("span", lane.state, `badge ${KINDS[lane.state] ?? "bad"}`);
  return [
    String(lane.partition), state, lane.lag, age(lane.lag_seconds), text(lane.position), text(lane.committed), text(lane.end),
    lane.in_flight_records, why(lane),
  ];
}

/** Since when, too, where it does not run. */
function why(lane) {
  const reason = lane.breaker || lane.reason || "";
  return lane.state === "running" || !lane.since ? reason : `${reason}${reason ? ", " : ""}since ${moment(lane.since)}`;
}

const text = (offset) => (offset === null ? "–" : offset.toLocaleString("en"));
