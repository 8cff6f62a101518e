"use strict";
// Bits against the metric: plotly draws the axes and the fronts, a canvas above it the dots, thousands at once.
const place = document.querySelector("#pareto");
const nothing = document.querySelector("#nothing");
const unzoom = document.querySelector("#unzoom");
const canvas = document.createElement("canvas");
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
// A finger scrolls the page: only what points finely draws a frame to zoom into.
const isFine = matchMedia("(pointer: fine)").matches;
// So many prune rates have their name at their dots, and so many dots whiskers.
const [NAMED_RATES, WHISKERS] = [6, 300];
let shown = [];
let fronts = [];
let full = { x: [0, 1], y: [0, 100] };

function steps(points, metric, dash) {
  return {
    type: "scatter", mode: "lines", hoverinfo: "skip",
    x: points.map((point) => POINTS.bits_per_weight[point]), y: points.map((point) => SCALE * metric[point]),
    line: { shape: "hv", dash, width: 2, color: getComputedStyle(place).color },
  };
}

// The names of the prune rates, each above its dots of the points' own codes.
function rateNames(dots, name, isLog) {
  const groups = Map.groupBy(dots, rateOf);
  if (groups.size > NAMED_RATES) return [];
  return [...groups].map(([rate, all]) => {
    const codes = all.filter((dot) => POINTS.isCode[dot]);
    const [least, most] = endsOf((codes.length ? codes : all).map((dot) => POINTS.bits_per_weight[dot]));
    const top = endsOf(all.map((dot) => POINTS[name][dot] + POINTS[`${name}_spread`][dot]))[1];
    const middle = (least + most) / 2;
    return {
      x: isLog ? Math.log10(middle) : middle, y: SCALE * top, text: `S = ${rate}`, showarrow: false,
      yanchor: "bottom", yshift: 6, font: { size: 13 }, bgcolor: getComputedStyle(document.body).backgroundColor, borderpad: 1,
    };
  });
}

