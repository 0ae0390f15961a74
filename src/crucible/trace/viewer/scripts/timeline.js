// When the events happened, at their true times whatever their order: a mark each, or a histogram of many.

const MARKS = 400; // above, a histogram
const BINS = 160;

class Timeline {
  constructor(section, view) {
    this.view = view;
    this.cursor = -1; // place in byTime
    this.readout = el("p", { class: "readout", "aria-live": "polite" }, el("span", { class: "hint" }, "Point at the bar, or focus it and use the arrow keys; Enter shows the event."));
    this.drawing = svg("svg", {
      class: "times",
      viewBox: "0 0 1000 64",
      preserveAspectRatio: "none",
      tabindex: "0",
      role: "slider",
      "aria-label": "Events by time: arrow keys walk, Enter shows the event",
      "aria-valuemin": 1,
      "aria-valuemax": Math.max(1, chain.events.length),
    });
    this.cursorLine = svg("line", { class: "cursor", y1: 0, y2: 64, x1: -9, x2: -9 });
    const ends = el("div", { class: "ends" });
    if (chain.events.length) {
      const [first, last] = [chain.byTime[0], chain.byTime.at(-1)].map((index) => chain.events[index]);
      ends.append(el("span", {}, momentOf(first)));
      if (chain.lastUs > 0) ends.append(el("span", {}, `${offsetOf(last)} · ${momentOf(last)}`));
      else if (chain.events.length > 1) ends.append(el("span", {}, "all at the same moment"));
    }
    section.append(this.drawing, ends, this.readout);
    section.hidden = chain.events.length === 0;
    this.draw();
    this.listen();
  }

  x(event) {
    return chain.lastUs > 0 ? 4 + (event.us / chain.lastUs) * 992 : 500;
  }

  draw() {
    this.drawing.append(svg("line", { class: "base", x1: 0, x2: 1000, y1: 63, y2: 63 }));
    this.isHistogram = chain.events.length > MARKS;
    if (this.isHistogram) this.drawBins();
    else {
      this.marks = chain.events.map((event) =>
        svg("line", { class: `mark t${event.type.place}`, x1: this.x(event), x2: this.x(event), y1: event.decides ? 8 : 26, y2: 62 }),
      );
      this.drawing.append(...this.marks);
    }
    this.drawing.append(this.cursorLine);
  }

  drawBins() {
    this.all = this.binned(chain.events.map((event) => event.index));
    this.tallest = Math.max(...this.all);
    const bars = (name) =>
      [...Array(BINS).keys()].map((bin) => svg("rect", { class: name, x: (bin * 1000) / BINS, width: 1000 / BINS - 1, y: 62, height: 0 }));
    this.bars = bars("bin");
    this.shown = bars("bin is-shown");
    this.drawing.append(...this.bars, ...this.shown);
    this.raise(this.bars, this.all);
  }

  binned(indices) {
    const counts = new Array(BINS).fill(0);
    for (const index of indices) counts[this.bin(chain.events[index])] += 1;
    return counts;
  }

  bin(event) {
    return chain.lastUs > 0 ? Math.min(BINS - 1, Math.floor((event.us / chain.lastUs) * BINS)) : Math.floor(BINS / 2);
  }

  raise(bars, counts) {
    bars.forEach((bar, bin) => {
      const height = counts[bin] ? Math.max(2, (counts[bin] / this.tallest) * 58) : 0;
      bar.setAttribute("y", 62 - height);
      bar.setAttribute("height", height);
    });
  }

  show(indices) {
    if (this.isHistogram) {
      this.raise(this.shown, this.binned(indices));
      return;
    }
    const shown = new Set(indices);
    this.marks?.forEach((mark, index) => mark.classList.toggle("is-out", !shown.has(index)));
  }

  listen() {
    const nearest = (pointer) => {
      const box = this.drawing.getBoundingClientRect();
      const us = ((pointer.clientX - box.left) / box.width * 1000 - 4) / 992 * chain.lastUs;
      let [low, high] = [0, chain.byTime.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (chain.events[chain.byTime[middle]].us < us) low = middle + 1;
        else high = middle;
      }
      const before = low > 0 && us - chain.events[chain.byTime[low - 1]].us < chain.events[chain.byTime[low]].us - us;
      return before ? low - 1 : low;
    };
    this.drawing.addEventListener("pointermove", (pointer) => this.point(nearest(pointer)));
    this.drawing.addEventListener("click", (pointer) => {
      this.point(nearest(pointer));
      this.view.jump(chain.byTime[this.cursor]);
    });
    this.drawing.addEventListener("keydown", (press) => {
      const last = chain.byTime.length - 1;
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
      if (press.key in steps) this.point(Math.min(last, Math.max(0, this.cursor + steps[press.key])));
      else if (press.key === "Enter" && this.cursor >= 0) this.view.jump(chain.byTime[this.cursor]);
      else return;
      press.preventDefault();
      press.stopPropagation();
    });
  }

  point(place) {
    this.cursor = place;
    const event = chain.events[chain.byTime[place]];
    const x = this.x(event);
    this.cursorLine.setAttribute("x1", x);
    this.cursorLine.setAttribute("x2", x);
    const count = this.isHistogram ? ` · ${plural(this.all[this.bin(event)], "event")} in this part` : "";
    const words = `${offsetOf(event)} · ${nameOf(event)}`;
    this.readout.replaceChildren(badge(event.type), line("span", {}, `${words}${count}`));
    this.drawing.setAttribute("aria-valuenow", place + 1);
    this.drawing.setAttribute("aria-valuetext", visible(words));
  }
}
