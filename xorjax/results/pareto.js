"use strict";
// Total bits against accuracy: plotly draws the axes and the fronts, a canvas above it the dots, thousands at once.
const POINTS = Object.fromEntries(Object.entries(DATA.points).map(([name, packed]) => [name, unpack(packed)]));
const ALL = POINTS.row.map((_, point) => point);
POINTS.method = POINTS.row.map((row) => column.method[row]);
POINTS.isCode = POINTS.row.map((row) => column.n_out[row] !== null);
POINTS.seeds = POINTS.row.map((row) => String(column.seed[row]));
const place = document.querySelector("#pareto");
const canvas = document.createElement("canvas");
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
let shown = [];

// What is chosen; what there is no choice of is as it is by default.
function setOf(name) {
  return form.elements[name]?.value ?? DEFAULTS[name];
}

// The dots of points: themselves, or the means of those that differ in the seed alone, which lie behind all points.
function dotsOf(points) {
  for (const values of Object.values(POINTS)) values.length = ALL.length;
  if (setOf("dots") === "point") return points;
  const groups = new Map();
  for (const point of points) {
    if (!groups.has(POINTS.alike[point])) groups.set(POINTS.alike[point], []);
    groups.get(POINTS.alike[point]).push(point);
  }
  return [...groups.values()].map(addMean);
}

function addMean(points) {
  const made = POINTS.row.length;
  for (const values of Object.values(POINTS)) values.push(values[points[0]]);
  for (const name of ["bits_per_weight", "validation_accuracy", "test_accuracy"]) {
    const values = points.map((point) => POINTS[name][point]);
    POINTS[name][made] = values.includes(null) ? null : values.reduce((sum, value) => sum + value) / values.length;
  }
  POINTS.seeds[made] = points.map((point) => POINTS.seeds[point]).join(", ");
  return made;
}

// The points that no other beats in both, from the smallest on; by validation accuracy: the test split chooses nothing.
function frontOf(points) {
  const accuracy = POINTS.validation_accuracy;
  const ordered = points.filter((point) => accuracy[point] !== null).sort((a, b) =>
    POINTS.bits_per_weight[a] - POINTS.bits_per_weight[b] || accuracy[b] - accuracy[a]);
  let best = -Infinity;
  return ordered.filter((point) => {
    if (accuracy[point] <= best) return false;
    best = accuracy[point];
    return true;
  });
}

function steps(points, accuracy, right, dash) {
  return {
    type: "scatter", mode: "lines", hoverinfo: "skip",
    x: [...points.map((point) => POINTS.bits_per_weight[point]), right],
    y: [...points, points.at(-1)].map((point) => 100 * accuracy[point]),
    line: { shape: "hv", dash, width: 2, color: getComputedStyle(place).color },
  };
}

const pointsByName = new Map(ALL.map((point) => [`${column.point[POINTS.row[point]]} ${POINTS.method[point]}`, point]));

function pointOfRow(row) {
  return pointsByName.get(`${column.point[row]} ${column.method[row]}`) ?? -1;
}

function rangeOf(values, log) {
  const [least, most] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const ends = (values.length ? [least, most] : [0.1, 1]).map((v) => (log ? Math.log10(v) : v));
  const margin = 0.04 * (ends[1] - ends[0]) || 0.01;
  return [ends[0] - margin, ends[1] + margin];
}