function drawPareto() {
  const axis = setOf("axis");
  const name = `${axis}_metric`;
  const metric = POINTS[name];
  const isLog = setOf("scale") !== "linear";
  const left = ALL.filter((point) => kept[POINTS.row[point]]);
  shown = dotsOf(left).filter((point) => metric[point] !== null);
  fronts = [true, false].map((isCode) => frontOf(shown.filter((point) => POINTS.isCode[point] === isCode)));
  const reference = referenceOf(left.filter((point) => POINTS.isCode[point]), axis);
  const near = inRange(shown);
  const annotations = rateNames(near, name, isLog);
  full = { x: bitsRange(near, isLog), y: metricRange(near, name, reference, annotations.length ? 0.12 : 0) };
  // Names at the sides stay inside.
  for (const rate of annotations) {
    const at = (rate.x - full.x[0]) / (full.x[1] - full.x[0]);
    rate.xanchor = at < 0.12 ? "left" : at > 0.88 ? "right" : "center";
    rate.xshift = { left: -10, right: 10 }[rate.xanchor] ?? 0;
  }
  const common = { zeroline: false, showline: false, ticks: "", fixedrange: !isFine, visible: shown.length > 0 };
  const title = (text) => ({ text, standoff: 10, font: { size: 13 } });
  const layout = {
    showlegend: false, hovermode: false, dragmode: isFine ? "zoom" : false,
    font: { family: "system-ui, sans-serif", size: 13 },
    uirevision: axis + setOf("scale"), margin: { l: 66, r: 14, t: 10, b: 52 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    width: onPaper ? place.clientWidth : undefined, height: onPaper ? place.clientHeight : undefined, autosize: !onPaper, annotations,
    xaxis: { ...common, type: isLog ? "log" : "linear", title: title("bits per weight"), range: [...full.x] },
    yaxis: { ...common, title: title(`${axis} ${DATA.metric.label}`), tickformatstops: DATA.digits_by_step, range: [...full.y] },
    shapes: reference === null || !shown.length ? [] : [{
      type: "line", xref: "paper", x0: 0, x1: 1, y0: reference, y1: reference, line: { width: 2, dash: "dot" },
    }],
  };
  // Over the test split the settings that validation chose need not rise: they are ringed, not joined.
  const lines = axis === "test" ? [] : fronts.map((points, i) => steps(points, metric, ["solid", "dash"][i]));
  const options = { displayModeBar: false, responsive: !onPaper, doubleClick: false, showTips: false };
  Plotly.react(place, lines.filter(({ x }) => x.length), layout, options);
  showFront(fronts[0]);
  const nOf = (points, isCode) => points.filter((point) => POINTS.isCode[point] === isCode).length.toLocaleString("en");
  document.querySelector("#shown").textContent = `${nOf(left, true)} of ${nOf(ALL, true)} points and `
    + `${nOf(left, false)} of ${nOf(ALL, false)} results of other codecs.`;
  describeFigure(axis, left.length, beyond(shown, full.x, isLog));
}

// What stands beside the figure in words, and in place of it where there is nothing to draw.
function describeFigure(axis, nLeft, hidden) {
  for (const legend of document.querySelectorAll("[data-axis]")) legend.hidden = legend.dataset.axis !== axis;
  nothing.hidden = shown.length > 0;
  nothing.textContent = nLeft
    ? `Nothing to draw: the filters leave signs of networks that nobody trained, to which no ${DATA.metric.name} belongs.`
    : "Nothing to draw: the filters leave no point. Show all brings them back.";
  const n = UNIT === "%" && DATA.examples[axis];
  const parts = hidden.length ? [`Not shown: ${hidden.join("; ")} bits per weight (tick “all codecs” to see them).`] : [];
  if (n && shown.length) parts.push(`One ${DATA.example} of the ${axis} split is ${Number((100 / n).toPrecision(2))} percentage points.`);
  document.querySelector("#outside").textContent = parts.join(" ");
  const rates = [...new Set(shown.map(rateOf))].sort((a, b) => a - b);
  const codes = shown.filter((dot) => POINTS.isCode[dot]).length;
  const kind = setOf("dots") === "point" ? "point" : "mean";
  const which = rates.length > NAMED_RATES ? `${rates.length} prune rates from ${rates[0]} to ${rates.at(-1)}` : rates.join(", ");
  place.setAttribute("aria-label", shown.length
    ? `All points: ${axis} ${DATA.metric.name} against bits per weight, S = ${which}: ${count(codes, kind)} of the ${DATA.own}, `
      + `${shown.length - codes} of other codecs; the front of the ${DATA.own} has ${fronts[0].length}`
    : nothing.textContent);
}

// Where a point is, in pixels of the figure; `side` whiskers above or below it.
function placeOf(point, side = 0) {
  const { xaxis, yaxis } = place._fullLayout;
  const name = `${setOf("axis")}_metric`;
  const value = POINTS[name][point] + side * POINTS[`${name}_spread`][point];
  return [xaxis._offset + xaxis.d2p(POINTS.bits_per_weight[point]), yaxis._offset + yaxis.d2p(SCALE * value)];
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
  const radius = shown.length > 2000 ? 2.5 : 4;
  drawSigns(pen, radius);
  const ink = getComputedStyle(place).color;
  if (setOf("axis") === "test") for (const dot of fronts.flat()) ring(pen, dot, radius + 4, 1.8, ink);
  const point = chosenRow === null ? -1 : pointOfRow(chosenRow);
  const isOf = (dot) => (dot < ALL.length ? dot === point : POINTS.alike[dot] === POINTS.alike[point]);
  const dot = shown.find(isOf);
  if (dot !== undefined) ring(pen, dot, radius + 6, 3, getComputedStyle(unzoom).color);
  const isZoomed = ["x", "y"].some((letter) => {
    const range = place._fullLayout[`${letter}axis`].range;
    return range.some((end, i) => Math.abs(end - full[letter][i]) > 1e-6 * Math.abs(full[letter][1] - full[letter][0]));
  });
  unzoom.hidden = !isZoomed || onPaper;
}

function drawSigns(pen, radius) {
  const groups = Map.groupBy(shown, (point) => `${POINTS.codec[point]} ${rateOf(point)}`);
  const page = getComputedStyle(document.body).backgroundColor;
  const { xaxis, yaxis } = place._fullLayout;
  const [left, top] = [xaxis._offset, yaxis._offset];
  const drawn = [];
  for (const points of groups.values()) {
    const symbol = DATA.marks[POINTS.codec[points[0]]];
    const [sign, whiskers] = [new Path2D(), new Path2D()];
    for (const point of points) {
      trace(sign, symbol, ...placeOf(point), symbol.endsWith("open") ? radius : radius + 0.8);
      const [x, low] = placeOf(point, -1);
      const high = placeOf(point, 1)[1];
      // Codings of one network have one deviation: where they crowd, one whisker stands for several.
      const isSaid = drawn.some((other) => Math.abs(other.x - x) < 8 && other.low === low && other.high === high);
      const isOut = x < left || x > left + xaxis._length || low < top || high > top + yaxis._length;
      if (shown.length > WHISKERS || isSaid || isOut) continue;
      drawn.push({ x, low, high });
      whiskers.moveTo(x, Math.min(low, top + yaxis._length));
      whiskers.lineTo(x, Math.max(high, top));
    }
    const colour = themed(DATA.colours[rateOf(points[0])]);
    Object.assign(pen, { strokeStyle: colour, lineWidth: 1 });
    pen.stroke(whiskers);
    // Filled signs that overlap are told apart by an edge of the page's colour.
    if (symbol.endsWith("open")) {
      pen.lineWidth = 1.6;
      pen.stroke(sign);
    } else {
      Object.assign(pen, { fillStyle: colour, strokeStyle: page, lineWidth: 1 });
      pen.fill(sign);
      pen.stroke(sign);
    }
  }
}

function ring(pen, dot, radius, lineWidth, strokeStyle) {
  const path = new Path2D();
  trace(path, "circle", ...placeOf(dot), radius);
  Object.assign(pen, { lineWidth, strokeStyle });
  pen.stroke(path);
}

const CORNERS = { square: [4, 0.125, 1.3], diamond: [4, 0, 1.4], "triangle-up": [3, -0.25, 1.4], "triangle-down": [3, 0.25, 1.4],
  "triangle-left": [3, 0.5, 1.4], "triangle-right": [3, 0, 1.4], pentagon: [5, -0.25, 1.3], hexagon: [6, 0, 1.3] };

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
  const said = (value) => (value === null ? "" : number(value));
  fill(document.querySelector("#front tbody"), front.map((point) => line(POINTS.row[point], [
    [POINTS.bits_per_weight[point].toFixed(4), ""], [said(POINTS.validation_metric[point]), ""],
    [said(POINTS.test_metric[point]), ""], [POINTS.seeds[point], ""], [POINTS.setting[point], "text"],
  ], whose(point))));
}

