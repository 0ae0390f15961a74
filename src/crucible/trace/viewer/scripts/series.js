// What a chart of losses draws: names, colours, shapes and dashes of its lines, and the round numbers at its axes.

const LINES_SHOWN = 12;
const COLORS = 6;
const POINTS_DRAWN = 1500;
const MEASURES = {
  loss: ["circle", "solid"],
  "validation loss": ["square", "dashed"],
  "best validation loss": ["diamond", "short"],
  "final loss": ["triangle", "mixed"],
  "loss, first and last step": ["inverted", "dotted"],
};
const OTHERS = [["plus", "long"], ["bar", "short"], ["hourglass", "mixed"]]; // for measures that a trainer named
const SHAPES = {
  circle: "M-1 0A1 1 0 1 1 1 0A1 1 0 1 1 -1 0Z",
  square: "M-.95 -.95H.95V.95H-.95Z",
  diamond: "M0 -1.4L1.4 0L0 1.4L-1.4 0Z",
  triangle: "M0 -1.35L1.3 .95H-1.3Z",
  inverted: "M0 1.35L1.3 -.95H-1.3Z",
  plus: "M-.45 -1.3H.45V-.45H1.3V.45H.45V1.3H-.45V.45H-1.3V-.45H-.45Z",
  bar: "M-1.5 -.6H1.5V.6H-1.5Z",
  hourglass: "M-1.1 -1.2H1.1L-1.1 1.2H1.1Z",
};
const MARKED = 60; // points of a line that are all marked; of a longer one, every so many

// The same range, or where nothing would be seen between its ends, a wider one: by a share of its values, at least `least`.
function widened(low, high, share, least) {
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high / 2 - low / 2 > size * 1e-12) return [low, high];
  const by = Math.max(least, size * share) || 1;
  return [Math.max(low - by, -Number.MAX_VALUE), Math.min(high + by, Number.MAX_VALUE)];
}

// Round numbers from low to high, about `count` of them; counted by place, as sums stand still above 2^53.
function ticks(low, high, count) {
  if (!Number.isFinite(high - low)) return ticks(low / 2, high / 2, count).map((tick) => tick * 2);
  const step = 10 ** Math.floor(Math.log10((high - low) / count || 1));
  const size = [1, 2, 5, 10].map((part) => part * step).find((part) => (high - low) / part <= count) ?? step * 10;
  const first = Math.ceil(low / size);
  const found = new Set();
  for (let place = 0; place <= 2 * count; place += 1) {
    const tick = Number(((first + place) * size).toPrecision(15));
    if (tick >= low - size * 1e-9 && tick <= high + size * 1e-9) found.add(tick);
  }
  return [...found];
}

// The lowest and highest point of each of many short stretches: what a line of more points than pixels looks like.
function thinned(points) {
  if (points.length <= POINTS_DRAWN) return points;
  const stretch = Math.ceil(points.length / (POINTS_DRAWN / 2));
  const kept = [];
  for (let from = 0; from < points.length; from += stretch) {
    const part = points.slice(from, from + stretch);
    const low = part.reduce((best, point) => (point[1] < best[1] ? point : best));
    const high = part.reduce((best, point) => (point[1] > best[1] ? point : best));
    kept.push(...[low, high].sort((a, b) => part.indexOf(a) - part.indexOf(b)).filter((point, place) => !place || point !== low || low !== high));
  }
  return kept;
}

// Lines with names of what tells them apart; a colour for what is trained, a shape and a dash for what is measured.
function named(lines) {
  const fields = ["experiment", "stage", "model", "worker", "rank"].filter((field) => new Set(lines.map((each) => each.lane[field])).size > 1);
  const word = (field, value) => (value === null ? `no ${field}` : ["worker", "rank"].includes(field) ? `${field} ${value}` : value || `(empty ${field})`);
  const partsOf = (each) => [...new Set(fields.map((field) => word(field, each.lane[field])))];
  const trainings = new Map(); // by the same parts and measure: in which trainings
  const wordsOf = (each) => JSON.stringify([...partsOf(each), each.measure]);
  for (const each of lines) trainings.set(wordsOf(each), (trainings.get(wordsOf(each)) ?? new Set()).add(each.lane.training));
  const unclear = new Set(lines.filter((each) => trainings.get(wordsOf(each)).size > 1).map((each) => JSON.stringify(partsOf(each))));
  const owners = new Map();
  const others = [...new Set(lines.map((each) => each.measure).filter((measure) => !(measure in MEASURES)))];
  return lines.map((each, place) => {
    const parts = partsOf(each);
    if (unclear.has(JSON.stringify(parts))) parts.push(each.lane.training === null ? "no training" : nameOf(chain.events[each.lane.training], 40));
    const owner = JSON.stringify(parts);
    if (!owners.has(owner)) owners.set(owner, owners.size);
    const color = owners.get(owner);
    const [shape, dash] = MEASURES[each.measure] ?? OTHERS[others.indexOf(each.measure) % OTHERS.length];
    const name = [...parts, each.measure].join(" · ");
    return { ...each, place, name, shape, style: `s${color % COLORS}`, dash, isOn: color < COLORS && place < LINES_SHOWN };
  });
}

const dot = (each, x, y, size) => svg("path", { class: `dot ${each.style} is-${each.shape}`, d: SHAPES[each.shape], transform: `translate(${x} ${y}) scale(${size})` });