function drawPareto() {
  const accuracy = POINTS[`${setOf("axis")}_accuracy`];
  const isLog = setOf("scale") !== "linear";
  const left = ALL.filter((point) => kept[POINTS.row[point]]);
  shown = dotsOf(left).filter((point) => accuracy[point] !== null);
  const right = Math.max(...shown.map((point) => POINTS.bits_per_weight[point]), 0);
  const front = frontOf(shown.filter((point) => POINTS.isCode[point]));
  const others = frontOf(shown.filter((point) => !POINTS.isCode[point]));
  const axis = { zeroline: false, showline: false, ticks: "" };
  const layout = {
    showlegend: false, hovermode: false, dragmode: "zoom", font: { family: "system-ui, sans-serif", size: 13 },
    uirevision: setOf("axis") + setOf("scale"), margin: { l: 66, r: 14, t: 10, b: 52 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    width: onPaper ? place.clientWidth : undefined, autosize: !onPaper,
    xaxis: {
      ...axis, type: isLog ? "log" : "linear", title: { text: "bits per weight", standoff: 10 },
      range: rangeOf(shown.map((point) => POINTS.bits_per_weight[point]), isLog),
    },
    yaxis: {
      ...axis, title: { text: `${setOf("axis")} accuracy (%)`, standoff: 10 }, tickformat: ".2f",
      range: rangeOf(shown.map((point) => 100 * accuracy[point]), false),
    },
  };
  const lines = [[front, "solid"], [others, "dot"]].filter(([points]) => points.length)
    .map(([points, dash]) => steps(points, accuracy, right, dash));
  Plotly.react(place, lines, layout, { displayModeBar: false, responsive: !onPaper, doubleClick: "reset" });
  showFront(front);
  const count = (points, isCode) => points.filter((point) => POINTS.isCode[point] === isCode).length.toLocaleString("en");
  document.querySelector("#shown").textContent = `${count(left, true)} of ${count(ALL, true)} points and `
    + `${count(left, false)} of ${count(ALL, false)} results of other codecs.`;
}

// Where a point is, in pixels of the figure.
function placeOf(point) {
  const { xaxis, yaxis } = place._fullLayout;
  const accuracy = POINTS[`${setOf("axis")}_accuracy`];
  return [xaxis._offset + xaxis.d2p(POINTS.bits_per_weight[point]), yaxis._offset + yaxis.d2p(100 * accuracy[point])];
}

function drawDots() {
  const { xaxis, yaxis, width, height } = place._fullLayout;
  const sharpness = onPaper ? 3 : devicePixelRatio;
  Object.assign(canvas, { width: width * sharpness, height: height * sharpness });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const pen = canvas.getContext("2d");
  pen.scale(sharpness, sharpness);
  pen.rect(xaxis._offset - 6, yaxis._offset - 6, xaxis._length + 12, yaxis._length + 12);
  pen.clip();
  const groups = new Map();
  for (const point of shown) {
    const drawnAlike = `${POINTS.method[point]} ${column.prune_rate[POINTS.row[point]]}`;
    if (!groups.has(drawnAlike)) groups.set(drawnAlike, []);
    groups.get(drawnAlike).push(point);
  }
  const radius = shown.length > 2000 ? 2.5 : 4;
  for (const points of groups.values()) {
    const { symbol } = DATA.marks[POINTS.method[points[0]]];
    const sign = new Path2D();
    for (const point of points) trace(sign, symbol, ...placeOf(point), radius);
    pen.fillStyle = pen.strokeStyle = themed(DATA.colours[column.prune_rate[POINTS.row[points[0]]]]);
    pen.globalAlpha = 0.85;
    pen.lineWidth = 1.3;
    if (symbol.endsWith("open")) pen.stroke(sign);
    else pen.fill(sign);
  }
  const point = chosenRow === null ? -1 : pointOfRow(chosenRow);
  const isOf = (dot) => (dot < ALL.length ? dot === point : POINTS.alike[dot] === POINTS.alike[point]);
  const dot = shown.find(isOf);
  if (dot === undefined) return;
  const ring = new Path2D();
  trace(ring, "circle", ...placeOf(dot), radius + 6);
  pen.globalAlpha = 1;
  pen.lineWidth = 3;
  pen.strokeStyle = getComputedStyle(place).color;
  pen.stroke(ring);
}

const CORNERS = { square: [4, 0.125, 1.3], diamond: [4, 0, 1.4], "triangle-up": [3, -0.25, 1.4], "triangle-down": [3, 0.25, 1.4] };

// Adds a sign to a path: its corners on a circle, each as a part of a turn.
function trace(path, symbol, x, y, radius) {
  const kind = symbol.replace("-open", "");
  if (kind === "circle") {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const [n, start, size] = CORNERS[kind] ?? [10, -0.25, 1.6];
  for (let i = 0; i < n; i++) {
    const turn = 2 * Math.PI * (start + i / n);
    const far = radius * size * (kind === "star" && i % 2 ? 0.45 : 1);
    path[i ? "lineTo" : "moveTo"](x + far * Math.cos(turn), y + far * Math.sin(turn));
  }
  path.closePath();
}

// The point nearest to the pointer, if it is near.
function under(event) {
  const box = place.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let [best, least] = [null, 12 ** 2];
  for (const point of shown) {
    const [px, py] = placeOf(point);
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [point, distance];
  }
  return best;
}

function showFront(front) {
  const percent = (value) => (value === null ? "" : (100 * value).toFixed(2));
  fill(document.querySelector("#front tbody"), front.map((point) => line(POINTS.row[point], [
    [POINTS.bits_per_weight[point].toFixed(4), ""], [percent(POINTS.validation_accuracy[point]), ""],
    [percent(POINTS.test_accuracy[point]), ""], [POINTS.seeds[point], ""], [POINTS.setting[point], "text"],
  ])));
}

function showTip(event) {
  const point = under(event);
  tip.hidden = point === null;
  if (point === null) return;
  const row = POINTS.row[point];
  const lines = [
    `${POINTS.setting[point]}, ${point < ALL.length ? "seed" : "mean over seeds"} ${POINTS.seeds[point]}`,
    `${POINTS.bits_per_weight[point].toFixed(4)} bits; validation ${(100 * POINTS.validation_accuracy[point]).toFixed(2)} %, `
      + `test ${(100 * POINTS.test_accuracy[point]).toFixed(2)} %`,
    column.command[row] ?? "",
  ];
  tip.replaceChildren(...lines.map((text, i) => {
    const made = document.createElement(["strong", "span", "code"][i]);
    made.textContent = text;
    return made;
  }));
  const box = place.getBoundingClientRect();
  const x = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth);
  tip.style.left = `${Math.max(0, x)}px`;
  tip.style.top = `${event.clientY - box.top + 18}px`;
}

function showLayers() {
  const wanted = document.querySelector("#setting").value;
  const layers = new Map();
  for (let row = 0; row < DATA.n; row++) {
    const point = pointOfRow(row);
    if (point < 0 || POINTS.setting[point] !== wanted) continue;
    if (!layers.has(column.layer[row])) layers.set(column.layer[row], []);
    layers.get(column.layer[row]).push(row);
  }
  const mean = (name, rows) => rows.reduce((sum, row) => sum + column[name][row], 0) / rows.length;
  document.querySelector("#layers tbody").replaceChildren(...[...layers].map(([layer, rows]) => {
    const weights = mean("n_weights", rows);
    const bits = ["code_bits", "patch_bits", "index_bits", "scale_bits", "bits_per_weight"];
    const patches = column.patches_per_slice[rows[0]] === null ? "" : mean("patches_per_slice", rows).toFixed(2);
    return line(rows[0], [
      [layer, "text"], [weights.toLocaleString("en"), ""], [`${(100 * mean("n_kept", rows) / weights).toFixed(2)} %`, ""],
      ...bits.map((name) => [mean(name, rows).toFixed(3), ""]), [patches, ""],
    ]);
  }));
}

listeners.push(drawPareto);
themeListeners.push(drawPareto);
drawPareto();
place.append(canvas, tip);
place.on("plotly_afterplot", drawDots);
place.on("plotly_relayouting", drawDots);
drawDots();
place.addEventListener("pointermove", showTip);
place.addEventListener("pointerleave", () => { tip.hidden = true; });
// Plotly takes the clicks for its zoom: a press that did not move is one.
let pressed = null;
place.addEventListener("pointerdown", (event) => { pressed = event; }, { capture: true });
addEventListener("pointerup", (event) => {
  const moved = pressed ? Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) : Infinity;
  pressed = null;
  const point = moved < 4 ? under(event) : null;
  if (point !== null) choose(POINTS.row[point]);
}, { capture: true });
chosenListeners.push(drawDots);
const select = document.querySelector("#setting");
if (select) {
  const settings = [...new Set(POINTS.setting)];
  select.replaceChildren(...settings.map((text) => new Option(text)));
  select.addEventListener("change", showLayers);
  chosenListeners.push((row) => {
    if (row === null || pointOfRow(row) < 0) return;
    select.value = POINTS.setting[pointOfRow(row)];
    showLayers();
  });
  showLayers();
}
