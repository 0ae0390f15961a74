// The page as a whole: one state, which the address keeps, and the views that show it.

const byId = (id) => document.getElementById(id);

class Viewer {
  constructor() {
    this.state = fromHash(location.hash);
    this.opened = new Set(); // events whose details are open
    this.shown = [];
    this.segment = 0;
    byId("browse").hidden = false;
    this.panel = new FilterPanel(byId("filters"), this);
    this.list = new EventList(byId("list"), this);
    this.graph = new Graph(byId("pane-graph"), this);
    this.timeline = chain.timeline ? new Timeline(byId("timeline"), this) : null;
    this.losses = chain.lines.length ? new Losses(byId("pane-loss"), this) : null;
    byId("tab-loss").hidden = !this.losses;
    this.listen();
    this.show();
    if (this.state.event >= 0 && this.state.view === "list") this.reveal(this.state.event);
  }

  isOpen(index) {
    return this.opened.has(index);
  }

  // Change the state. A new place of the reader (an event, a view) is a step that Back undoes; a filter is not.
  update(change, { isTyping = false, isStep = false } = {}) {
    const before = this.state;
    this.state = { ...this.state, ...change };
    this.isStep = isStep || before.view !== this.state.view;
    byId("notice").hidden = true;
    if (!isTyping) this.show();
    else if (!this.isWaiting) {
      this.isWaiting = true;
      requestAnimationFrame(() => this.settle());
    }
    this.writeHash();
  }

  // Show what was typed, if that still waits for its frame.
  settle() {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.show();
  }

  // Browsers allow only so many changes of the address in a while.
  writeHash() {
    const write = () => {
      this.waiting = null;
      try {
        history[this.isStep ? "pushState" : "replaceState"](null, "", toHash(this.state));
      } catch {
        // A page without an address of its own (a frame made of text) cannot keep the state there.
      }
    };
    clearTimeout(this.waiting);
    if (this.isStep) write();
    else this.waiting = setTimeout(write, 150);
  }

  reset() {
    const { view, event } = this.state;
    this.update({ ...everything(), view, event });
    byId("search").focus();
  }

  show() {
    const { state } = this;
    this.shown = filtered(state);
    this.segment = 0;
    this.panel.show(state);
    const total = chain.events.length;
    byId("count").replaceChildren(`showing ${whole(this.shown.length)} of ${whole(total)}`);
    if (state.inside >= 0) {
      byId("count").append(" · inside ", reference(state.inside, this), el("button", { type: "button", class: "quiet-button", "aria-label": "Show events that are not inside it, too", onclick: () => this.update({ inside: -1 }) }, "×"));
    }
    this.timeline?.show(this.shown);
    for (const name of VIEWS) {
      const isOn = state.view === name;
      byId(`pane-${name}`).hidden = !isOn;
      byId(`tab-${name}`).setAttribute("aria-selected", String(isOn));
      byId(`tab-${name}`).tabIndex = isOn ? 0 : -1;
    }
    if (state.view === "graph") this.graph.draw();
    else if (state.view === "loss") this.losses.show(this.shown);
    else this.showList();
  }

  showList() {
    const from = this.segment * SEGMENT;
    const part = this.shown.length > SEGMENT ? this.shown.slice(from, from + SEGMENT) : this.shown;
    this.list.show(part);
    const segments = byId("segments");
    segments.hidden = this.shown.length <= SEGMENT;
    if (!segments.hidden) {
      const last = Math.ceil(this.shown.length / SEGMENT) - 1;
      const turn = (by) => () => {
        this.segment += by;
        this.showList();
        this.list.reveal(this.list.items[0]);
      };
      segments.replaceChildren(
        el("button", { type: "button", disabled: this.segment === 0, onclick: turn(-1) }, "Previous"),
        ` ${whole(from + 1)} to ${whole(from + part.length)} of ${whole(this.shown.length)} `,
        el("button", { type: "button", disabled: this.segment === last, onclick: turn(1) }, "Next"),
      );
    }
    if (!this.shown.length) {
      const words = chain.events.length ? "No event fits these filters." : "This chain has no events.";
      byId("list").replaceChildren(el("p", { class: "empty" }, words));
    } else byId("list").querySelector(".empty")?.remove();
  }

  // Go to an event, whatever the filters say of it.
  jump(index) {
    this.settle();
    const isHidden = !this.shown.includes(index);
    const view = this.state.view === "graph" ? "graph" : "list";
    this.update({ ...(isHidden ? everything() : {}), event: index, view }, { isStep: true });
    if (isHidden) {
      byId("notice").textContent = `The filters hid event ${whole(index + 1)}, so they were reset. Back brings them back.`;
      byId("notice").hidden = false;
    }
    if (view === "graph") byId("pane-graph").querySelector(".is-selected")?.focus({ preventScroll: true });
    else this.reveal(index);
  }

  reveal(index, isFocused = true) {
    const place = this.shown.indexOf(index);
    if (place < 0) return;
    const segment = Math.floor(place / SEGMENT);
    if (segment !== this.segment) {
      this.segment = segment;
      this.showList();
    }
    this.list.reveal(index, isFocused);
  }

