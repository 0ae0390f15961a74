// The encoded chain as objects: see encoding.py for what stands where in a row.

const NONE = Object.freeze([]);

function readChain(raw) {
  const said = (value) => (typeof value === "number" ? raw.strings[value] : value);
  const numbered = (words, value) => (value ? words[value - 1] : null);
  const types = raw.types.map((type, place) => ({ ...type, place, count: 0 }));
  const events = raw.events.map((row, index) => {
    const at = (place) => (place < row.length ? row[place] : 0);
    const time = row[1];
    const confidence = at(5);
    return {
      index,
      id: row[0],
      us: Array.isArray(time) ? time[0] : time,
      written: Array.isArray(time) ? time[1] : null,
      type: types[row[2] - 1],
      decision: said(row[3]),
      reasoning: said(row[4]),
      confidence: typeof confidence === "number" ? confidence : null,
      oddConfidence: typeof confidence === "string" ? confidence : null,
      parent: at(6) ? link(at(6)) : null,
      stage: numbered(raw.stages, at(7)),
      experiment: numbered(raw.experiments, at(8)),
      metadata: at(9),
      alternatives: at(10) ? at(10).map(said) : NONE,
      restsOn: at(11) ? at(11).map(link) : NONE,
      code: at(12) ? said(at(12)) : at(12) === "" ? "" : null,
      spec: at(13) ? said(at(13)) : at(13) === "" ? "" : null,
      others: at(14) || NONE,
      children: NONE,
      bears: NONE, // what rests on this
      text: null, // for the search, made when first asked for
    };
  });
  const ids = new Map();
  for (const event of events) {
    event.type.count += 1;
    event.isFirst = !ids.has(event.id);
    if (event.isFirst) ids.set(event.id, event.index);
    event.decides = event.type.decides || event.alternatives.length > 0;
    if (event.parent && event.parent.index >= 0) push(events[event.parent.index], "children", event.index);
    for (const { index } of event.restsOn) if (index >= 0) push(events[index], "bears", event.index);
  }
  const lastUs = events.reduce((last, event) => Math.max(last, event.us), 0);
  const byTime = events.map((event) => event.index).sort((a, b) => events[a].us - events[b].us || a - b);
  return { ...raw, types, events, ids, lastUs, byTime };

  function link(value) {
    return typeof value === "number" ? { index: value - 1, id: null } : { index: -1, id: value };
  }
  function push(event, field, index) {
    if (event[field] === NONE) event[field] = [];
    event[field].push(index);
  }
}

const chain = readChain(JSON.parse(document.getElementById("chain-data").textContent));

// Metadata as [key, value] pairs: an object would lose a key such as __proto__.
function metadataOf(event) {
  if (!event.metadata) return NONE;
  const [shape, ...values] = event.metadata;
  return chain.shapes[shape].map((key, place) => [key, values[place]]);
}

// What the search looks through: all that a card says of its event, and the keys and values of the metadata.
function searchText(event) {
  if (event.text === null) {
    const keys = event.metadata ? chain.shapes[event.metadata[0]] : NONE;
    const { type, code, spec, stage, experiment } = event;
    const named = [code, spec, stage, experiment].filter((words) => words !== null);
    const parts = [event.decision, event.reasoning, ...event.alternatives, event.id, type.name, type.title, ...named, ...keys];
    const waiting = event.metadata ? [event.metadata.slice(1), event.others] : [event.others];
    while (waiting.length) {
      const value = waiting.pop();
      if (value === null || typeof value !== "object") {
        parts.push(String(value));
        continue;
      }
      for (const [key, entry] of Object.entries(value)) {
        if (!Array.isArray(value)) parts.push(key);
        waiting.push(entry);
      }
    }
    event.text = parts.join("\n").toLowerCase();
  }
  return event.text;
}
