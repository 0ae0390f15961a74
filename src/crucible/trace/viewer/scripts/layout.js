// A layered layout: causes left, effects right. Iterative throughout, so that no chain is too deep.

const NODE = { width: 216, height: 50, gapX: 64, gapY: 14, bend: 10 };
const BENDS = 3000; // above, long edges run straight

// Nodes: [{key, height}]; edges: [{from, to}] by place. Marks edges that close a cycle (`isBack`) and adds, to nodes, x and
// y; to edges, the points they pass.
function layered(nodes, edges) {
  for (const edge of edges) edge.isBack = edge.from === edge.to;
  breakCycles(nodes, edges);
  const layers = assignLayers(nodes, edges);
  const chains = bends(nodes, edges, layers);
  order(chains);
  return position(nodes, edges, chains);
}

function breakCycles(nodes, edges) {
  const out = nodes.map(() => []);
  for (const edge of edges) if (!edge.isBack) out[edge.from].push(edge);
  const mark = new Uint8Array(nodes.length); // 1: on the path, 2: done
  for (let root = 0; root < nodes.length; root += 1) {
    if (mark[root]) continue;
    const path = [[root, 0]];
    mark[root] = 1;
    while (path.length) {
      const top = path[path.length - 1];
      const edge = out[top[0]][top[1]];
      if (!edge) {
        mark[top[0]] = 2;
        path.pop();
        continue;
      }
      top[1] += 1;
      if (mark[edge.to] === 1) edge.isBack = true;
      else if (!mark[edge.to]) {
        mark[edge.to] = 1;
        path.push([edge.to, 0]);
      }
    }
  }
}

// The longest path from a source, in topological order.
function assignLayers(nodes, edges) {
  const layer = new Array(nodes.length).fill(0);
  const waiting = new Array(nodes.length).fill(0);
  const out = nodes.map(() => []);
  for (const edge of edges) {
    if (edge.isBack) continue;
    waiting[edge.to] += 1;
    out[edge.from].push(edge.to);
  }
  const ready = nodes.map((_, place) => place).filter((place) => !waiting[place]);
  for (let head = 0; head < ready.length; head += 1) {
    for (const next of out[ready[head]]) {
      layer[next] = Math.max(layer[next], layer[ready[head]] + 1);
      waiting[next] -= 1;
      if (!waiting[next]) ready.push(next);
    }
  }
  return layer;
}

// Splits edges over several layers at bends, so that they find a way between the nodes.
function bends(nodes, edges, layer) {
  const columns = [];
  const place = (item) => (columns[item.layer] ||= []).push(item);
  const items = nodes.map((node, index) => ({ node, layer: layer[index], height: NODE.height, before: [], after: [] }));
  items.forEach(place);
  const long = edges.reduce((sum, edge) => sum + (edge.isBack ? 0 : layer[edge.to] - layer[edge.from] - 1), 0);
  for (const edge of edges) {
    edge.bends = [];
    if (edge.isBack) continue;
    let last = items[edge.from];
    if (long <= BENDS) {
      for (let at = layer[edge.from] + 1; at < layer[edge.to]; at += 1) {
        const bend = { node: null, layer: at, height: NODE.bend, before: [], after: [] };
        place(bend);
        edge.bends.push(bend);
        last.after.push(bend);
        bend.before.push(last);
        last = bend;
      }
    }
    last.after.push(items[edge.to]);
    items[edge.to].before.push(last);
  }
  return columns;
}

// Fewer crossings: from the order in which a walk meets the nodes, which draws a tree without any, each layer is put into
// the order of the mean place of its neighbours, forth and back; the best arrangement met is kept.
function order(columns) {
  const number = (column) => column.forEach((item, rank) => (item.rank = rank));
  walked(columns);
  columns.forEach(number);
  let best = crossings(columns);
  let kept = columns.map((column) => [...column]);
  for (let round = 0; round < 8 && best > 0; round += 1) {
    const isForth = round % 2 === 0;
    for (const column of isForth ? columns : [...columns].reverse()) {
      for (const item of column) {
        const near = isForth ? item.before : item.after;
        item.wish = near.length ? near.reduce((sum, other) => sum + other.rank, 0) / near.length : item.rank;
      }
      column.sort((a, b) => a.wish - b.wish || a.rank - b.rank);
      number(column);
    }
    const count = crossings(columns);
    if (count < best) [best, kept] = [count, columns.map((column) => [...column])];
  }
  kept.forEach((column, layer) => {
    columns[layer] = column;
    number(column);
  });
}

function walked(columns) {
  const met = new Set();
  const rows = columns.map(() => []);
  for (const root of columns.flat().filter((item) => !item.before.length)) {
    const waiting = [root];
    while (waiting.length) {
      const item = waiting.pop();
      if (met.has(item)) continue;
      met.add(item);
      rows[item.layer].push(item);
      for (let place = item.after.length - 1; place >= 0; place -= 1) waiting.push(item.after[place]);
    }
  }
  rows.forEach((row, layer) => (columns[layer] = row));
}

// Pairs of lines between neighbouring layers that cross, counted with sums over a tree.
function crossings(columns) {
  let count = 0;
  for (let layer = 1; layer < columns.length; layer += 1) {
    const sums = new Uint32Array(columns[layer].length + 1);
    let seen = 0;
    for (const item of columns[layer - 1]) {
      const ends = item.after.map((other) => other.rank);
      for (const end of ends) {
        let above = 0;
        for (let at = end + 1; at > 0; at -= at & -at) above += sums[at];
        count += seen - above;
      }
      for (const end of ends) for (let at = end + 1; at < sums.length; at += at & -at) sums[at] += 1;
      seen += ends.length;
    }
  }
  return count;
}

function position(nodes, edges, columns) {
  const gap = (a, b) => (a.height + b.height) / 2 + NODE.gapY;
  for (const column of columns) {
    let y = 0;
    column.forEach((item, rank) => {
      y += rank ? gap(column[rank - 1], item) : 0;
      item.y = y;
    });
  }
  for (let round = 0; round < 12; round += 1) {
    for (const column of round % 2 ? [...columns].reverse() : columns) settle(column, gap);
  }
  const top = Math.min(0, ...columns.map((column) => column[0]?.y ?? 0)) - NODE.height;
  let height = 0;
  for (const column of columns) {
    for (const item of column) {
      item.y -= top;
      item.x = item.layer * (NODE.width + NODE.gapX);
      height = Math.max(height, item.y + NODE.height);
      if (item.node) Object.assign(item.node, { x: item.x, y: item.y });
    }
  }
  return { width: columns.length * (NODE.width + NODE.gapX) - NODE.gapX, height };
}

// Moves each item towards the mean of its neighbours, keeping order and distance: the mean of the lowest and the highest
// arrangement that allow it.
function settle(column, gap) {
  const wish = column.map((item) => {
    const near = [...item.before, ...item.after];
    return near.length ? near.reduce((sum, other) => sum + other.y, 0) / near.length : item.y;
  });
  const down = [...wish];
  const up = [...wish];
  for (let rank = 1; rank < column.length; rank += 1) {
    down[rank] = Math.max(wish[rank], down[rank - 1] + gap(column[rank - 1], column[rank]));
  }
  for (let rank = column.length - 2; rank >= 0; rank -= 1) {
    up[rank] = Math.min(wish[rank], up[rank + 1] - gap(column[rank], column[rank + 1]));
  }
  column.forEach((item, rank) => (item.y = (down[rank] + up[rank]) / 2));
}
