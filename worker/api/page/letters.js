// Dead letters as they stand in the topic: groups of one fault each, one letter with its trace, and redrives of groups.

import { make, table } from "./lanes.js";
import { askFor, token } from "./operate.js";
import { moment } from "./times.js";

const at = (id) => document.getElementById(id);
const COLUMNS = [["fault"], ["what to do"], ["letters", "number"], ["left", "number"], ["type and versions"], ["step"], ["last seen"], ["look at"], ["redrive"]];
let listed = null; // the route whose groups are shown

/** The routes to choose from, as `operate.js` has them. */
export function offerLetters(sources) {
  const list = at("letters-route");
  if ([...list.options].map((option) => option.value).join() === sources.join()) return;
  const chosen = list.value;
  list.replaceChildren(...sources.map((source) => new Option(source)));
  if (sources.includes(chosen)) list.value = chosen;
}

async function list() {
  listed = at("letters-route").value;
  at("letter").replaceChildren();
  at("letters").replaceChildren(make("p", "reading the dead-letter topic …", "soft"));
  const answer = await ask(`v2/dead-letters?route=${encodeURIComponent(listed)}`);
  if (answer.problem) at("letters").replaceChildren(make("p", answer.problem, "bad"));
  else at("letters").replaceChildren(groups(answer));
}

function groups({ topic, records, made, groups }) {
  if (!groups.length) return make("p", `${topic} is empty.`, "soft");
  const caption = `${records.toLocaleString("en")} records in ${topic}, read ${moment(made)}`;
  return table(caption, COLUMNS, groups.map(row), `dead letters in ${topic}`);
}

function row(group) {
  const ours = /^[0-9a-f]{16}$/.test(group.fingerprint);
  return [
    [group.fingerprint || "not of this worker", [group.stage, group.error_type].filter(Boolean).join(" ")].filter(Boolean).join(": "),
    runbook(group), group.records, group.fingerprint ? group.left : "–", way(group), group.step || "–",
    group.last_seen < 0 ? "–" : moment(group.last_seen), places(group), ours && group.left ? redrive(group) : "–",
  ];
}

function way({ event_type, from_version, to_version }) {
  return [event_type, [from_version, to_version].filter(Boolean).join(" → ")].filter(Boolean).join(" ") || "–";
}

function runbook({ error_type, fingerprint }) {
  const link = make("a", (fingerprint && error_type) || "any dead letter");
  link.href = `runbook/${encodeURIComponent((fingerprint && error_type) || "any")}?fingerprint=${encodeURIComponent(fingerprint)}`;
  return link;
}

function places({ samples }) {
  const found = make("span");
  for (const { partition, offset } of samples) {
    const button = make("button", `${partition}:${offset}`);
    button.type = "button";
    button.setAttribute("aria-label", `${partition}:${offset}, look at this dead letter`);
    button.addEventListener("click", () => look(partition, offset));
    found.append(button, " ");
  }
  return found;
}

function redrive(group) {
  const button = make("button", "Redrive …");
  button.type = "button";
  button.setAttribute("aria-label", `Redrive … ${group.left} letters of ${group.fingerprint}`);
  const source = listed;
  button.addEventListener("click", () => askFor({
    question: (rate) => `Redrive the ${group.left.toLocaleString("en")} letters of ${source} with the fault ${group.fingerprint}` +
      `${rate ? `, at most ${rate} a second` : ""}? Their records go through the chain and to the destination.`,
    path: "v2/dead-letters/redrive",
    query: { route: source },
    body: (rate) => ({ fingerprint: group.fingerprint, records_per_second: rate }),
    done: (told) => `${told.letters.toLocaleString("en")} letters of ${source} go to ${told.destination}: redrive ${told.replay_id}` +
      ["", ...told.warnings].join("; warning: "),
    back: button,
  }));
  return button;
}

async function look(partition, offset) {
  const answer = await ask(`v2/dead-letters/${partition}/${offset}?route=${encodeURIComponent(listed)}`, token());
  at("letter").replaceChildren(...(answer.problem ? [make("p", answer.problem, "bad")] : letter(answer)));
  at("letter").focus();
}

function letter(told) {
  const { place, now, recorded, content } = told;
  const facts = {
    "came from": told.from_topic ? `${told.from_topic} partition ${told.from_partition ?? "–"}, offset ${told.from_offset ?? "–"}` : "unknown",
    "dead since": told.buried < 0 ? "unknown" : moment(told.buried),
    "record of": told.timestamp < 0 ? "unknown" : moment(told.timestamp),
    redriven: `${told.rounds} times`,
    fault: [told.fingerprint, told.stage, told.error_type].filter(Boolean).join(" ") || "unknown: this worker did not write it",
    "type and versions": way(told),
    step: told.step || "–",
    bytes: told.value_bytes === null ? "none, a tombstone" : told.value_bytes.toLocaleString("en"),
    ...(recorded ? { message: recorded.message || "–" } : {}),
  };
  const parts = [make("h3", `${told.topic} partition ${place.partition}, offset ${place.offset}`), list_of(facts)];
  if (recorded?.trace) parts.push(make("h4", "Trace of then"), block(recorded.trace, "trace of then"));
  if (content) parts.push(make("h4", "Record"), list_of({ key: content.key ?? "null", ...headers(content) }), block(content.value ?? "null", "value"));
  if (now) parts.push(make("h4", "With the chain of this worker"), ...hops(now));
  if (told.withheld) parts.push(make("p", `Not shown: ${told.withheld}.`, "soft"));
  return parts;
}

const headers = ({ headers }) => Object.fromEntries(headers.map(({ name, value }) => [`header ${name}`, value ?? "null"]));

function hops(now) {
  const made = make("ol");
  for (const hop of now.hops) {
    const to = hop.to_type === hop.event_type ? hop.to_version : `${hop.to_type} ${hop.to_version}`;
    const item = make("li", `${hop.event_type} ${hop.from_version} → ${to} (${hop.step})`);
    if (hop.diff?.length) item.append(block(hop.diff.join("\n"), `what ${hop.step} changes`));
    made.append(item);
  }
  const fault = now.error_type ? `: ${[now.stage, now.step, now.error_type, now.message].filter(Boolean).join(": ")}` : "";
  return [now.hops.length ? made : make("p", "No step was taken.", "soft"), make("p", `now: ${now.outcome}${fault}`, now.error_type ? "bad" : "good")];
}

function list_of(facts) {
  const made = make("dl", undefined, "facts");
  for (const [name, value] of Object.entries(facts)) {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", value));
    made.append(pair);
  }
  return made;
}

/** Text as it is; scrolls by itself, also by keyboard. */
function block(text, label) {
  const made = make("pre", text);
  made.tabIndex = 0;
  made.setAttribute("role", "region");
  made.setAttribute("aria-label", label);
  return made;
}

async function ask(path, secret = "") {
  try {
    const answer = await fetch(path, secret ? { headers: { authorization: `Bearer ${secret}` } } : {});
    const told = await answer.json();
    return answer.ok ? told : { problem: `${told.detail} (${told.code})` };
  } catch {
    return { problem: "the worker does not answer" };
  }
}

at("letters-list").addEventListener("click", list);
