// Making elements, and wording numbers and times. Text goes in as text, whatever it holds.

const SVG = "http://www.w3.org/2000/svg";
// What would be invisible, move the cursor or reverse the reading direction is shown as its code, as on the terminal.
const UNSEEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

function visible(text) {
  return text.replace(UNSEEN, (char) => {
    const code = char.codePointAt(0);
    const digits = code.toString(16);
    if (code < 0x100) return `\\x${digits.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
  });
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "title" || name === "aria-label") element.setAttribute(name, visible(value));
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : visible(String(child)));
  }
  return element;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Text with what was searched for marked.
function marked(text, query) {
  if (!query) return [visible(text)];
  const pattern = new RegExp(query.replace(/[\\^$.*+?()[\]{}|\/]/g, "\\$&"), "giu");
  const parts = [];
  let done = 0;
  for (const found of text.matchAll(pattern)) {
    if (!found[0]) break;
    parts.push(visible(text.slice(done, found.index)), el("mark", {}, found[0]));
    done = found.index + found[0].length;
  }
  parts.push(visible(text.slice(done)));
  return parts;
}

const whole = (number) => number.toLocaleString("en-US");
const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

function measured(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(3).replace("e+", "e");
  return String(Number(value.toPrecision(5)));
}

function offsetOf(event) {
  const seconds = event.us / 1e6;
  const longest = chain.lastUs / 1e6;
  if (longest < 1) return `+${(event.us / 1e3).toFixed(longest < 0.01 ? 3 : 0)} ms`;
  if (longest < 100) return `+${seconds.toFixed(2)} s`;
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (number) => String(number).padStart(2, "0");
  if (longest < 3600) return `+${minutes}:${two(rest)}`;
  if (longest < 172800) return `+${hours}:${two(minutes)}:${two(rest)}`;
  return `+${Math.floor(hours / 24)} d ${two(hours % 24)}:${two(minutes)}`;
}

// ISO-8601 to the microsecond; Date itself knows milliseconds.
function momentOf(event) {
  if (event.written) return event.written;
  const us = BigInt(chain.start_us) + BigInt(event.us);
  const part = ((us % 1000000n) + 1000000n) % 1000000n;
  const second = new Date(Number((us - part) / 1000n)).toISOString().slice(0, 19);
  return `${second}.${String(part).padStart(6, "0")}Z`;
}

function confidenceWords(event) {
  if (event.confidence !== null) return measured(event.confidence);
  return event.oddConfidence === null ? "not stated" : `not a number: ${event.oddConfidence}`;
}

const badge = (type) => el("span", { class: `badge t${type.place}`, title: type.meaning }, type.code);

const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text);

const nameOf = (event, length = 90) => `${whole(event.index + 1)}. ${shorten(event.decision || "(no decision)", length)}`;

// A line that may be long or hostile, on its own: its reading direction never touches its neighbours.
const line = (tag, attributes, ...children) => el(tag, { dir: "auto", ...attributes }, ...children);