  walk(by) {
    this.settle();
    const current = document.activeElement?.closest?.(".slot .card");
    const index = current ? Number(current.dataset.index) : this.state.event;
    const place = this.shown.indexOf(index);
    const next = place < 0 ? (by > 0 ? 0 : this.shown.length - 1) : Math.min(this.shown.length - 1, Math.max(0, place + by));
    if (this.shown.length) this.reveal(this.shown[next]);
  }

  open(article, isOpen) {
    const more = article.querySelector("details.more");
    more.unfold();
    more.open = isOpen ?? !more.open;
    this.opened[more.open ? "add" : "delete"](Number(article.dataset.index)); // `toggle` comes too late for a card scrolled away
    if (more.open && article.closest(".slot")) this.list.reveal(Number(article.dataset.index), false);
  }

  listen() {
    window.addEventListener("hashchange", () => this.restore());
    window.addEventListener("popstate", () => this.restore());
    document.addEventListener("keydown", (press) => this.press(press));
    // `toggle` does not bubble, but it can be caught on its way down.
    document.addEventListener("toggle", (event) => {
      if (!event.target.matches?.("details.more")) return;
      const index = Number(event.target.closest(".card").dataset.index);
      if (event.target.open) this.opened.add(index);
      else this.opened.delete(index);
    }, true);
    document.addEventListener("focusin", (event) => {
      const article = event.target.closest?.(".slot .card");
      if (!article || Number(article.dataset.index) === this.state.event) return;
      this.state.event = Number(article.dataset.index);
      this.isStep = false;
      this.writeHash();
    });
    for (const [place, name] of VIEWS.entries()) {
      byId(`tab-${name}`).addEventListener("click", () => this.update({ view: name }));
      byId(`tab-${name}`).addEventListener("keydown", (press) => {
        if (!["ArrowLeft", "ArrowRight"].includes(press.key)) return;
        const other = VIEWS.at((place + (press.key === "ArrowRight" ? 1 : -1)) % VIEWS.length);
        this.update({ view: other });
        byId(`tab-${other}`).focus();
      });
    }
    byId("skip").addEventListener("click", (press) => {
      press.preventDefault();
      if (this.state.view === "list") this.walk(0);
      else byId(`tab-${this.state.view}`).focus();
    });
    for (const [event, isPrinting] of [["beforeprint", true], ["afterprint", false]]) {
      window.addEventListener(event, () => {
        this.list.isPrinting = isPrinting;
        this.list.render();
        const rest = this.list.items.length - 500;
        byId("notice").hidden = !(isPrinting && rest > 0);
        if (isPrinting && rest > 0) byId("notice").textContent = `The first 500 of ${whole(this.list.items.length)} events.`;
      });
    }
    this.themes();
  }

  restore() {
    clearTimeout(this.waiting);
    const state = fromHash(location.hash);
    if (toHash(state) === toHash(this.state)) return;
    this.state = state;
    byId("notice").hidden = true;
    this.show();
    if (state.event >= 0 && state.view === "list") this.reveal(state.event);
  }

  press(press) {
    if (press.ctrlKey || press.metaKey || press.altKey || press.defaultPrevented) return;
    const { target } = press;
    const isField = target.matches?.("input, select, textarea");
    if (press.key === "Escape") this.leave(target, isField);
    else if (isField) return;
    else if (press.key === "/") byId("search").focus();
    else if (press.key === "g") this.update({ view: this.state.view === "graph" ? "list" : "graph" });
    else if (this.state.view === "list" && press.key === "j") this.walk(1);
    else if (this.state.view === "list" && press.key === "k") this.walk(-1);
    else if (target.matches?.(".slot .card") && this.onCard(press.key, target)) return void press.preventDefault();
    else return;
    press.preventDefault();
  }

  onCard(key, article) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    if (key in steps) this.walk(steps[key]);
    else if (key === "Enter" || key === " ") this.open(article);
    else return false;
    return true;
  }

  // Escape: out of a field, out of details, out of the graph.
  leave(target, isField) {
    const article = target.closest?.("[hidden]") ? null : target.closest?.(".card"); // a view left may keep the focus for a frame
    if (isField) {
      target.blur();
      if (this.state.view === "list") this.walk(0);
    } else if (article) {
      this.open(article, false);
      article.focus({ preventScroll: true });
    } else if (this.state.view !== "list") this.update({ view: "list" });
  }

  themes() {
    const button = byId("theme");
    const root = document.documentElement;
    const names = ["auto", "light", "dark"];
    const say = () => (button.textContent = `Theme: ${root.dataset.theme}`);
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
      say();
    });
    say();
  }
}

new Viewer();

// So that the first key pressed in the search is as quick as the others.
(function prepare(from) {
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 8 }), 50));
  idle((time) => {
    let place = from;
    while (place < chain.events.length && time.timeRemaining() > 1) searchText(chain.events[place++]);
    if (place < chain.events.length) prepare(place);
  });
})(0);
