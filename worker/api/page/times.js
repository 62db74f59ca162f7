// Durations and moments in words.

const UNITS = [["y", 31_536_000], ["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

/** Seconds as their two largest units: `6 y 3 d`, `4 min 10 s`; tenths below ten seconds. */
export function age(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  let left = Math.round(seconds);
  const first = UNITS.findIndex(([, size]) => left >= size);
  const parts = [];
  for (const [unit, size] of UNITS.slice(first, first + 2)) {
    if (Math.floor(left / size)) parts.push(`${Math.floor(left / size)} ${unit}`);
    left %= size;
  }
  return parts.join(" ");
}

/** A moment (Date, or what one is made of) as ISO 8601 with its zone, to the second. */
export const moment = (given) => `${new Date(given).toISOString().slice(0, 19)}Z`;
