// Replays and redrives: how far they are, how long they take yet, and their dead letters by fault.

import { make, table } from "./lanes.js";
import { age, moment } from "./times.js";

const seen = new Map(); // replay id -> [time, offsets done] when first seen running, for the time left

export async function showRuns(parent) {
  const answer = await fetch("v2/runs?limit=10");
  if (!answer.ok) {
    parent.replaceChildren(make("p", "The ledger does not answer.", "warn"));
    return;
  }
  const { runs } = await answer.json();
  if (!runs.length) {
    parent.replaceChildren(make("p", "None in the ledger.", "soft"));
    return;
  }
  const details = await Promise.all(runs.map((run) => fetch(`v2/runs/${run.replay_id}`).then((got) => got.json())));
  parent.replaceChildren(...details.map(show));
}

function show(run) {
  const article = make("article");
  const kind = { finished: "good", running: "warn" }[run.state] ?? "bad";
  const title = make("h3", `${run.kind} ${run.replay_id} of ${run.route} `);
  title.append(make("span", run.state, `badge ${kind}`));
  const done = sum(run.progress, (each) => each.committed - each.start);
  const all = sum(run.progress, (each) => each.end - each.start);
  const bar = make("progress");
  bar.max = Math.max(all, 1);
  bar.value = all ? done : 1;
  const label = `${done.toLocaleString("en")} of ${all.toLocaleString("en")} offsets${left(run, done, all)}`;
  bar.setAttribute("aria-label", label);
  const since = `${run.started ? ` · started ${moment(run.started)}` : ""}${interrupted(run)}`;
  article.append(title, bar, make("p", `${label}${run.reason ? ` · ${run.reason}` : ""}${since}`, "soft"));
  if (run.dead_letters.length) article.append(faults(run));
  return article;
}

function interrupted(run) {
  return run.state === "interrupted" ? ` · interrupted since ${moment(run.reported ?? run.started)}: start it again, it goes on where it was` : "";
}

function left(run, done, all) {
  if (run.state !== "running" || done >= all) return "";
  const now = Date.now() / 1000;
  const [began, before] = seen.get(run.replay_id) ?? [now, done];
  seen.set(run.replay_id, [began, before]);
  const speed = (done - before) / (now - began);
  return speed > 0 ? `, about ${age(Math.ceil((all - done) / speed))} left` : "";
}

const COLUMNS = [["fault"], ["count", "number"], ["stage"], ["error"], ["type"], ["from"], ["to"], ["step"]];

function faults({ replay_id, dead_letters }) {
  return table("its dead letters by fault", COLUMNS, dead_letters.map((each) => [
    each.fingerprint, each.count, each.stage, each.error_type, each.event_type, each.from_version, each.to_version, each.step,
  ]), `dead letters of ${replay_id}`);
}

const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
