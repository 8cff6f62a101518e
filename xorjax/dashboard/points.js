import { SIGNS, element, number, setCommand, withUnit, wordOf } from "/elements.js";

const LIMIT = 200;

const find = (selector) => document.querySelector(`#points ${selector}`);
const lines = new Map();
const open = new Set();
let limit = LIMIT;
let name = null;
let kinds = [];
let refresh = null;
let wanted = null;

export function startPoints(states, show) {
  refresh = show;
  const boxes = states.filter((state) => state !== "unreadable").map((state) => {
    const label = element("label");
    const box = element("input");
    [box.type, box.value, box.checked] = ["checkbox", state, true];
    box.addEventListener("change", show);
    label.append(box, `${SIGNS[state]} ${wordOf(state)}`);
    return label;
  });
  find("#states").append(...boxes);
  find("#filter").addEventListener("input", () => { limit = LIMIT; show(); });
  find("#order").addEventListener("change", show);
  find("#more").addEventListener("click", () => { limit += 5 * LIMIT; show(); });
}

// Open a point, among all that the filter leaves.
export function showPoint(point, filter) {
  find("#filter").value = filter;
  open.add(point.id);
  wanted = point.id;
  refresh();
}

export function showPoints(experiment) {
  if (experiment.name !== name) {
    name = experiment.name;
    lines.clear();
    open.clear();
    limit = LIMIT;
  }
  kinds = [...new Set(experiment.stages.map(([kind]) => kind))];
  showHead(experiment.metric);
  const chosen = order(experiment.points.filter(filter()), experiment.metric);
  const shown = chosen.slice(0, limit);
  const body = find("tbody");
  const wantedLines = shown.flatMap((point) => lineOf(experiment, point));
  const kept = new Set(wantedLines);
  for (const line of [...body.children]) if (!kept.has(line)) line.remove();
  // What has its place is not moved: it keeps the focus, and the page its scroll position.
  let next = body.firstChild;
  for (const line of wantedLines) {
    if (line === next) next = next.nextSibling;
    else body.insertBefore(line, next);
  }
  const all = experiment.points.length;
  find("#shown").textContent = chosen.length === all && shown.length === all ? ""
    : `${shown.length} of ${chosen.length} points${chosen.length < all ? ` that the filter leaves of ${all}` : ""}`;
  find("#more").hidden = shown.length === chosen.length;
  find("#more").textContent = `Show ${Math.min(5 * LIMIT, chosen.length - shown.length)} more`;
  if (wanted !== null && lines.has(wanted)) {
    lines.get(wanted).nodes[0].scrollIntoView({ block: "center" });
    wanted = null;
  }
}

// "S 0.9, seed" finds S 0.9 but not S 0.95: what a comma ends is a whole setting, or a part of the point's id.
function filter() {
  const words = find("#filter").value.toLowerCase().split(",").map((word) => word.trim());
  const last = words.pop();
  const states = new Set([...document.querySelectorAll("#states input:checked")].map((box) => box.value));
  if (states.has("failed")) states.add("unreadable");
  return (point) => {
    const [title, id] = [point.title.toLowerCase(), point.id.toLowerCase()];
    const settings = [...title.split(", "), point.mask_codec];
    return states.has(point.state) && words.every((word) => settings.includes(word) || id.includes(word))
      && `${title}, ${id}, ${point.mask_codec || ""}`.includes(last);
  };
}

function order(points, metric) {
  const by = find("#order").value;
  if (by === "plan") return points;
  const sign = by === "bits" || (by === "validation" && !metric.higher_is_better) ? 1 : -1;
  const key = by === "newest" ? "time" : by;
  return points.sort((a, b) => (a[key] === null) - (b[key] === null) || sign * (a[key] - b[key]) || a.i - b.i);
}

