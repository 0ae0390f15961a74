// Losses as lines over step, epoch or order of events; read by pointer, or by arrow keys.

const PLOT = { left: 58, right: 16, top: 22, bottom: 44, height: 300 };
const LINES_SHOWN = 12;
const COLORS = 6;
const POINTS_DRAWN = 1500;

function ticks(low, high, count) {
  const step = 10 ** Math.floor(Math.log10((high - low) / count || 1));
  const size = [1, 2, 5, 10].map((part) => part * step).find((part) => (high - low) / part <= count) ?? step * 10;
  const found = [];
  for (let at = Math.ceil(low / size); at * size <= high + size * 1e-9; at += 1) found.push(Number((at * size).toPrecision(12)));
  return found;
}

// The lowest and highest point of each of many short stretches: what a line of more points than pixels looks like.
function thinned(points) {
  if (points.length <= POINTS_DRAWN) return points;
  const stretch = Math.ceil(points.length / (POINTS_DRAWN / 2));
  const kept = [];
  for (let from = 0; from < points.length; from += stretch) {
    const part = points.slice(from, from + stretch);
    const low = part.reduce((best, point) => (point[1] < best[1] ? point : best));
    const high = part.reduce((best, point) => (point[1] > best[1] ? point : best));
    kept.push(...[low, high].sort((a, b) => part.indexOf(a) - part.indexOf(b)).filter((point, place) => !place || point !== low || low !== high));
  }
  return kept;
}

// Lines with names of what tells them apart, a colour for what is trained and a dash for what is measured.
function named(lines) {
  const fields = ["experiment", "stage", "model"].filter((field) => new Set(lines.map((each) => each[field])).size > 1);
  const owners = new Map();
  return lines.map((each, place) => {
    const parts = [...new Set(fields.map((field) => each[field] ?? `no ${field}`))];
    const owner = parts.join(" · ");
    if (!owners.has(owner)) owners.set(owner, owners.size);
    const color = owners.get(owner);
    const dash = each.measure.includes("first and last") ? "dotted" : each.measure.startsWith("loss") ? "solid" : "dashed";
    const name = [...parts, each.measure].join(" · ");
    return { ...each, place, name, style: `s${color % COLORS} ${dash}`, isOn: color < COLORS && place < LINES_SHOWN };
  });
}

class LossChart {
  constructor(unit, lines, view) {
    this.view = view;
    this.unit = unit;
    this.lines = named(lines);
    this.every = this.lines.map((each) => each.points);
    this.at = { line: 0, point: -1 };
    const title = { step: "by step", epoch: "by epoch", event: "by event, in their order" }[unit];
    this.drawing = svg("svg", { class: "plot", tabindex: "0", role: "application", "aria-roledescription": "line chart", "aria-label": `Loss ${title}: left and right walk along a line, up and down change the line, Enter shows the event` });
    this.readout = el("p", { class: "readout", "aria-live": "polite" });
    this.toggles = el("ul", { class: "toggles" }, this.lines.map((each) => el("li", {}, this.toggle(each))));
    const notes = [];
    const left = lines.reduce((sum, each) => sum + each.left_out, 0);
    if (left) notes.push(`${plural(left, "loss", "losses")} ${left === 1 ? "is" : "are"} no finite number and not drawn.`);
    const on = this.lines.filter((each) => each.isOn).length;
    if (on < lines.length) notes.push(`${on} of ${lines.length} lines are drawn to begin with; press a name to draw or hide its line.`);
    this.element = el("figure", { class: "panel" }, el("h2", {}, `Loss ${title}`), this.toggles, this.drawing, this.readout, notes.length ? el("figcaption", {}, notes.join(" ")) : null);
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.listen();
  }

