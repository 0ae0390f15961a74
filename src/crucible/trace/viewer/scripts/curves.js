// Losses as lines over step, epoch or order of events; read by pointer, or by arrow keys.

const PLOT = { left: 58, right: 16, top: 22, bottom: 44, height: 300 };

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
    const sample = svg("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, ...this.sample(each));
    const press = (event) => {
      each.isOn = !each.isOn;
      event.currentTarget.setAttribute("aria-pressed", String(each.isOn));
      this.draw();
    };
    return el("button", { type: "button", class: "toggle", "aria-pressed": String(each.isOn), onclick: press }, sample, line("span", {}, each.name));
  }

  sample(each) {
    const drawn = each.points.length > 1 ? [svg("path", { d: "M0 5H30", class: `curve ${each.style} ${each.dash}` })] : [];
    return [...drawn, dot(each, 15, 5, 3.5)];
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
    const only = x0;
    [x0, x1] = widened(x0, x1, 1e-6, 1);
    const isPlace = x0 < only; // all points stand at one place
    this.isLog = y0 > 0 && y1 / y0 > 50;
    if (!this.isLog) {
      [y0, y1] = widened(Math.min(0, y0), y1, 0.05, 0);
      y1 = Math.min(Number.MAX_VALUE, y1 + (y1 / 20 - y0 / 20));
    }
    const scaled = (value) => (this.isLog ? Math.log10(value) : value);
    const [low, high] = this.isLog ? [Math.log10(y0) - 0.05, Math.log10(y1) + 0.05] : [y0, y1];
    const share = (value, from, to) => (value / 2 - from / 2) / (to / 2 - from / 2); // halves: the whole may be too large a number
    this.x = (value) => left + share(value, x0, x1) * (width - left - right);
    this.y = (value) => height - bottom - share(scaled(value), low, high) * (height - top - bottom);
    const yTicks = this.isLog ? this.logTicks(y0, y1) : ticks(y0, y1, 5);
    const isWhole = (tick) => Number.isInteger(tick) || (this.unit === "step" && x1 - x0 < 2);
    const xTicks = isPlace ? [only] : ticks(x0, x1, width < 500 ? 4 : 8).filter(isWhole);
    const placed = (tick) => (Math.abs(tick) >= 1e6 && Math.abs(tick) < 1e9 ? whole(tick) : measured(tick));
    this.cross = svg("circle", { class: "cross", r: 7, cx: -20, cy: -20 });
    this.drawing.replaceChildren(
      svg("text", { class: "axis-title", x: 4, y: 12 }, `loss${this.isLog ? ", log scale" : ""}`),
      ...yTicks.flatMap((tick) => [svg("line", { class: "grid", x1: left, x2: width - right, y1: this.y(tick), y2: this.y(tick) }), svg("text", { class: "tick", x: left - 8, y: this.y(tick) + 4, "text-anchor": "end" }, measured(tick))]),
      ...xTicks.flatMap((tick) => [svg("line", { class: "axis", x1: this.x(tick), x2: this.x(tick), y1: height - bottom, y2: height - bottom + 5 }), svg("text", { class: "tick", x: this.x(tick), y: height - bottom + 19, "text-anchor": "middle" }, placed(tick))]),
      svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      svg("text", { class: "axis-title", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, this.unit === "event" ? "event, in their order" : this.unit),
      ...drawn.flatMap((each) => this.series(each)),
      this.cross,
    );
    this.point();
  }

  logTicks(low, high) {
    const found = [];
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    for (let power = first; power <= last; power += Math.ceil((last - first) / 12)) {
      for (const part of high / low > 1000 ? [1] : [1, 3]) {
        const tick = Number((part * 10 ** power).toPrecision(3));
        if (Number.isFinite(tick) && tick >= low * 0.89 && tick <= high * 1.12) found.push(tick);
      }
    }
    return found;
  }

  series(each) {
    const points = thinned(each.points);
    const path = points.map(([x, y], place) => `${place ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`).join("");
    const every = points.length <= MARKED ? 1 : each.shape === "circle" ? Infinity : Math.ceil(points.length / 12);
    const marks = every === Infinity ? [] : points.filter((_, place) => place % every === 0);
    const dots = marks.map(([x, y]) => dot(each, this.x(x).toFixed(1), this.y(y).toFixed(1), points.length > 30 && every === 1 ? 2 : 3.5));
    return [points.length > 1 ? svg("path", { class: `curve ${each.style} ${each.dash}`, d: path }) : null, ...dots].filter(Boolean);
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
