// What is shown, and how that is written into the address.

const VIEWS = chain.lines.length ? ["list", "graph", "loss"] : ["list", "graph"];
const ANY = undefined; // no choice of stage or experiment; null is "none named"

const everything = () => ({
  query: "",
  types: new Set(),
  low: 0, // percent; 0 is no lower bound
  high: 100, // percent; 100 is no upper bound
  said: "any", // any | stated | unstated
  stage: ANY,
  experiment: ANY,
  decisions: false,
  inside: -1, // event
  view: "list",
  event: -1,
});

function isFiltered(state) {
  const bounded = state.low > 0 || state.high < 100 || state.said !== "any";
  const chosen = state.types.size > 0 || state.stage !== ANY || state.experiment !== ANY || state.inside >= 0;
  return bounded || chosen || state.query !== "" || state.decisions;
}

function matcher(state) {
  const query = state.query.toLowerCase();
  const { types, stage, experiment, said } = state;
  const [low, high] = [state.low / 100, state.high / 100];
  const isBounded = low > 0 || high < 1;
  return (event) => {
    if (types.size && !types.has(event.type.name)) return false;
    if (event.confidence === null) {
      // What is not stated is neither high nor low: bounds leave it out, unless it is what was asked for.
      if (said === "stated" || (isBounded && said === "any")) return false;
    } else if (said === "unstated") {
      return false;
    } else if ((low > 0 && event.confidence < low) || (high < 1 && event.confidence > high)) {
      return false;
    }
    if (stage !== ANY && event.stage !== stage) return false;
    if (experiment !== ANY && event.experiment !== experiment) return false;
    if (state.decisions && !event.decides) return false;
    if (state.inside >= 0 && (!event.parent || event.parent.index !== state.inside)) return false;
    return !query || searchText(event).includes(query);
  };
}

function filtered(state) {
  const fits = matcher(state);
  const found = [];
  for (const event of chain.events) if (fits(event)) found.push(event.index);
  return found;
}

const addressed = (index) => (chain.events[index].isFirst ? ["event", chain.events[index].id] : ["number", index + 1]);

function toHash(state) {
  const words = new URLSearchParams();
  if (state.query) words.set("q", state.query);
  for (const name of state.types) words.append("type", name);
  if (state.low > 0) words.set("min", state.low);
  if (state.high < 100) words.set("max", state.high);
  if (state.said !== "any") words.set("confidence", state.said);
  for (const field of ["stage", "experiment"]) {
    if (state[field] === null) words.append("without", field);
    else if (state[field] !== ANY) words.set(field, state[field]);
  }
  if (state.decisions) words.set("decisions", 1);
  if (state.inside >= 0) words.set("inside", state.inside + 1);
  if (state.view !== "list") words.set("view", state.view);
  if (state.event >= 0) words.set(...addressed(state.event));
  return `#${words}`;
}

function fromHash(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const state = everything();
  const percent = (name, standard) => {
    const value = words.has(name) ? Number(words.get(name)) : NaN;
    return value >= 0 && value <= 100 ? Math.round(value) : standard;
  };
  const place = (name) => {
    const value = Number(words.get(name) || NaN);
    return Number.isInteger(value) && value >= 1 && value <= chain.events.length ? value - 1 : -1;
  };
  state.query = words.get("q") || "";
  const known = new Set(chain.types.map((type) => type.name));
  state.types = new Set(words.getAll("type").filter((name) => known.has(name)));
  state.low = percent("min", 0);
  state.high = Math.max(percent("max", 100), state.low);
  if (["stated", "unstated"].includes(words.get("confidence"))) state.said = words.get("confidence");
  for (const [field, list] of [["stage", chain.stages], ["experiment", chain.experiments]]) {
    if (words.getAll("without").includes(field)) state[field] = null;
    else if (list.includes(words.get(field))) state[field] = words.get(field);
  }
  state.decisions = words.get("decisions") === "1";
  state.inside = place("inside");
  state.view = VIEWS.includes(words.get("view")) ? words.get("view") : "list";
  state.event = words.has("event") ? (chain.ids.get(words.get("event")) ?? -1) : place("number");
  return state;
}
