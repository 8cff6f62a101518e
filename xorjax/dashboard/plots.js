import { showPoint } from "/points.js";

// The colours are the style sheet's, and the colour-blind can tell them apart; each has a sign of its own besides.
const N_COLOURS = 6;
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "x", "star"];
const MOST_DRAWN = 3000;
const SETTINGS = { displayModeBar: false };

const find = (selector) => document.querySelector(selector);
let shown = [];

function colours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const cycle = Array.from({ length: N_COLOURS }, (_, i) => colour(`plot-${i}`));
  return { ink: colour("ink"), soft: colour("soft"), line: colour("line"), page: colour("page"), cycle };
}

function layout(key, x, y) {
  const { ink, soft, line, page } = colours();
  const axis = (title) => ({
    title: { text: title, standoff: 14, font: { color: soft, size: 12 } }, color: soft, gridcolor: line, linecolor: line, zeroline: false, automargin: true,
  });
  return {
    uirevision: key, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12, family: "system-ui, sans-serif" },
    margin: { l: 56, r: 12, t: 8, b: 44 }, xaxis: axis(x), yaxis: axis(y), hovermode: "closest",
    hoverlabel: { bgcolor: page, bordercolor: soft, font: { color: ink, size: 12 }, align: "left" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { color: soft } },
  };
}

// plotly reads a little HTML in its texts.
const plain = (words) => String(words).replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const folded = (words) => plain(words.replace(/(.{60}\S*) /g, "$1\n")).replaceAll("\n", "<br>");

export function drawPareto(experiment) {
  const split = find("#split").value;
  const points = experiment.points.filter((point) => point.state === "ok" && point.bits !== null && point[split] !== null);
  if (points.length === 0) return;
  const { soft, page, cycle } = colours();
  // Whatever is drawn: the test split chooses nothing.
  const front = frontOf(points);
  const drawn = thin(points, split, front);
  const rates = [...new Set(points.map((point) => point.prune_rate))].sort((a, b) => a - b);
  shown = rates.map((rate) => drawn.filter((point) => point.prune_rate === rate));
  const data = shown.map((group, i) => ({
    type: "scatter", mode: "markers", name: rates[i] === null ? "S unknown" : `S ${rates[i]}`, x: group.map((point) => point.bits), y: group.map((point) => 100 * point[split]),
    text: group.map((point) => `${plain(point.title)}${point.mask_codec ? `, ${plain(point.mask_codec)}` : ""}<br>${folded(point.command)}`),
    hovertemplate: "%{x:.4f} bits/weight, %{y:.2f} %<br>%{text}<extra></extra>",
    marker: { color: cycle[i % N_COLOURS], symbol: SYMBOLS[Math.floor(i / N_COLOURS + i) % SYMBOLS.length], size: 9, opacity: 0.85, line: { width: 1, color: page } },
  }));
  data.push({
    type: "scatter", mode: "lines", name: "front", x: front.map((point) => point.bits), y: front.map((point) => 100 * point[split]),
    line: { color: soft, width: 1.5, shape: "hv" }, hoverinfo: "skip",
  });
  const dense = experiment.points.map((point) => point[`dense_${split}`]).filter((value) => value !== null);
  const place = find("#pareto .plot");
  const style = layout(experiment.name + split, "bits per weight", "accuracy %");
  if (dense.length) {
    const mean = 100 * dense.reduce((sum, value) => sum + value, 0) / dense.length;
    data.push({
      type: "scatter", mode: "lines", name: "dense model", x: extent(drawn.map((point) => point.bits)), y: [mean, mean],
      line: { color: soft, width: 1.5, dash: "dash" }, hoverinfo: "skip",
    });
  }
  Plotly.react(place, data, style, SETTINGS);
  place.removeAllListeners("plotly_click");
  place.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) => {
    if (shown[curveNumber]) showPoint(shown[curveNumber][pointNumber]);
  });
  const some = drawn.length < points.length ? ` Of ${points.length} points ${drawn.length} are drawn, none of the front left out.` : "";
  find("#pareto .caption").textContent = `All layers of a finished point together; to the upper left is better. The front is found by validation accuracy. Click a point for its command.${some}`;
}

function extent(values) {
  return values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
}

// The points that no other beats in both bits and validation accuracy, from the smallest on.
function frontOf(points) {
  let best = -Infinity;
  const known = points.filter((point) => point.validation !== null);
  return known.sort((a, b) => a.bits - b.bits || b.validation - a.validation).filter((point) => {
    if (point.validation <= best) return false;
    best = point.validation;
    return true;
  });
}

// Of very many points one for each small cell of the plot, which looks the same.
function thin(points, split, front) {
  if (points.length <= MOST_DRAWN) return points;
  const [left, right] = extent(points.map((point) => point.bits));
  const [low, high] = extent(points.map((point) => point[split]));
  const seen = new Set(front.map((point) => point.id));
  const cells = new Set();
  return points.filter((point) => {
    if (seen.has(point.id)) return true;
    const x = Math.floor(60 * (point.bits - left) / (right - left || 1));
    const y = Math.floor(50 * (point[split] - low) / (high - low || 1));
    const cell = `${x} ${y} ${point.prune_rate}`;
    return !cells.has(cell) && cells.add(cell);
  });
}

export function drawCurves({ name, curves }) {
  if (curves.length === 0) return;
  const { cycle } = colours();
  const metric = find("#metric").value;
  const times = metric === "accuracy" ? 100 : 1;
  const data = curves.flatMap((curve, i) => {
    const label = `${curve.kind} ${curve.name.replace(/-[0-9a-f]{10}$/, "")}${curve.state === "done" ? "" : ` (${curve.state})`}`;
    const trace = (column, dash, first) => ({
      type: "scatter", mode: first ? "lines+markers" : "lines", name: plain(label), legendgroup: curve.name, showlegend: first,
      x: curve.epoch, y: curve[column].map((value) => value === null ? null : times * value),
      line: { color: cycle[i % N_COLOURS], width: curve.state === "running" ? 3 : 1.5, dash },
      marker: { size: curve.epoch.length > 40 ? 2 : 6, symbol: SYMBOLS[i % SYMBOLS.length] },
      hovertemplate: `${plain(label)}<br>epoch %{x}: %{y:.4g} ${column.replace("_", " ")}<extra></extra>`,
    });
    return [trace(`validation_${metric}`, "solid", true), trace(`train_${metric}`, "dot", false)];
  });
  const place = find("#curves .plot");
  const style = layout(name + metric, "epoch", metric === "accuracy" ? "accuracy %" : "loss");
  style.legend = { ...style.legend, orientation: "v" };
  const most = Math.max(...curves.flatMap((curve) => curve.epoch));
  if (most <= 12) style.xaxis.dtick = 1;
  place.style.height = `${330 + 19 * curves.length}px`;
  Plotly.react(place, data, style, SETTINGS);
}

// Plots fit their places: a place gets narrower when another appears beside it.
const fitting = new ResizeObserver((entries) => requestAnimationFrame(() => {
  for (const { target } of entries) if (target.data && target.offsetWidth) Plotly.Plots.resize(target);
}));
for (const place of document.querySelectorAll(".plot")) fitting.observe(place);
