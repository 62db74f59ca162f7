// Routes with their lanes, as tables.

import { told } from "./charts.js";

const KINDS = { running: "good", stopped: "soft", starting: "warn", draining: "warn", paused: "warn", rebuilding: "warn" };

export function make(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/** A table with a caption that scrolls by itself; cells are texts, numbers or elements. */
export function table(caption, columns, rows) {
  const scroll = make("div", undefined, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
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
  ["partition", "number"], ["state"], ["lag", "number"], ["lag, seconds", "number"], ["position", "number"],
  ["committed", "number"], ["end", "number"], ["in flight", "number"], ["why"],
];

export function showRoutes(parent, routes) {
  const parts = routes.map((route) => {
    const section = document.createDocumentFragment();
    section.append(make("h3", `${route.source} → ${route.destination}`));
    const lanes = [...route.lanes].sort((a, b) => a.partition - b.partition);
    const caption = `${lanes.length} lanes, ${route.delivery}${route.paused ? ", paused" : ""}` +
      (route.records_per_second ? `, at most ${told(route.records_per_second)} records a second` : "");
    if (route.disagreeing.length) {
      section.append(make("p", `members of the group use another chain or destination: ${route.disagreeing.join("; ")}`, "bad"));
    }
    section.append(table(caption, COLUMNS, lanes.map(row)));
    return section;
  });
  parent.replaceChildren(...parts);
}

function row(lane) {
  const state = make("span", lane.state, `badge ${KINDS[lane.state] ?? "bad"}`);
  return [
    String(lane.partition), state, lane.lag, lane.lag_seconds, text(lane.position), text(lane.committed), text(lane.end),
    lane.in_flight_records, lane.breaker || lane.reason || "",
  ];
}

const text = (offset) => (offset === null ? "–" : offset.toLocaleString("en"));
