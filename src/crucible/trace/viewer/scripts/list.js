// The list of events: only the cards near the window exist, at heights that are estimated until they are measured.

const OVERSCAN = 700; // px above and below the window
const SEGMENT = 20000; // cards in one list; browsers stop drawing pages of more than some ten million px

// Sums of heights up to any place, each change in O(log n).
class Heights {
  constructor(heights) {
    this.each = Float64Array.from(heights);
    this.sums = new Float64Array(heights.length + 1);
    for (let place = 1; place < this.sums.length; place += 1) {
      this.sums[place] += this.each[place - 1];
      const next = place + (place & -place);
      if (next < this.sums.length) this.sums[next] += this.sums[place];
    }
  }

  set(place, height) {
    const change = height - this.each[place];
    this.each[place] = height;
    for (let at = place + 1; at < this.sums.length; at += at & -at) this.sums[at] += change;
  }

  before(place) {
    let sum = 0;
    for (let at = place; at > 0; at -= at & -at) sum += this.sums[at];
    return sum;
  }

  // The last place that begins at or above an offset.
  at(offset) {
    let place = 0;
    let left = offset;
    for (let step = 2 ** Math.floor(Math.log2(this.sums.length)); step >= 1; step /= 2) {
      const next = place + step;
      if (next < this.sums.length && this.sums[next] <= left) {
        place = next;
        left -= this.sums[next];
      }
    }
    return Math.min(place, this.each.length - 1);
  }
}

class EventList {
  constructor(host, view) {
    this.host = host;
    this.view = view;
    this.measured = new Map(); // event -> px
    this.slots = new Map(); // place -> element
    this.items = [];
    this.heights = new Heights([]);
    this.isPrinting = false;
    this.sizes = new ResizeObserver(() => this.later());
    this.isWaiting = false;
    this.width = 0;
    window.addEventListener("scroll", () => this.later(), { passive: true });
    window.addEventListener("resize", () => this.later(), { passive: true });
  }

  later() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.render();
    });
  }

  show(items) {
    const focused = document.activeElement?.closest(".slot")?.firstElementChild.dataset.index;
    this.items = items;
    for (const slot of this.slots.values()) this.drop(slot);
    this.slots.clear();
    this.width = this.host.clientWidth || 600;
    this.heights = new Heights(items.map((index) => this.measured.get(index) ?? this.estimate(chain.events[index])));
    this.render();
    if (focused && Number(focused) === this.view.state.event) this.host.querySelector(`.card[data-index="${focused}"]`)?.focus({ preventScroll: true });
  }

  estimate(event) {
    const letters = Math.max(20, this.width / 8);
    const lines = Math.ceil((event.decision.length * 1.15) / letters) + Math.ceil(event.reasoning.length / letters);
    const links = event.restsOn.length + Math.min(event.children.length, 7) + Math.min(event.bears.length, 7);
    return 95 + lines * 24 + (links + event.alternatives.length + (event.parent ? 1 : 0)) * 28;
  }

  drop(slot) {
    this.sizes.unobserve(slot);
    slot.remove();
  }

  render() {
    if (this.host.offsetParent === null) return;
    if (this.host.clientWidth !== this.width) {
      this.width = this.host.clientWidth;
      this.measured.clear();
    }
    // Measuring may show that more cards are needed, so place them until nothing changes.
    for (let round = 0; round < 4 && this.place(); round += 1);
  }

  range() {
    const top = this.host.getBoundingClientRect().top;
    if (this.isPrinting) return [0, Math.min(this.items.length, 500) - 1];
    return [this.heights.at(Math.max(0, -top - OVERSCAN)), this.heights.at(Math.max(0, window.innerHeight - top + OVERSCAN))];
  }

  place() {
    const count = this.items.length;
    const [first, last] = count ? this.range() : [0, -1];
    const focused = document.activeElement;
    for (const [place, slot] of this.slots) {
      if ((place < first || place > last) && !slot.contains(focused)) {
        this.drop(slot);
        this.slots.delete(place);
      }
    }
    let next = null;
    for (let place = last; place >= first; place -= 1) {
      let slot = this.slots.get(place);
      if (!slot) {
        slot = el("div", { class: "slot" });
        slot.append(card(chain.events[this.items[place]], this.view, { position: place + 1, total: count }));
        this.slots.set(place, slot);
        this.host.insertBefore(slot, next ?? this.after(place));
        this.sizes.observe(slot);
      }
      next = slot;
    }
    const anchor = this.anchor();
    const hasChanged = this.measure();
    for (const [place, slot] of this.slots) slot.style.transform = `translateY(${this.heights.before(place)}px)`;
    this.host.style.height = `${this.heights.before(count)}px`;
    if (anchor) {
      const moved = this.heights.before(anchor.place) - anchor.top;
      if (Math.abs(moved) >= 1) window.scrollBy({ top: moved, behavior: "instant" });
    }
    return hasChanged;
  }

  // The nearest slot after a place: that of a card that has the focus may lie far off.
  after(place) {
    const later = [...this.slots.keys()].filter((other) => other > place);
    return later.length ? this.slots.get(Math.min(...later)) : null;
  }

  // The first card in view keeps its place on the screen when those above it turn out higher than estimated.
  anchor() {
    const top = -this.host.getBoundingClientRect().top;
    if (top <= 0 || !this.items.length || this.isPrinting) return null;
    const place = this.heights.at(top);
    return { place, top: this.heights.before(place) };
  }

  measure() {
    let hasChanged = false;
    for (const [place, slot] of this.slots) {
      const height = slot.offsetHeight;
      this.measured.set(this.items[place], height);
      if (Math.abs(height - this.heights.each[place]) > 0.5) {
        this.heights.set(place, height);
        hasChanged = true;
      }
    }
    return hasChanged;
  }

  // Scroll to an event and focus it; false if it is not in the list.
  reveal(index, isFocused = true) {
    const place = this.items.indexOf(index);
    if (place < 0) return false;
    for (let round = 0; round < 5; round += 1) {
      const rect = this.host.getBoundingClientRect();
      const top = rect.top + window.scrollY + this.heights.before(place);
      const bar = document.querySelector(".bar").offsetHeight + 12;
      const isAbove = top < window.scrollY + bar;
      const isBelow = top + this.heights.each[place] > window.scrollY + window.innerHeight;
      if (isAbove || (isBelow && this.heights.each[place] > window.innerHeight - bar)) scrollTo(0, top - bar);
      else if (isBelow) scrollTo(0, top + this.heights.each[place] - window.innerHeight + 12);
      this.render();
    }
    const article = this.slots.get(place)?.firstElementChild;
    if (article && isFocused) article.focus({ preventScroll: true });
    return true;
  }

  redraw(index) {
    const place = this.items.indexOf(index);
    const slot = this.slots.get(place);
    if (!slot) return;
    const fresh = card(chain.events[index], this.view, { position: place + 1, total: this.items.length });
    slot.replaceChildren(fresh);
    this.later();
  }
}