  toggle(each) {
    const sample = svg("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, this.sample(each));
    const press = (event) => {
      each.isOn = !each.isOn;
      event.currentTarget.setAttribute("aria-pressed", String(each.isOn));
      this.draw();
    };
    return el("button", { type: "button", class: "toggle", "aria-pressed": String(each.isOn), onclick: press }, sample, line("span", {}, each.name));
  }

  sample(each) {
    return each.points.length === 1 ? svg("circle", { cx: 15, cy: 5, r: 4, class: `dot ${each.style}` }) : svg("path", { d: "M0 5H30", class: `curve ${each.style}` });
  }

  // Only the points of events that the filters let through.
  show(indices) {
    const shown = new Set(indices);
    this.lines.forEach((each, place) => (each.points = this.every[place].filter((point) => shown.has(point[2]))));
    this.at.point = -1;
    this.draw();
  }

  draw() {
    const width = Math.max(280, this.element.clientWidth);
    if (!this.element.clientWidth) return;
    const drawn = this.lines.filter((each) => each.isOn && each.points.length);
    const points = drawn.flatMap((each) => each.points);
    const { height, left, right, top, bottom } = PLOT;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.setAttribute("height", height);
    const bounds = (place) => points.reduce(([low, high], point) => [Math.min(low, point[place]), Math.max(high, point[place])], [Infinity, -Infinity]);
    let [x0, x1] = points.length ? bounds(0) : [0, 1];
    let [y0, y1] = points.length ? bounds(1) : [0, 1];
    if (x0 === x1) [x0, x1] = [x0 - 1, x1 + 1];
    this.isLog = y0 > 0 && y1 / y0 > 50;
    if (!this.isLog) {
      y0 = Math.min(0, y0);
      y1 = y1 === y0 ? y0 + 1 : y1 + (y1 - y0) * 0.05;
    }
    const scaled = (value) => (this.isLog ? Math.log10(value) : value);
    const [low, high] = this.isLog ? [Math.log10(y0) - 0.05, Math.log10(y1) + 0.05] : [y0, y1];
    this.x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
    this.y = (value) => height - bottom - ((scaled(value) - low) / (high - low)) * (height - top - bottom);
    const yTicks = this.isLog ? this.logTicks(y0, y1) : ticks(y0, y1, 5);
    const xTicks = ticks(x0, x1, width < 500 ? 4 : 8).filter((tick) => Number.isInteger(tick) || x1 - x0 < 2).filter((tick) => this.unit === "step" || Number.isInteger(tick));
    this.cross = svg("circle", { class: "cross", r: 7, cx: -20, cy: -20 });
    this.drawing.replaceChildren(
      svg("text", { class: "axis-title", x: 4, y: 12 }, `loss${this.isLog ? ", log scale" : ""}`),
      ...yTicks.flatMap((tick) => [svg("line", { class: "grid", x1: left, x2: width - right, y1: this.y(tick), y2: this.y(tick) }), svg("text", { class: "tick", x: left - 8, y: this.y(tick) + 4, "text-anchor": "end" }, measured(tick))]),
      ...xTicks.flatMap((tick) => [svg("line", { class: "axis", x1: this.x(tick), x2: this.x(tick), y1: height - bottom, y2: height - bottom + 5 }), svg("text", { class: "tick", x: this.x(tick), y: height - bottom + 19, "text-anchor": "middle" }, measured(tick))]),
      svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      svg("text", { class: "axis-title", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, this.unit === "event" ? "event, in their order" : this.unit),
      ...drawn.flatMap((each) => this.series(each)),
      this.cross,
    );
    this.point();
  }

  logTicks(low, high) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const part of high / low > 1000 ? [1] : [1, 3]) {
        const tick = Number((part * 10 ** power).toPrecision(3));
        if (tick >= low * 0.89 && tick <= high * 1.12) found.push(tick);
      }
    }
    return found;
  }

  series(each) {
    const points = thinned(each.points);
    const path = points.map(([x, y], place) => `${place ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`).join("");
    const dots = points.length > 60 ? [] : points.map(([x, y]) => svg("circle", { class: `dot ${each.style}`, cx: this.x(x), cy: this.y(y), r: points.length > 30 ? 2 : 3.5 }));
    return [points.length > 1 ? svg("path", { class: `curve ${each.style}`, d: path }) : null, ...dots].filter(Boolean);
  }

  listen() {
    this.drawing.addEventListener("pointermove", (pointer) => {
      const box = this.drawing.getBoundingClientRect();
      const [x, y] = [pointer.clientX - box.left, pointer.clientY - box.top];
      let best = Infinity;
      for (const each of this.lines.filter((other) => other.isOn)) {
        each.points.forEach((point, place) => {
          const far = Math.abs(this.x(point[0]) - x) + Math.abs(this.y(point[1]) - y) * 0.5;
          if (far < best) [best, this.at] = [far, { line: each.place, point: place }];
        });
      }
      this.point();
    });
    this.drawing.addEventListener("click", () => this.open());
    this.drawing.addEventListener("keydown", (press) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity, PageUp: 10, PageDown: -10 };
      if (press.key in steps) this.step(steps[press.key]);
      else if (press.key === "ArrowDown" || press.key === "ArrowUp") this.change(press.key === "ArrowDown" ? 1 : -1);
      else if (press.key === "Enter") this.open();
      else return;
      press.preventDefault();
      press.stopPropagation();
    });
  }

  step(by) {
    const on = this.lines.filter((each) => each.isOn && each.points.length);
    if (!on.length) return;
    if (!on.some((each) => each.place === this.at.line)) this.at = { line: on[0].place, point: -1 };
    this.at.point = Math.min(this.lines[this.at.line].points.length - 1, Math.max(0, this.at.point + by));
    this.point();
  }

  change(by) {
    const on = this.lines.filter((each) => each.isOn && each.points.length);
    if (!on.length) return;
    const place = on.findIndex((each) => each.place === this.at.line);
    const next = on[(place + by + on.length) % on.length];
    this.at = { line: next.place, point: Math.max(0, Math.min(this.at.point, next.points.length - 1)) };
    this.point();
  }

  open() {
    const point = this.lines[this.at.line]?.points[this.at.point];
    if (point) this.view.jump(point[2]);
  }

  point() {
    const each = this.lines[this.at.line];
    const point = each?.isOn ? each.points[this.at.point] : undefined;
    if (!point) {
      this.readout.replaceChildren(el("span", { class: "hint" }, "Point at a line, or focus the chart and use the arrow keys; Enter shows the event."));
      return;
    }
    this.cross.setAttribute("cx", this.x(point[0]));
    this.cross.setAttribute("cy", this.y(point[1]));
    this.readout.replaceChildren(line("span", {}, `${each.name}: ${measured(point[1])} at ${this.unit} ${measured(point[0])} (event ${whole(point[2] + 1)})`));
  }
}

// A chart for every unit in which losses are placed.
class Losses {
  constructor(pane, view) {
    const found = (unit) => chain.lines.filter((each) => each.unit === unit);
    this.charts = ["step", "epoch", "event"].filter((unit) => found(unit).length).map((unit) => new LossChart(unit, found(unit), view));
    pane.append(...this.charts.map((chart) => chart.element));
  }

  show(indices) {
    for (const chart of this.charts) chart.show(indices);
  }
}