function showTip(event) {
  const point = under(event);
  tip.hidden = point === null;
  if (point === null) return;
  const row = POINTS.row[point];
  const said = (name) => {
    const spread = POINTS[`${name}_spread`][point];
    return `${number(POINTS[name][point])}${spread ? ` ± ${number(spread)}` : ""} ${UNIT}`.trim();
  };
  const lines = [
    `${POINTS.setting[point]}, ${point < ALL.length ? "seed" : "mean over seeds"} ${POINTS.seeds[point]}`,
    `${POINTS.bits_per_weight[point].toFixed(4)} bits; validation ${said("validation_metric")}, `
      + `test ${said("test_metric")}`,
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

function seeAll() {
  Plotly.relayout(place, { "xaxis.range": [...full.x], "yaxis.range": [...full.y] });
}

listeners.push(drawPareto);
themeListeners.push(drawPareto);
drawPareto();
place.append(canvas, tip);
place.on("plotly_afterplot", drawDots);
place.on("plotly_relayouting", drawDots);
place.on("plotly_doubleclick", seeAll);
drawDots();
unzoom.addEventListener("click", seeAll);
place.addEventListener("pointermove", showTip);
place.addEventListener("pointerleave", () => { tip.hidden = true; });
// Plotly takes the clicks for its zoom: a press that did not move is one.
let pressed = null;
place.addEventListener("pointerdown", (event) => { pressed = event; }, { capture: true });
addEventListener("pointerup", (event) => {
  const moved = pressed ? Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) : Infinity;
  pressed = null;
  const point = moved < 4 ? under(event) : null;
  if (point !== null) choose(POINTS.row[point], whose(point));
}, { capture: true });
chosenListeners.push(drawDots);
