// The graph of links: parents as solid lines, dependencies as dotted ones; drag to move, buttons to zoom.

const FONT = '13px system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
const ruler = document.createElement("canvas").getContext("2d");

// At most two lines of a text that fit into a width.
function twoLines(text, width) {
  ruler.font = FONT;
  const fits = (words) => ruler.measureText(words).width <= width;
  const words = visible(shorten(text, 160)).split(/\s+/);
  const lines = [""];
  for (let word of words) {
    while (!fits(word) && word.length > 1) word = `${word.slice(0, Math.max(1, Math.floor(word.length * 0.8) - 1))}…`;
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (fits(longer)) lines[lines.length - 1] = longer;
    else if (lines.length < 2) lines.push(word);
    else {
      let last = `${lines[1]}…`;
      while (!fits(last) && last.length > 2) last = `${last.slice(0, -2)}…`;
      lines[1] = last;
      break;
    }
  }
  return lines;
}

class Graph {
  constructor(pane, view) {
    this.view = view;
    this.scope = null; // chosen by hand
    this.at = { x: 0, y: 0, k: 1 };
    const scopes = [["whole", "the whole chain"], ["shown", "what the filters let through"], ["around", "around the selected event"], ["stages", "stages"]];
    this.select = el(
      "select",
      { id: "scope", onchange: () => { this.scope = this.select.value; this.draw(true); } },
      scopes.map(([value, words]) => el("option", { value, disabled: value === "whole" && chain.events.length > WHOLE }, words)),
    );
    const button = (words, label, press) => el("button", { type: "button", "aria-label": label, title: label, onclick: press }, words);
    this.caption = el("p", { class: "caption", role: "status" });
    this.drawing = svg("svg", { class: "graph", role: "group", "aria-label": "Graph of the links between events" });
    this.layer = svg("g");
    const marker = (id) =>
      svg("marker", { id, viewBox: "0 0 8 8", refX: 7.5, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8z", class: id }));
    this.drawing.append(svg("defs", {}, marker("arrow"), marker("arrow-back")), this.layer);
    this.selected = el("div", { class: "graph-card" });
    const key = (name, words) =>
      el("span", { class: "key" }, svg("svg", { viewBox: "0 0 34 8", "aria-hidden": "true" }, svg("path", { d: "M0 4H34", class: `edge ${name}` })), words);
    pane.append(
      el(
        "div",
        { class: "graph-bar" },
        el("label", { for: "scope" }, "Draw"),
        this.select,
        el("span", { class: "zoom" }, button("−", "Zoom out", () => this.zoom(1 / 1.25)), button("+", "Zoom in", () => this.zoom(1.25)), button("Fit", "Fit all into view", () => this.fit())),
        el("span", { class: "legend" }, key("is-parent", "encloses"), key("is-dependency", "is relied on by"), key("is-back", "closes a cycle")),
      ),
      this.caption,
      this.drawing,
      el("p", { class: "hint" }, "Drag to move, Ctrl + wheel or + and − to zoom, arrow keys walk from node to node, Enter selects."),
      this.selected,
    );
    this.listen();
  }

  effectiveScope(shown) {
    const scope = this.scope ?? (chain.events.length <= WHOLE ? "whole" : this.view.state.event >= 0 ? "around" : "stages");
    if (scope === "around" && this.view.state.event < 0) return shown.length ? "shown" : "stages";
    return scope;
  }

  draw(isFresh = false) {
    const { state, shown } = this.view;
    const scope = this.effectiveScope(shown);
    this.select.value = scope;
    this.select.querySelector("[value=around]").disabled = state.event < 0;
    const graph = graphOf(scope, state.event, shown);
    const keys = graph.nodes.map((node) => node.key).join(" ");
    const isNew = isFresh || keys !== this.keys;
    this.keys = keys;
    if (isNew) {
      this.graph = graph;
      this.size = layered(graph.nodes, graph.edges);
      this.build();
    }
    const back = this.graph.edges.filter((edge) => edge.isBack).length;
    const missing = this.graph.nodes.filter((node) => node.missing !== undefined).length;
    const faults = [back ? `${plural(back, "link")} ${back === 1 ? "closes" : "close"} a cycle.` : "", missing ? `${plural(missing, "linked event")} ${missing === 1 ? "is" : "are"} not in the chain (dashed).` : ""];
    this.caption.textContent = [graph.words, ...faults].filter(Boolean).join(" ");
    this.mark();
    if (isNew) this.home();
  }

  build() {
    const { nodes, edges } = this.graph;
    const lines = edges.map((edge) => svg("path", { d: this.path(edge), class: `edge is-${edge.kind}${edge.isBack ? " is-back" : ""}`, "marker-end": `url(#arrow${edge.isBack ? "-back" : ""})` }, svg("title", {}, this.edgeWords(edge))));
    const counts = edges.filter((edge) => edge.count > 1).map((edge) => {
      const [a, b] = [nodes[edge.from], nodes[edge.to]];
      return svg("text", { class: "edge-count", x: (a.x + NODE.width + b.x) / 2, y: (a.y + b.y) / 2 - 5, "text-anchor": "middle" }, whole(edge.count));
    });
    for (const node of nodes) node.element = this.node(node);
    this.layer.replaceChildren(...lines, ...counts, ...nodes.map((node) => node.element));
  }

  edgeWords(edge) {
    const words = (node) => (node.event ? nameOf(node.event) : node.missing === undefined ? node.stage ?? "no stage" : `missing: ${node.missing}`);
    const [from, to] = [words(this.graph.nodes[edge.from]), words(this.graph.nodes[edge.to])];
    return edge.kind === "parent" ? `${from} encloses ${to}` : `${to} rests on ${from}`;
  }

  path(edge) {
    const { nodes } = this.graph;
    const [from, to] = [nodes[edge.from], nodes[edge.to]];
    const aside = edge.kind === "parent" ? -4 : 4; // so that both links of a pair are seen
    const start = [from.x + NODE.width, from.y + aside];
    if (edge.from === edge.to) return `M${start[0] - 30} ${from.y - 25}c-10 -40 50 -40 28 -2`;
    if (edge.isBack) {
      const drop = Math.max(from.y, to.y) + NODE.height;
      return `M${start}C${start[0] + 50} ${drop} ${to.x - 50} ${drop} ${to.x - 2} ${to.y + aside}`;
    }
    const parts = [`M${start}`];
    let last = start;
    const reach = (x, y) => {
      const bend = Math.max(24, (x - last[0]) / 2);
      parts.push(`C${last[0] + bend} ${last[1]} ${x - bend} ${y} ${x} ${y}`);
      last = [x, y];
    };
    for (const { x, y } of edge.bends) {
      reach(x, y);
      parts.push(`H${x + NODE.width}`);
      last = [x + NODE.width, y];
    }
    reach(to.x - 2, to.y + aside);
    return parts.join("");
  }

  node(node) {
    const { event, missing } = node;
    const [name, kind] = event ? [nameOf(event), event.type.title] : missing === undefined ? [node.stage ?? "no stage", plural(node.count, "event")] : [missing, "not in the chain"];
    const words = event ? event.decision || "(no decision)" : name || "(empty)";
    const lines = event ? twoLines(words, NODE.width - 68) : [twoLines(words, NODE.width - 24)[0], kind];
    const group = svg("g", {
      class: `node ${event ? `t${event.type.place}` : missing === undefined ? "is-stage" : "is-missing"}`,
      transform: `translate(${node.x} ${node.y - NODE.height / 2})`,
      tabindex: "-1",
      role: "button",
      "aria-label": visible(`${name}, ${kind}`),
    });
    group.append(svg("title", {}, `${name} · ${kind}`), svg("rect", { class: "box", width: NODE.width, height: NODE.height, rx: 7 }));
    if (event) {
      group.append(svg("rect", { class: "stripe", x: 0, y: 0, width: 46, height: NODE.height, rx: 7 }), svg("text", { class: "code", x: 23, y: 22, "text-anchor": "middle" }, event.type.code), svg("text", { class: "ordinal", x: 23, y: 39, "text-anchor": "middle" }, whole(event.index + 1)));
    }
    lines.forEach((text, place) => group.append(svg("text", { class: place && !event ? "note" : "", x: event ? 55 : 12, y: lines.length === 1 ? 30 : 22 + place * 17 }, text)));
    group.addEventListener("click", () => {
      if (!this.hasDragged) this.choose(node);
    });
    group.addEventListener("keydown", (press) => this.walk(press, node));
    group.addEventListener("focus", () => this.bringIn(node));
    return group;
  }

  choose(node) {
    if (node.event) this.view.update({ event: node.event.index }, { isStep: true });
    else if (node.missing === undefined) this.view.update({ stage: node.stage, view: "list" });
  }

  walk(press, node) {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (press.key === "Enter" || press.key === " ") this.choose(node);
    else if (press.key in ways) {
      const [dx, dy] = ways[press.key];
      const far = (other) => {
        const [x, y] = [other.x - node.x, other.y - node.y];
        const along = x * dx + y * dy;
        return along <= 0 ? Infinity : along + 2.5 * Math.abs(x * dy + y * dx);
      };
      const next = this.graph.nodes.filter((other) => other !== node).sort((a, b) => far(a) - far(b))[0];
      if (next && far(next) < Infinity) next.element.focus({ preventScroll: true });
    } else if (press.key === "+" || press.key === "=") this.zoom(1.25);
    else if (press.key === "-") this.zoom(1 / 1.25);
    else if (press.key === "0") this.fit();
    else return;
    press.preventDefault();
    press.stopPropagation();
  }

  mark() {
    const { state, shown } = this.view;
    const fits = new Set(shown);
    const nodes = this.graph.nodes;
    const current = nodes.find((node) => node.event && node.event.index === state.event);
    for (const node of nodes) {
      node.element.classList.toggle("is-selected", node === current);
      node.element.classList.toggle("is-out", Boolean(node.event) && !fits.has(node.event.index));
      node.element.setAttribute("tabindex", node === (current ?? nodes[0]) ? "0" : "-1");
      if (node.event) node.element.setAttribute("aria-pressed", String(node === current));
    }
    this.selected.replaceChildren(...(state.event >= 0 ? [card(chain.events[state.event], this.view, { suffix: "-graph" })] : []));
  }

  listen() {
    let grip = null;
    this.drawing.addEventListener("pointerdown", (pointer) => {
      grip = { x: pointer.clientX - this.at.x, y: pointer.clientY - this.at.y, from: [pointer.clientX, pointer.clientY] };
      this.hasDragged = false;
    });
    this.drawing.addEventListener("pointermove", (pointer) => {
      if (!grip || !pointer.buttons) return;
      if (!this.hasDragged && Math.hypot(pointer.clientX - grip.from[0], pointer.clientY - grip.from[1]) < 4) return;
      if (!this.hasDragged) this.drawing.setPointerCapture(pointer.pointerId);
      this.hasDragged = true;
      this.move({ x: pointer.clientX - grip.x, y: pointer.clientY - grip.y });
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.drawing.addEventListener(end, () => {
        grip = null;
        setTimeout(() => (this.hasDragged = false)); // after the click that ends a drag, and chooses nothing
      });
    }
    this.drawing.addEventListener(
      "wheel",
      (wheel) => {
        if (!wheel.ctrlKey && !wheel.metaKey) return;
        wheel.preventDefault();
        const box = this.drawing.getBoundingClientRect();
        this.zoom(Math.exp(-wheel.deltaY / 400), wheel.clientX - box.left, wheel.clientY - box.top);
      },
      { passive: false },
    );
  }

  move(change) {
    Object.assign(this.at, change);
    this.layer.setAttribute("transform", `translate(${this.at.x} ${this.at.y}) scale(${this.at.k})`);
  }

  zoom(factor, x = this.drawing.clientWidth / 2, y = this.drawing.clientHeight / 2) {
    const k = Math.min(3, Math.max(0.05, this.at.k * factor));
    const ratio = k / this.at.k;
    this.move({ k, x: x - (x - this.at.x) * ratio, y: y - (y - this.at.y) * ratio });
  }

  fit(smallest = 0.05) {
    const [width, height] = [this.drawing.clientWidth, this.drawing.clientHeight];
    const k = Math.max(smallest, Math.min(1, (width - 24) / this.size.width, (height - 24) / this.size.height));
    const middle = (room, size) => (size * k < room - 24 ? (room - size * k) / 2 : 12);
    this.move({ k, x: middle(width, this.size.width), y: middle(height, this.size.height) });
  }

  // As much as can be read, with the selected event in view.
  home() {
    this.drawing.style.height = `${Math.round(Math.min(Math.max(220, this.size.height + 40), window.innerHeight * 0.68))}px`;
    this.fit(0.8);
    const current = this.graph.nodes.find((node) => node.event && node.event.index === this.view.state.event) ?? this.graph.nodes[0];
    if (!current) return;
    const [height, { k }] = [this.drawing.clientHeight, this.at];
    const lowest = height - this.size.height * k - 12;
    if (lowest < 0) this.move({ y: Math.min(12, Math.max(lowest, height / 2 - current.y * k)) });
    this.bringIn(current);
  }

  bringIn(node) {
    const { x, y, k } = this.at;
    const [left, top] = [node.x * k + x, (node.y - NODE.height / 2) * k + y];
    const [width, height] = [this.drawing.clientWidth, this.drawing.clientHeight];
    const into = (start, size, room) => (start < 12 ? 12 - start : Math.min(0, room - 12 - start - size));
    this.move({ x: x + into(left, NODE.width * k, width), y: y + into(top, NODE.height * k, height) });
  }
}
