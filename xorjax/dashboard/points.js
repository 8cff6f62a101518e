import { SIGNS, arrange, commandBox, element, find, update, wordOf } from "/elements.js";

const LIMIT = 200;
const STATES = ["ok", "failed", "running", "stopped", "waiting"];
const lines = new Map();
const open = new Set();
let limit = LIMIT;
let name = null;

export function startPoints(show) {
  find("#states").append(...STATES.map((state) => element(
    "label", {}, element("input", { type: "checkbox", value: state, checked: "" }), `${SIGNS[state]} ${wordOf(state)}`,
  )));
  find("#points .controls").addEventListener("input", () => { limit = LIMIT; show(); });
  find("#more").addEventListener("click", () => { limit += 5 * LIMIT; show(); });
  find("#points tbody").addEventListener("click", ({ target }) => {
    const id = target.closest("button.title")?.dataset.id;
    if (id === undefined) return;
    if (!open.delete(id)) open.add(id);
    show();
  });
}

export function showPoints(experiment) {
  if (experiment.name !== name) {
    name = experiment.name;
    lines.clear();
    open.clear();
    limit = LIMIT;
  }
  const stages = experiment.stages.map(([kind, name, state, note]) => ({ kind, name, state, note, uses: 0 }));
  for (const point of experiment.points) for (const i of point.stages) stages[i].uses += 1;
  const kinds = [...new Set(stages.map(({ kind }) => kind))];
  update(find("#points thead tr"), ["point", "state", ...kinds], (words) => words.map(
    (word) => element("th", { class: "text", scope: "col" }, word),
  ));
  const chosen = experiment.points.filter(filter());
  if (find("#order").value === "newest") chosen.sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
  const shown = chosen.slice(0, limit);
  arrange(find("#points tbody"), shown.flatMap((point) => linesOf(point, kinds, point.stages.map((i) => stages[i]))));
  const all = experiment.points.length;
  find("#shown").textContent = shown.length === all ? ""
    : `${shown.length} of ${chosen.length} points${chosen.length < all ? ` that the filter leaves of ${all}` : ""}`;
  find("#more").hidden = shown.length === chosen.length;
  find("#more").textContent = `Show ${Math.min(5 * LIMIT, chosen.length - shown.length)} more`;
}

// "S 0.9, seed" finds S 0.9 but not S 0.95: what a comma ends is a whole setting, or a part of the point's id.
function filter() {
  const words = find("#filter").value.toLowerCase().split(",").map((word) => word.trim());
  const last = words.pop();
  const states = new Set([...document.querySelectorAll("#states input:checked")].map((box) => box.value));
  if (states.has("failed")) states.add("unreadable");
  return (point) => {
    const [title, id] = [point.title.toLowerCase(), point.id.toLowerCase()];
    const settings = title.split(", ");
    return states.has(point.state) && words.every((word) => settings.includes(word) || id.includes(word))
      && `${title}, ${id}`.includes(last);
  };
}

function linesOf(point, kinds, stages) {
  if (!lines.has(point.id)) {
    const button = element("button", { type: "button", class: "title", "data-id": point.id });
    lines.set(point.id, { line: element("tr", {}), title: element("td", { class: "text" }, button), button, detail: element("tr", {}) });
  }
  const { line, title, button, detail } = lines.get(point.id);
  // A title may break after the parts of a setting's name.
  update(button, point.title, () => point.title.split(/(?<=[a-z][._=])/).flatMap((part) => [part, element("wbr", {})]));
  update(line, [point.state, point.note, kinds, stages], () => [title, stateCell(point), ...kinds.map(
    (kind) => element("td", { class: "text" }, ...stages.filter((stage) => stage.kind === kind).map(signOf)),
  )]);
  button.setAttribute("aria-expanded", open.has(point.id));
  if (!open.has(point.id)) return [line];
  update(detail, [point, kinds, stages], () => [detailCell(point, 2 + kinds.length, stages)]);
  return [line, detail];
}

function stateCell({ state, note }) {
  const cell = element("td", { class: `text state ${state}`, title: note }, `${SIGNS[state]} ${wordOf(state)}`);
  if (note) cell.append(element("small", {}, note));
  return cell;
}

function saidOf({ kind, name, state, uses }) {
  return `${kind}/${name} (${wordOf(state)}${uses > 1 ? `, shared by ${uses} points` : ""})`;
}

function signOf(stage) {
  const { kind, state, note } = stage;
  const title = saidOf(stage) + (note ? `: ${note}` : "");
  return element("span", { class: `stage ${state}`, title, role: "img", "aria-label": `${kind} ${wordOf(state)}` }, SIGNS[state]);
}

function detailCell(point, colSpan, stages) {
  const said = [point.note, `point ${point.id}`, stages.map(saidOf).join(", ")].filter(Boolean);
  const box = element("div", { class: "detail" }, commandBox(point.command), ...said.map((words) => element("p", {}, words)));
  return element("td", { colspan: colSpan }, box);
}