function showHead({ unit }) {
  const of = unit ? ` (${unit})` : "";
  const names = ["point", "bits/weight", `validation${of}`, `test${of}`, "state", ...kinds];
  const head = find("thead");
  if (head.dataset.key === names.join()) return;
  head.dataset.key = names.join();
  const line = element("tr");
  line.append(...names.map((name, i) => {
    const heading = element("th", i === 0 || i >= 4 ? "text" : "", name);
    heading.scope = "col";
    return heading;
  }));
  head.replaceChildren(line);
}

function lineOf(experiment, point) {
  const states = point.stages.map((i) => experiment.states[i]);
  const key = `${JSON.stringify(point)}${states.map(({ state, note }) => state + note).join()}`;
  let line = lines.get(point.id);
  if (!line) {
    line = { nodes: [element("tr")], key: null };
    lines.set(point.id, line);
  }
  if (line.key !== key) {
    line.key = key;
    fill(line, experiment, point);
  }
  const expanded = open.has(point.id);
  line.button.setAttribute("aria-expanded", expanded);
  if (!expanded) return line.nodes.slice(0, 1);
  line.nodes[1] ||= element("tr", "detail");
  if (line.detailed !== key) {
    line.detailed = key;
    detail(line.nodes[1], experiment, point);
  }
  return line.nodes;
}

function fill(line, experiment, point) {
  const focused = line.button && document.activeElement === line.button;
  const title = element("td", "text title");
  line.button ||= titleButton(point);
  // A title may break after the parts of a setting's name.
  const parts = point.title.split(/(?<=[a-z][._=])/);
  line.button.replaceChildren(...parts.flatMap((part) => [part, element("wbr")]));
  title.append(line.button);
  const state = element("td", `text state ${point.state}`, `${SIGNS[point.state]} ${wordOf(point.state)}`);
  state.title = point.note;
  const measured = (value) => element("td", "", value === null ? "" : number(value, experiment.metric));
  line.nodes[0].replaceChildren(
    title, element("td", "", point.bits === null ? "" : point.bits.toFixed(4)),
    measured(point.validation), measured(point.test), state, ...kinds.map((kind) => stageCell(experiment, point, kind)),
  );
  if (focused) line.button.focus();
}

function titleButton(point) {
  const button = element("button", "title");
  button.type = "button";
  button.addEventListener("click", () => {
    if (!open.delete(point.id)) open.add(point.id);
    refresh();
  });
  return button;
}

function stageCell(experiment, point, kind) {
  const cell = element("td", "text");
  const own = point.stages.filter((i) => experiment.stages[i][0] === kind);
  cell.append(...own.map((i) => {
    const { state, note, uses } = experiment.states[i];
    const sign = element("span", `stage ${state}`, SIGNS[state]);
    const shared = uses > 1 ? `, shared by ${uses} points` : "";
    sign.title = `${kind} ${experiment.stages[i][1]}: ${wordOf(state)}${shared}${note ? `. ${note}` : ""}`;
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", `${kind} ${wordOf(state)}`);
    return sign;
  }));
  return cell;
}

function detail(line, experiment, point) {
  const cell = element("td");
  const box = element("div");
  const { metric } = experiment;
  cell.colSpan = 5 + kinds.length;
  cell.append(box);
  const command = element("div", "command");
  setCommand(command, point.command);
  box.append(command);
  const others = [["reference", point.reference_test], ["dense model", point.dense_test]].filter(([, value]) => value !== null);
  if (others.length) {
    const values = others.map(([name, value]) => `${name}: ${withUnit(number(value, metric), metric)}`);
    box.append(element("p", "", `${values.join(", ")} on the test split`));
  }
  if (point.note) box.append(element("p", "", point.note));
  box.append(element("p", "", `point ${point.id}`));
  const stages = point.stages.map((i) => {
    const { state, uses } = experiment.states[i];
    return `${experiment.stages[i].join("/")} (${wordOf(state)}${uses > 1 ? `, shared by ${uses} points` : ""})`;
  });
  if (stages.length) box.append(element("p", "", stages.join(", ")));
  line.replaceChildren(cell);
}
