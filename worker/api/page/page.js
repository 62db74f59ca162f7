// Joins the parts: status by server-sent events, counters by reading the metrics, replays and the chain by the API.

import { Chart, told } from "./charts.js";
import { showChain } from "./chain.js";
import { make, showRoutes, table } from "./lanes.js";
import { lastBound, pairs, parse, quantile, rates, sums, total } from "./metrics.js";
import { offerLetters } from "./letters.js";
import { offer } from "./operate.js";
import { showRuns } from "./runs.js";
import { age, moment } from "./times.js";

const METRICS_EVERY = 2_000, RUNS_EVERY = 5_000, STATUS_EVERY = 2_000;
const FATES = { upcast: "upcast", passed: "passed", skipped: "skipped", dead_lettered: "dead-lettered" };
const at = (id) => document.getElementById(id);

const NOTHING = "No record in these five minutes.";
let longest = 0; // the last bound of the latency's buckets, in seconds

const charts = {
  throughput: new Chart(at("charts"), "Records a second, by what became of them", "/s", 1, NOTHING),
  latency: new Chart(at("charts"), "From a record's timestamp to its commit", "s", 0.1, NOTHING, latencyText),
  versions: new Chart(at("charts"), "What arrives, by type and version", "/s", 1, NOTHING),
  lag: new Chart(at("charts"), "Records that wait", "records", 10, "No record waits."),
};

function latencyText(seconds) {
  return seconds === Infinity ? `more than ${age(longest)}` : age(seconds);
}

const STALE_AFTER = 10_000;
const ICONS = { good: "#1a7f37", warn: "#bf8700", bad: "#cf222e" };
let heard = Date.now();

/** What a tab shows while another one is looked at. */
function announce(kind, words) {
  document.title = `${kind === "good" ? "" : "● "}${words} · upcast worker`;
  const circle = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${ICONS[kind]}"/></svg>`;
  at("icon").href = `data:image/svg+xml,${encodeURIComponent(circle)}`;
}

/** What is old looks old, and says since when. */
function showStaleness() {
  const stale = Date.now() - heard > STALE_AFTER;
  document.body.classList.toggle("stale", stale);
  at("stale").textContent = stale ? `nothing heard from the worker since ${moment(heard)}: what stands here is of then` : "";
  if (stale) announce("bad", "no answer");
}
let chainOf = "";

function showStatus(status) {
  const lanes = status.routes.flatMap((route) => route.lanes);
  const held = lanes.filter((lane) => lane.state !== "running");
  const [reason, ...more] = status.why_not_ready;
  const state = reason
    ? `not ready: ${reason}${more.length ? `, and ${more.length} more` : ""}`
    : `${status.state}: ${lanes.length - held.length} of ${lanes.length} lanes running`;
  if (at("state").textContent !== state) at("state").textContent = state;
  const kind = reason ? "bad" : held.length ? "warn" : "good";
  at("state").className = kind;
  heard = Date.now();
  showStaleness();
  announce(kind, reason ? "not ready" : held.length ? `${held.length} of ${lanes.length} lanes do not run` : "ready");
  facts({ version: status.version, group: status.consumer_group });
  showRoutes(at("routes"), status.routes);
  const sources = status.routes.map((route) => route.source);
  offer(sources);
  offerLetters(sources);
  const first = status.routes[0];
  if (first && chainOf !== first.fingerprint) {
    chainOf = first.fingerprint;
    showChain(at("chain"), first.source).catch(() => (chainOf = ""));
  }
}

function facts(given) {
  at("facts").replaceChildren(...Object.entries(given).map(([name, value]) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", value));
    return pair;
  }));
}

function follow() {
  const stream = new EventSource("v2/stream");
  stream.onmessage = (message) => showStatus(JSON.parse(message.data));
  stream.onerror = () => {
    at("state").textContent = "no connection to the worker";
    at("state").className = "bad";
    // Where there is no stream (several processes, or too many pages), the status is asked for.
    if (stream.readyState === EventSource.CLOSED) every(STATUS_EVERY, async () => showStatus(await json("v2/status")));
  };
}

let before = null;

async function readMetrics() {
  const answer = await fetch("metrics");
  const now = { time: Date.now() / 1000, metrics: parse(await answer.text()) };
  if (before) showMetrics(now, before);
  before = now;
}

function showMetrics(now, earlier) {
  const seconds = Math.max(now.time - earlier.time, 0.001);
  const change = (name, label) => rates(sums(now.metrics, name, label), sums(earlier.metrics, name, label), seconds);
  const fates = new Map(Object.entries(FATES).map(([name, label]) => [
    label, change(`upcaster_records_${name}_total`).get("") ?? 0,
  ]));
  charts.throughput.add(now.time, fates);
  const buckets = (of) => sums(of.metrics, "upcaster_record_e2e_latency_seconds_bucket", "le");
  longest = lastBound(buckets(now));
  const latency = new Map([["p50", 0.5], ["p99", 0.99]].map(([label, share]) => [
    label, quantile(buckets(now), buckets(earlier), share),
  ]));
  charts.latency.add(now.time, latency);
  const byVersion = (of) => pairs(of.metrics, "upcaster_upcasts_total", "event_type", "from_version");
  charts.versions.add(now.time, rates(byVersion(now), byVersion(earlier), seconds).set("current or passed", fates.get("passed")));
  charts.lag.add(now.time, new Map([["waiting", total(now.metrics, "upcaster_consumer_lag")]]));
  showNumbers(now.metrics, fates);
  showDeadLetters(now.metrics);
}

function showNumbers(metrics, fates) {
  const lag = [...(metrics.get("upcaster_consumer_lag_seconds") ?? [])].map((sample) => sample.value);
  const a_second = [...fates.values()].reduce((sum, rate) => sum + rate, 0);
  const numbers = {
    "records a second": told(a_second),
    "records wait": told(total(metrics, "upcaster_consumer_lag")),
    "behind, at most": lag.length ? age(Math.max(...lag)) : "–",
    "records done": told(total(metrics, "upcaster_records_consumed_total")),
    "dead letters": told(total(metrics, "upcaster_records_dead_lettered_total")),
    "MB of memory": told(total(metrics, "process_resident_memory_bytes") / 1e6),
  };
  at("numbers").replaceChildren(...Object.entries(numbers).map(([name, value]) => {
    const item = make("li");
    item.append(make("b", value), make("span", name));
    return item;
  }));
}

const FAULTS = [["topic"], ["stage"], ["error"], ["count", "number"]];

function showDeadLetters(metrics) {
  const samples = metrics.get("upcaster_records_dead_lettered_total") ?? [];
  const rows = samples.filter((sample) => sample.value).sort((a, b) => b.value - a.value);
  at("dead").replaceChildren(rows.length
    ? table("by stage and error", FAULTS, rows.map(({ labels, value }) => [
      labels.topic, labels.stage, labels.error_type, value,
    ]))
    : make("p", "None.", "soft"));
}

const json = async (path) => (await fetch(path)).json();

/** Call again and again while the page is looked at; one that fails is tried again. */
function every(milliseconds, work) {
  const again = async () => {
    if (document.visibilityState === "visible") await work().catch(() => undefined);
    setTimeout(again, milliseconds);
  };
  again();
}

follow();
setInterval(showStaleness, 1_000);
every(METRICS_EVERY, readMetrics);
every(RUNS_EVERY, () => showRuns(at("runs")));
