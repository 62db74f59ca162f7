// Live charts of the last five minutes. Lines differ by dash as well as by colour; the latest values stand below as text.

const POINTS = 150, SECONDS = 300;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const LIGHT = ["#0550ae", "#116329", "#a40e26", "#7d4e00", "#6639ba", "#0a6b75"];
const DARK = ["#79c0ff", "#56d364", "#ff7b72", "#e3b341", "#d2a8ff", "#56d4dd"];
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Chart {
  /**
   * `least` is the smallest height of the scale, so that next to nothing looks like next to nothing. `empty` says why
   * there is nothing to draw, `say` makes a text of a value.
   */
  constructor(parent, title, unit, least, empty, say = told) {
    this.unit = unit;
    this.empty = empty;
    this.say = say;
    this.least = least;
    this.names = [];
    this.times = [];
    this.values = [];
    this.figure = document.createElement("figure");
    this.caption = document.createElement("figcaption");
    this.caption.textContent = title;
    this.drawing = document.createElement("div");
    this.drawing.setAttribute("aria-hidden", "true");
    this.latest = document.createElement("p");
    this.latest.className = "soft";
    this.figure.append(this.caption, this.drawing, this.latest);
    parent.append(this.figure);
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.figure);
    dark.addEventListener("change", () => this.draw());
  }

  size() {
    return { width: Math.max(240, this.figure.clientWidth - 24), height: 180 };
  }

  /** Add one reading: a time in seconds, and a value for each name; null where there is none. */
  add(time, values) {
    const added = [...values.keys()].filter((name) => !this.names.includes(name));
    for (const name of added) {
      this.names.push(name);
      this.values.push(this.times.map(() => null));
    }
    this.times.push(time);
    this.names.forEach((name, place) => this.values[place].push(values.get(name) ?? null));
    if (this.times.length > POINTS) for (const list of [this.times, ...this.values]) list.shift();
    if (added.length || !this.plot) this.draw();
    else this.plot.setData([this.times, ...this.values]);
    const nothing = !this.values.some((list) => list.some((value) => value !== null && value !== 0));
    this.latest.textContent = nothing ? this.empty : this.names.map((name) => `${name}: ${this.text(values.get(name))}`).join(", ");
  }

  text(value) {
    return this.say === told ? `${told(value)} ${this.unit}` : this.say(value);
  }

  draw() {
    if (!this.names.length) return;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const [front, line] = [style.getPropertyValue("--front"), style.getPropertyValue("--line")];
    const colours = dark.matches ? DARK : LIGHT;
    const axis = { stroke: front, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
    const series = this.names.map((label, place) => ({
      label,
      stroke: colours[place % colours.length],
      dash: DASHES[place % DASHES.length],
      width: 2,
      points: { show: false },
      value: (_, value) => (value === null ? "–" : this.text(value)),
    }));
    const options = {
      ...this.size(),
      series: [{ label: "UTC", value: "{YYYY}-{MM}-{DD}T{HH}:{mm}:{ss}Z" }, ...series],
      axes: [{ ...axis, values: "{HH}:{mm}Z", size: 32 }, { ...axis, size: 64 }],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: {
        x: { range: (_, first, last) => [last - SECONDS, last] },
        y: { range: (_, low, high) => [0, Math.max(high || 0, this.least) * 1.1] },
      },
      cursor: { y: false },
    };
    this.plot = new uPlot(options, [this.times, ...this.values], this.drawing);
  }
}

export function told(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return "over the last bound";
  return new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value);
}
