// Reads Prometheus text, and makes rates and quantiles out of two readings.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Prometheus text -> Map of name -> list of {labels, value}. */
export function parse(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const parts = LINE.exec(line);
    if (!parts) continue;
    const labels = {};
    for (const [, name, value] of (parts[2] ?? "").matchAll(LABEL)) labels[name] = unescaped(value);
    const samples = found.get(parts[1]) ?? [];
    samples.push({ labels, value: Number(parts[3]) });
    found.set(parts[1], samples);
  }
  return found;
}

function unescaped(text) {
  return text.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
}

/** The sum of a metric, by the value of one label, or as one number under "". */
export function sums(metrics, name, label) {
  const result = new Map();
  for (const { labels, value } of metrics.get(name) ?? []) {
    const key = label === undefined ? "" : labels[label];
    result.set(key, (result.get(key) ?? 0) + value);
  }
  return result;
}

/** The sum of a metric by the values of two labels, joined by a space. */
export function pairs(metrics, name, first, second) {
  const result = new Map();
  for (const { labels, value } of metrics.get(name) ?? []) {
    const key = `${labels[first]} ${labels[second] || "without version"}`.trim();
    result.set(key, (result.get(key) ?? 0) + value);
  }
  return result;
}

/** The largest finite bound of a histogram's buckets, in seconds. */
export const lastBound = (buckets) => Math.max(0, ...[...buckets.keys()].map(Number).filter(Number.isFinite));

export const total = (metrics, name) => sums(metrics, name).get("") ?? 0;

/** What was added a second between two readings; a worker that has started anew begins at 0. */
export function rates(now, before, seconds) {
  const result = new Map();
  for (const [key, value] of now) {
    const earlier = before.get(key) ?? 0;
    result.set(key, (value >= earlier ? value - earlier : value) / seconds);
  }
  return result;
}

/**
 * A quantile of what a histogram has counted between two readings, in seconds: the bound of its bucket; Infinity beyond
 * the last one.
 */
export function quantile(now, before, share) {
  const bounds = [...rates(now, before, 1)]
    .map(([bound, count]) => [bound === "+Inf" ? Infinity : Number(bound), count])
    .sort((a, b) => a[0] - b[0]);
  const all = bounds.at(-1)?.[1] ?? 0;
  return all > 0 ? bounds.find(([, count]) => count >= share * all)[0] : null;
}
