// What the graph draws of a chain: nodes and edges, and in words what it leaves out.

const WHOLE = 300; // events drawn at once
const AROUND = 120; // events drawn around the selected one
const HOPS = 3;

const linkEdges = (event) => [
  ...(event.parent ? [{ ...event.parent, kind: "parent" }] : []),
  ...event.restsOn.map((target) => ({ ...target, kind: "dependency" })),
];

// The events given, their links, and a node for every link that leads to no event.
function eventGraph(indices) {
  const places = new Map();
  const nodes = indices.map((index, place) => {
    places.set(index, place);
    return { key: `e${index}`, event: chain.events[index], count: 1 };
  });
  const ghosts = new Map();
  const edges = [];
  let leaving = 0;
  for (const index of indices) {
    const event = chain.events[index];
    for (const { index: target, id, kind } of linkEdges(event)) {
      let from = places.get(target);
      if (target < 0) {
        if (!ghosts.has(id)) ghosts.set(id, nodes.push({ key: `m${id}`, missing: id }) - 1);
        from = ghosts.get(id);
      }
      if (from === undefined) leaving += 1;
      else edges.push({ from, to: places.get(index), kind, count: 1 });
    }
    for (const other of [...event.children, ...event.bears]) if (!places.has(other)) leaving += 1;
  }
  return { nodes, edges, leaving };
}

// A node a stage, an edge for all links between two of them.
function stageGraph() {
  const places = new Map();
  const nodes = [];
  const edges = new Map();
  const nodeOf = (event) => {
    if (!places.has(event.stage)) places.set(event.stage, nodes.push({ key: `s${nodes.length}`, stage: event.stage, count: 0 }) - 1);
    return places.get(event.stage);
  };
  let inside = 0;
  for (const event of chain.events) {
    const to = nodeOf(event);
    nodes[to].count += 1;
    for (const { index, kind } of linkEdges(event)) {
      if (index < 0) continue;
      const from = nodeOf(chain.events[index]);
      if (from === to) inside += 1;
      else {
        const key = `${from} ${to} ${kind}`;
        if (!edges.has(key)) edges.set(key, { from, to, kind, count: 0 });
        edges.get(key).count += 1;
      }
    }
  }
  return { nodes, edges: [...edges.values()], leaving: 0, inside };
}

function neighbourhood(start) {
  const found = new Set([start]);
  let edge = [start];
  for (let hop = 0; hop < HOPS && found.size < AROUND; hop += 1) {
    const next = [];
    for (const index of edge) {
      const event = chain.events[index];
      const near = [...linkEdges(event).map((target) => target.index), ...event.bears, ...event.children];
      for (const other of near) {
        if (other < 0 || found.has(other) || found.size >= AROUND) continue;
        found.add(other);
        next.push(other);
      }
    }
    edge = next;
  }
  return [...found].sort((a, b) => a - b);
}

// Returns {nodes, edges, words} of a scope: whole | shown | around | stages.
function graphOf(scope, selected, shown) {
  const total = plural(chain.events.length, "event");
  if (scope === "stages") {
    const graph = stageGraph();
    const count = graph.nodes.length;
    if (count > WHOLE) {
      graph.nodes.length = WHOLE;
      graph.edges = graph.edges.filter((edge) => edge.from < WHOLE && edge.to < WHOLE);
      return { ...graph, words: `The first ${whole(WHOLE)} of ${plural(count, "stage")}, and the links between them.` };
    }
    const hidden = graph.inside ? `; ${plural(graph.inside, "link")} inside stages ${graph.inside === 1 ? "is" : "are"} not drawn` : "";
    return { ...graph, words: `${plural(graph.nodes.length, "stage")} with ${total}${hidden}.` };
  }
  const indices = { whole: () => chain.events.map((event) => event.index), shown: () => shown, around: () => neighbourhood(selected) };
  const all = indices[scope]();
  const graph = eventGraph(all.slice(0, WHOLE));
  const drawn = Math.min(all.length, WHOLE);
  const parts = [drawn === chain.events.length ? `All ${total} and their links.` : `${whole(drawn)} of ${total}: `];
  if (drawn < chain.events.length) {
    if (scope === "around") parts[0] += `those within ${HOPS} links of event ${selected + 1}${drawn >= AROUND ? `, up to ${AROUND}` : ""}.`;
    else if (all.length > drawn) parts[0] += `the first ${whole(WHOLE)} of the ${whole(all.length)} that the filters let through.`;
    else parts[0] += "those that the filters let through.";
  }
  if (graph.leaving) parts.push(`${plural(graph.leaving, "link")} to events outside the picture ${graph.leaving === 1 ? "is" : "are"} not drawn.`);
  return { ...graph, words: parts.join(" ") };
}
