"use strict";
// What is filtered and sorted is kept in the page's address, so that a view can be shared: #S=0.9,0.95&axis=test
const form = document.querySelector("#filters");
const column = Object.fromEntries(Object.entries(DATA.columns).map(([name, packed]) => [name, unpack(packed)]));
// A rival has no n_in, no formats: those filters leave it.
const OF_CODING = new Set(DATA.of_coding);
// Of one seed there are no means, and no choice.
const DEFAULTS = { axis: "validation", dots: document.querySelector("input[name=dots]") ? "mean" : "point", scale: "linear", codecs: "" };
const listeners = [];
let kept = new Uint8Array(DATA.n).fill(1);
let sorting = "";

function unpack({ words, texts, index, values, same, n }) {
  if (n) return Array(n).fill(same);
  if (values) return values;
  const whole = texts.map((places) => places.map((place) => words[place]).join(""));
  return index.map((place) => (place < 0 ? null : whole[place]));
}

function inputs(name) {
  return [...form.elements].filter((input) => input.name === name);
}

// For each filter that is set, whether a value passes it.
function tests() {
  const found = [];
  for (const [name, short] of Object.entries(DATA.filters)) {
    const boxes = inputs(short);
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const [from, to] = ["from", "to"].map((end) => boxes.find((box) => box.dataset.end === end)?.value ?? "");
    if (chosen.size) {
      const known = new Map();
      found.push([name, (value) => {
        if (!known.has(value)) known.set(value, chosen.has(String(value)));
        return known.get(value);
      }]);
    } else if (from !== "" || to !== "") {
      const [least, most] = [from === "" ? -Infinity : Number(from), to === "" ? Infinity : Number(to)];
      found.push([name, (value) => value !== null && value >= least && value <= most]);
    }
  }
  return found;
}

function filter() {
  kept = new Uint8Array(DATA.n).fill(1);
  for (const [name, passes] of tests()) {
    const values = column[name];
    const isOptional = OF_CODING.has(name);
    for (let i = 0; i < DATA.n; i++) {
      if (kept[i] && !passes(values[i]) && !(isOptional && values[i] === null && DATA.baseline[i])) kept[i] = 0;
    }
  }
}

function state() {
  const parts = [];
  for (const short of [...Object.values(DATA.filters), ...Object.keys(DEFAULTS)]) {
    const boxes = inputs(short);
    const chosen = boxes.filter((box) => box.checked).map((box) => encodeURIComponent(box.value));
    const ends = boxes.filter((box) => box.dataset.end).map((box) => box.value);
    if (ends.some((end) => end !== "")) parts.push(`${short}=${ends.join("..")}`);
    else if (chosen.length && chosen.join() !== DEFAULTS[short]) parts.push(`${short}=${chosen}`);
  }
  if (sorting) parts.push(`sort=${sorting}`);
  return parts.join("&");
}

// On a narrow window the filters would hide what they filter: they are open there only where one is set.
function foldFilters() {
  const isSet = [...form.querySelectorAll("details input")].some((box) => box.checked || (box.dataset.end && box.value));
  form.querySelector("details").open = isSet || !matchMedia("(max-width: 700px)").matches;
}

// A part of the address as it was meant; one that cannot be decoded stays as it is, and chooses nothing.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readAddress() {
  const hash = location.hash.slice(1);
  if (hash && !hash.includes("=")) return;
  const given = Object.fromEntries(hash.split("&").map((part) => part.split("=")));
  for (const short of [...Object.values(DATA.filters), ...Object.keys(DEFAULTS)]) {
    const text = given[short] ?? DEFAULTS[short] ?? "";
    const chosen = new Set(text.split(",").map(decoded));
    const ends = text.split("..");
    for (const box of inputs(short)) {
      if (box.dataset.end) box.value = (box.dataset.end === "from" ? ends[0] : ends[1]) ?? "";
      else box.checked = chosen.has(box.value);
    }
  }
  sorting = given.sort ?? "";
}

function writeAddress() {
  const text = state();
  if (text) history.replaceState(null, "", `#${text}`);
  else if (location.hash.includes("=")) history.replaceState(null, "", location.pathname + location.search);
}

function update() {
  filter();
  listeners.forEach((listener) => listener());
}

