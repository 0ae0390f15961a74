// The filters: search, types by category, confidence, stage, experiment.

class FilterPanel {
  constructor(form, view) {
    this.view = view;
    this.form = form;
    form.addEventListener("submit", (event) => event.preventDefault());
    this.search = el("input", {
      type: "search",
      id: "search",
      name: "q",
      placeholder: "decision, reason, metadata …",
      spellcheck: "false",
      oninput: () => view.update({ query: this.search.value }, { isTyping: true }),
    });
    this.types = new Map();
    const body = el("div", { class: "filter-body" }, this.places(), this.confidence(), this.typeList());
    const more = el("details", { class: "filter-more" }, el("summary", {}, "Filters"), body);
    const reset = el("button", { type: "button", id: "reset", onclick: () => view.reset() }, "Reset");
    this.reset = reset;
    form.append(
      el("div", { class: "search-row" }, el("label", { for: "search" }, "Search"), reset, this.search),
      more,
    );
    // One column: the filters fold away. Two: they stay open, and the summary is hidden.
    const wide = matchMedia("(min-width: 60rem)");
    const unfold = () => (more.open = wide.matches);
    wide.addEventListener("change", unfold);
    unfold();
  }

  places() {
    const choice = (field, title, words) => {
      const counts = new Map();
      for (const event of chain.events) counts.set(event[field], (counts.get(event[field]) || 0) + 1);
      const names = [...(counts.has(null) ? [null] : []), ...words];
      const option = (value, text) => el("option", { value }, text);
      const select = el(
        "select",
        {
          id: field,
          onchange: () => this.view.update({ [field]: select.value === "" ? ANY : names[Number(select.value)] }),
        },
        option("", `all (${whole(chain.events.length)})`),
        names.map((name, place) =>
          option(place, `${name === null ? `no ${title.toLowerCase()}` : shorten(name || "(empty)", 60)} (${whole(counts.get(name))})`),
        ),
      );
      this[field] = { select, names };
      return el("div", { class: "field" }, el("label", { for: field }, title), select);
    };
    return [choice("stage", "Stage", chain.stages), choice("experiment", "Experiment", chain.experiments)];
  }

  confidence() {
    const slider = (id, title) => {
      const input = el("input", { type: "range", id, min: 0, max: 100, step: 1, oninput: () => this.bounded(id) });
      const output = el("output", { for: id });
      this[id] = { input, output };
      return el("div", { class: "slider" }, el("label", { for: id }, title), input, output);
    };
    const stated = chain.events.reduce((count, event) => count + (event.confidence !== null), 0);
    const options = [
      ["any", "stated or not"],
      ["stated", `only stated (${whole(stated)})`],
      ["unstated", `only not stated (${whole(chain.events.length - stated)})`],
    ];
    this.said = el(
      "select",
      { id: "said", "aria-label": "Confidence stated or not", onchange: () => this.view.update({ said: this.said.value }) },
      options.map(([value, words]) => el("option", { value }, words)),
    );
    return el(
      "fieldset",
      {},
      el("legend", {}, "Confidence"),
      this.said,
      slider("low", "at least"),
      slider("high", "at most"),
      el("p", { class: "hint" }, "A bound leaves out events that state none."),
    );
  }

  bounded(moved) {
    let [low, high] = [Number(this.low.input.value), Number(this.high.input.value)];
    if (low > high) [low, high] = moved === "low" ? [low, low] : [high, high];
    this.view.update({ low, high }, { isTyping: true });
  }

  typeList() {
    const groups = new Map();
    for (const type of chain.types) {
      if (!groups.has(type.category)) groups.set(type.category, []);
      groups.get(type.category).push(type);
    }
    this.decisions = el("input", {
      type: "checkbox",
      id: "decisions",
      onchange: () => this.view.update({ decisions: this.decisions.checked }),
    });
    const deciding = chain.events.reduce((count, event) => count + event.decides, 0);
    return el(
      "fieldset",
      { class: "types" },
      el("legend", {}, "Types"),
      this.choice(this.decisions, "Decisions only", deciding),
      [...groups].map(([category, types]) =>
        el(
          "div",
          { role: "group", "aria-label": category },
          line("h3", {}, category),
          types.map((type) => {
            const box = el("input", {
              type: "checkbox",
              name: "type",
              value: type.place,
              onchange: () => this.view.update({ types: this.chosen() }),
            });
            this.types.set(type.name, box);
            return this.choice(box, type.title, type.count, type);
          }),
        ),
      ),
    );
  }

  choice(box, words, count, type = null) {
    return el(
      "label",
      { class: "choice" },
      box,
      type ? badge(type) : null,
      line("span", { class: "choice-name", title: words.length > 60 ? words : null }, shorten(words, 60)),
      el("span", { class: "choice-count" }, whole(count)),
    );
  }

  chosen() {
    return new Set([...this.types].filter(([, box]) => box.checked).map(([name]) => name));
  }

  show(state) {
    if (this.search.value !== state.query) this.search.value = state.query;
    for (const [name, box] of this.types) box.checked = state.types.has(name);
    for (const [id, value] of [["low", state.low], ["high", state.high]]) {
      this[id].input.value = value;
      this[id].output.value = `${value} %`;
      this[id].input.setAttribute("aria-valuetext", `${value} percent`);
    }
    this.said.value = state.said;
    for (const field of ["stage", "experiment"]) {
      const { select, names } = this[field];
      select.value = state[field] === ANY ? "" : String(names.indexOf(state[field]));
    }
    this.decisions.checked = state.decisions;
    this.reset.disabled = !isFiltered(state);
  }
}
