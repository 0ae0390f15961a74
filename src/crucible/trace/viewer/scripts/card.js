// One event as a card: what, why, instead of what, how sure, and what it hangs together with.

const LINKS_SHOWN = 6;

function reference(index, view) {
  const event = chain.events[index];
  return el(
    "a",
    {
      href: toHash({ ...everything(), event: index }),
      class: "link",
      onclick: (press) => {
        if (press.ctrlKey || press.metaKey || press.shiftKey) return;
        press.preventDefault();
        view.jump(index);
      },
    },
    badge(event.type),
    line("span", {}, nameOf(event)),
  );
}

function references(title, links, view, more = null) {
  if (!links.length) return null;
  const items = links.slice(0, LINKS_SHOWN).map(({ index, id }) =>
    el("li", {}, index >= 0 ? reference(index, view) : el("span", { class: "missing" }, `not in the chain: ${id}`)),
  );
  const rest = links.slice(LINKS_SHOWN);
  if (rest.length) {
    const words = more ? `… show all ${whole(links.length)} in the list` : `… and ${whole(rest.length)} more`;
    const list = (press) => {
      if (more) return more();
      const button = press.currentTarget;
      const added = rest.splice(0, 50).map(({ index, id }) =>
        el("li", {}, index >= 0 ? reference(index, view) : el("span", { class: "missing" }, `not in the chain: ${id}`)),
      );
      button.parentElement.before(...added);
      if (rest.length) button.textContent = `… and ${whole(rest.length)} more`;
      else button.parentElement.remove();
      return undefined;
    };
    items.push(el("li", {}, el("button", { type: "button", class: "quiet-button", onclick: list }, words)));
  }
  return row(title, el("ul", { class: "links" }, items));
}

const row = (title, ...content) => el("div", { class: "row" }, el("dt", {}, title), el("dd", {}, ...content));

function certainty(event) {
  const value = event.confidence;
  const level = value === null ? "unstated" : value > 1 || value < 0 ? "odd" : value >= 0.8 ? "high" : value >= 0.5 ? "medium" : "low";
  const words = value === null ? confidenceWords(event) : `confidence ${confidenceWords(event)}`;
  const known = event.oddConfidence === null && value === null ? "confidence not stated" : words;
  const gauge = svg("svg", { class: "gauge", viewBox: "0 0 40 6", "aria-hidden": "true" });
  gauge.append(svg("rect", { width: 40, height: 6, rx: 3, class: "gauge-track" }));
  const share = Math.min(1, Math.max(0, value ?? 0));
  if (value !== null) gauge.append(svg("rect", { width: 40 * share, height: 6, rx: 3, class: "gauge-value" }));
  return el("span", { class: `certainty is-${level}` }, value === null ? null : gauge, known);
}

function pairs(entries, query) {
  return el(
    "dl",
    { class: "metadata" },
    entries.map(([key, value]) => {
      const words = typeof value === "string" ? value : JSON.stringify(value, null, 2);
      return el("div", {}, el("dt", {}, ...marked(key, query)), line("dd", {}, ...marked(words, query)));
    }),
  );
}

function details(event, query, isOpen) {
  const metadata = metadataOf(event);
  const named = shorten(metadata.map(([key]) => key).join(", "), 60);
  const summary = el("summary", {}, metadata.length ? `Metadata (${named}), id and time` : "Id and time");
  const folded = el("details", { class: "more" }, summary);
  // Made when first opened: metadata may be long, and most of it is never looked at.
  folded.unfold = () => {
    if (folded.childElementCount === 1) folded.append(...inside(event, metadata, query));
  };
  summary.addEventListener("click", folded.unfold);
  const says = (value) => JSON.stringify(value).toLowerCase().includes(query.toLowerCase());
  if (isOpen || (query && (says(event.id) || [...metadata, ...event.others].some(says)))) {
    folded.unfold();
    folded.open = true;
  }
  return folded;
}

function inside(event, metadata, query) {
  const rows = [
    row("id", el("code", {}, ...marked(event.id, query))),
    row("time", el("time", { datetime: momentOf(event) }, momentOf(event))),
    row("type", el("code", {}, event.type.name), ` ${event.type.meaning}`),
  ];
  if (!event.isFirst) rows.push(row("repeated", "Another event before this one has the same id; links lead to that one."));
  return [
    metadata.length ? pairs(metadata, query) : null,
    event.others.length ? el("h4", {}, "Other fields") : null,
    event.others.length ? pairs(event.others, query) : null,
    el("dl", { class: "rows" }, rows),
  ].filter(Boolean);
}

function card(event, view, options = {}) {
  const { query } = view.state;
  const title = `event-${event.index}${options.suffix || ""}`;
  const links = (indices) => indices.map((index) => ({ index, id: null }));
  const rows = [
    event.alternatives.length
      ? row("instead of", el("ul", { class: "words" }, event.alternatives.map((word) => line("li", {}, ...marked(word, query)))))
      : null,
    event.parent ? references("inside", [event.parent], view) : null,
    references("rests on", event.restsOn, view),
    references("relied on by", links(event.bears), view),
    references("contains", links(event.children), view, () => view.update({ inside: event.index, view: "list" })),
    event.code === null ? null : row("code", line("code", { class: "block" }, ...marked(event.code, query))),
    event.spec === null ? null : row("requirement", line("span", {}, ...marked(event.spec, query))),
  ];
  const places = [["stage", event.stage], ["experiment", event.experiment]].filter(([, name]) => name !== null);
  return el(
    "article",
    {
      class: `card t${event.type.place}`,
      tabindex: "0",
      "aria-labelledby": title,
      "aria-posinset": options.position ?? null,
      "aria-setsize": options.total ?? null,
      "data-index": event.index,
    },
    el(
      "div",
      { class: "card-top" },
      el("span", { class: "number" }, whole(event.index + 1)),
      badge(event.type),
      line("span", { class: "type" }, shorten(event.type.title, 60)),
      certainty(event),
      ...places.map(([kind, name]) => line("span", { class: "place", title: kind }, el("span", { class: "place-kind" }, `${kind} `), name)),
      el("time", { class: "offset", datetime: momentOf(event), title: momentOf(event) }, offsetOf(event)),
    ),
    line("h3", { id: title }, ...(event.decision ? marked(event.decision, query) : ["(no decision)"])),
    event.reasoning ? line("p", { class: "reasoning" }, ...marked(event.reasoning, query)) : null,
    rows.some(Boolean) ? el("dl", { class: "rows" }, rows) : null,
    details(event, query, view.isOpen(event.index)),
  );
}