// Not of the form alone: the choices above the figure belong to it and stand elsewhere on the page.
addEventListener("input", (event) => { if (event.target.form === form) { update(); writeAddress(); } });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { update(); writeAddress(); }));
addEventListener("hashchange", () => { if (location.hash.includes("=")) { readAddress(); update(); } });
form.querySelector("#share").addEventListener("click", () => copy(
  location.href, form.querySelector("#shown"), "The link is in the address bar.",
));
// The address holds the view, so a link within the page only goes there.
for (const link of document.querySelectorAll("nav a, .skip")) {
  link.addEventListener("click", (event) => {
    if (!state()) return;
    event.preventDefault();
    const target = document.querySelector(link.getAttribute("href"));
    target.tabIndex = -1;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  });
}

const chosen = document.querySelector("#chosen");
const chosenListeners = [];
let chosenRow = null;

// Shows the settings and the command of a row, null for none; of a mean, whose command it is.
function choose(row, whose = "") {
  chosenRow = row;
  chosen.hidden = row === null;
  if (row !== null) {
    chosen.querySelector("strong").textContent = describe(row, !whose);
    chosen.querySelector("#whose").textContent = whose;
    chosen.querySelector("code").textContent = column.command[row] ?? "no command";
    chosen.querySelector("[role=status]").textContent = "";
    getSelection().selectAllChildren(chosen.querySelector("code"));
  }
  chosenListeners.forEach((listener) => listener(row));
}

// What the rest of the page calls a value.
function nameOf(name, row) {
  const value = column[name][row];
  return DATA.names[name]?.[value] ?? value;
}

function describe(row, withSeed) {
  const parts = column.prune_rate[row] === null ? [] : [`S ${column.prune_rate[row]}`];
  if (column.n_out[row] !== null) parts.push(`${column.n_in[row]} → ${column.n_out[row]}`);
  else if (column.n_in[row] !== null) parts.push(`n_in ${column.n_in[row]}`);
  parts.push(column.codec[row], column.patch_format[row], nameOf("mask_codec", row));
  if (withSeed && column.seed[row] !== null) parts.push(`seed ${column.seed[row]}`);
  return parts.filter((part) => part !== null).join(", ") || column.point[row];
}

// Puts a text on the clipboard and says so; where that is not allowed, how else to get it.
function copy(text, place, otherwise) {
  const say = (words) => { place.textContent = words; };
  if (!navigator.clipboard) return say(otherwise);
  return navigator.clipboard.writeText(text).then(() => say("Copied."), () => say(otherwise));
}

// Copies the command of a block, which is selected too.
function copyCommand(block) {
  const code = block.querySelector("code");
  getSelection().selectAllChildren(code);
  copy(code.textContent, block.querySelector("[role=status]"), "It is selected: press Ctrl+C.");
}

chosen.addEventListener("click", (event) => {
  const { do: what } = event.target.dataset;
  if (what === "close") choose(null);
  if (what === "copy") copyCommand(chosen);
});
addEventListener("keydown", (event) => { if (event.key === "Escape") choose(null); });
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copyCommand(button.closest(".failure")));
}

// A line of a table whose rows can be chosen: cells are [text, CSS classes]; `whose` as for `choose`.
function line(row, cells, whose = "") {
  const made = document.createElement("tr");
  made.dataset.row = row;
  made.dataset.whose = whose;
  made.tabIndex = -1;
  if (row === chosenRow) made.setAttribute("aria-selected", "true");
  for (const [text, kinds] of cells) {
    const cell = made.insertCell();
    cell.textContent = text;
    cell.className = kinds;
  }
  return made;
}

function fill(body, lines) {
  body.replaceChildren(...lines);
  if (lines.length) lines[0].tabIndex = 0;
}

for (const body of document.querySelectorAll("table.chosen tbody")) {
  const chooseLine = ({ dataset }) => choose(Number(dataset.row), dataset.whose);
  body.addEventListener("click", (event) => chooseLine(event.target.closest("tr")));
  body.addEventListener("keydown", (event) => {
    const current = event.target.closest("tr");
    const next = { ArrowDown: current.nextElementSibling, ArrowUp: current.previousElementSibling }[event.key];
    if (next) {
      event.preventDefault();
      current.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      chooseLine(current);
    }
  });
}
chosenListeners.push((row) => {
  for (const made of document.querySelectorAll("table.chosen tbody tr")) {
    if (Number(made.dataset.row) === row) made.setAttribute("aria-selected", "true");
    else made.removeAttribute("aria-selected");
  }
});
readAddress();
foldFilters();
filter();
