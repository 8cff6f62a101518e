"use strict";
// Bits against the metric: dots of the points that the filters leave, or of their means over seeds, and the fronts.
const place = document.querySelector("#pareto");
const POINTS = Object.fromEntries(Object.entries(DATA.points).map(([name, packed]) => [name, unpack(packed)]));
const ALL = POINTS.row.map((_, point) => point);
const { scale: SCALE, unit: UNIT, label: LABEL } = DATA.metric;
const DIRECTION = DATA.metric.higher_is_better ? 1 : -1;
const MEASURED = ["bits_per_weight", "validation_metric", "test_metric"];
// A codec that takes more than so many times the smallest at its prune rate does not set the range of the figure.
const NEAR = 1.3;
// Less than this no axis shows: for the accuracies of a few images more or less are luck.
const LEAST_SPAN = UNIT === "%" ? 0.1 : 1e-3;
// So many prune rates have their name at their dots, and so many dots whiskers; more dots than these are small.
const [NAMED_RATES, WHISKERS, LARGE] = [6, 300, 2000];
// A finger scrolls the page: only what points finely draws a frame to zoom into.
const isFine = matchMedia("(pointer: fine)").matches;
const unzoom = document.querySelector("#unzoom");
const pointsByName = new Map(ALL.map((point) => [nameOfRow(POINTS.row[point]), point]));
let dots = [];
let full = { x: [0, 1], y: [0, 1] };

function nameOfRow(row) {
  return `${column.point[row]} ${DATA.baseline[row] ? column.codec[row] : ""}`;
}

function pointOfRow(row) {
  return pointsByName.get(nameOfRow(row)) ?? -1;
}

// What is chosen; what there is no choice of is as it is by default.
function setOf(name) {
  return form.elements[name]?.value ?? DEFAULTS[name];
}

// A value of the metric as readers have it, without its unit.
function number(value) {
  return UNIT === "%" ? (SCALE * value).toFixed(2) : String(Number((SCALE * value).toPrecision(4)));
}

function count(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

// Least and largest of many values.
function endsOf(values) {
  return values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
}

// The mean of points that differ in the seed alone, which may be one; its row is the first one's.
function dotOf(points) {
  const [first] = points;
  const row = POINTS.row[first];
  const seeds = points.map((point) => column.seed[POINTS.row[point]]);
  const dot = {
    points, row, seeds: seeds.join(", "), rate: POINTS.prune_rate[first], codec: column.codec[row],
    setting: POINTS[setOf("dots") === "point" ? "setting_of_seed" : "setting"][first], isCode: !DATA.baseline[row],
    whose: setOf("dots") === "point" ? "" : `mean of ${count(points.length, "seed")}; seed ${seeds[0]}'s command:`,
  };
  for (const name of MEASURED) {
    const values = points.map((point) => POINTS[name][point]);
    const isKnown = !values.includes(null);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    dot[name] = isKnown ? mean : null;
    dot[`${name}_spread`] = isKnown && values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
  }
  return dot;
}

// The dots that no other beats in both, from the smallest on; by the validation split: the test split chooses nothing.
function frontOf(candidates) {
  let best = -Infinity;
  return candidates.filter((dot) => dot.validation_metric !== null).sort((a, b) =>
    a.bits_per_weight - b.bits_per_weight || DIRECTION * (b.validation_metric - a.validation_metric),
  ).filter((dot) => {
    if (DIRECTION * dot.validation_metric <= best) return false;
    best = DIRECTION * dot.validation_metric;
    return true;
  });
}

// As readers have it, the mean of the references of the points, each once; null if there are none.
function referenceOf(points, axis) {
  const values = axis === "test" ? points.map((point) => column.reference_metric[POINTS.row[point]])
    : points.map((point) => POINTS.reference_validation_metric[point]);
  const found = new Map(points.map((point, i) => [`${column.seed[POINTS.row[point]]} ${values[i]}`, values[i]]));
  const known = [...found.values()].filter((value) => value !== null);
  return known.length ? SCALE * known.reduce((sum, value) => sum + value) / known.length : null;
}

// The dots that the range must hold: of the points' own codes, and of other codecs those that are near the smallest.
function inRange() {
  const isAsked = [...inputs("codecs"), ...inputs("codec")].some((box) => box.checked);
  if (isAsked || !dots.some((dot) => dot.isCode)) return dots;
  const least = new Map();
  for (const { rate, bits_per_weight: bits } of dots) least.set(rate, Math.min(bits, least.get(rate) ?? Infinity));
  return dots.filter((dot) => dot.isCode || dot.bits_per_weight <= NEAR * least.get(dot.rate));
}

function bitsRange(near, isLog) {
  if (!near.length) return isLog ? [-1, 0] : [0, 1];
  const ends = endsOf(near.flatMap(({ bits_per_weight: bits, bits_per_weight_spread: spread }) =>
    [Math.max(bits - spread, bits / 2), bits + spread])).map((bits) => (isLog ? Math.log10(bits) : bits));
  const margin = 0.04 * (ends[1] - ends[0]) || (isLog ? 0.02 : 0.04 * ends[1]);
  return [ends[0] - margin, ends[1] + margin];
}

// As readers have it; `above` is the part of the range that is kept free above all.
function metricRange(near, name, reference, above) {
  const all = near.flatMap((dot) => [-1, 1].map((side) => SCALE * (dot[name] + side * dot[`${name}_spread`])));
  if (reference !== null) all.push(reference);
  if (!all.length) return [0, SCALE];
  const [least, most] = endsOf(all);
  const missing = Math.max(0, LEAST_SPAN - (most - least)) / 2;
  const span = most - least + 2 * missing;
  return [least - missing - 0.05 * span, most + missing + (0.05 + above) * span];
}

// The names of the prune rates, each upon the highest of its dots or of their whiskers.
function rateNames(near, topOf, isLog, [from, to]) {
  const groups = Map.groupBy(near, (dot) => dot.rate);
  if (groups.size > NAMED_RATES) return [];
  return [...groups].map(([rate, all]) => {
    const highest = all.reduce((one, other) => (topOf(other) > topOf(one) ? other : one));
    const x = isLog ? Math.log10(highest.bits_per_weight) : highest.bits_per_weight;
    const at = (x - from) / (to - from);
    // Names at the sides stay inside.
    const xanchor = at < 0.12 ? "left" : at > 0.88 ? "right" : "center";
    return {
      x, y: topOf(highest), text: `S = ${rate}`,
      showarrow: false, xanchor, xshift: { left: -10, right: 10 }[xanchor] ?? 0, yanchor: "bottom", yshift: 6,
      font: { size: 13 }, bgcolor: getComputedStyle(document.body).backgroundColor, borderpad: 1,
    };
  });
}

// Codings of one network have one deviation: it stands at the smallest of them.
function whiskers(name) {
  const smallest = new Map();
  for (const dot of [...dots].sort((a, b) => b.bits_per_weight - a.bits_per_weight)) smallest.set(`${dot.rate} ${dot[name]}`, dot);
  const drawn = new Set(smallest.values());
  return (dot) => (drawn.has(dot) && dots.length <= WHISKERS ? SCALE * dot[`${name}_spread`] : 0);
}

function words(dot) {
  const said = (name) => {
    const spread = dot[`${name}_spread`];
    return `${number(dot[name])}${spread ? ` (sd ${number(spread)})` : ""} ${UNIT}`.trim();
  };
  return `<b>${dot.setting}</b>, ${dot.whose ? "mean over seeds" : "seed"} ${dot.seeds}<br>`
    + `${dot.bits_per_weight.toFixed(4)} bits; validation ${said("validation_metric")}, test ${said("test_metric")}`;
}

function drawPareto() {
  const axis = setOf("axis");
  const name = `${axis}_metric`;
  const isLog = setOf("scale") !== "linear";
  const left = ALL.filter((point) => kept[POINTS.row[point]]);
  const groups = setOf("dots") === "point" ? left.map((point) => [point])
    : [...Map.groupBy(left, (point) => POINTS.alike[point]).values()];
  dots = groups.map(dotOf).filter((dot) => dot[name] !== null);
  const fronts = [true, false].map((isCode) => frontOf(dots.filter((dot) => dot.isCode === isCode)));
  const reference = referenceOf(left.filter((point) => !DATA.baseline[POINTS.row[point]]), axis);
  const near = inRange();
  const x = bitsRange(near, isLog);
  const whisker = whiskers(name);
  const annotations = rateNames(near, (dot) => SCALE * dot[name] + whisker(dot), isLog, x);
  full = { x, y: metricRange(near, name, reference, annotations.length ? 0.12 : 0) };
  const { color: ink } = getComputedStyle(place);
  const paper = getComputedStyle(document.body).backgroundColor;
  const size = dots.length > LARGE ? 5 : 9;
  const at = (those) => ({
    type: "scatter", x: those.map((dot) => dot.bits_per_weight), y: those.map((dot) => SCALE * dot[name]), hoverinfo: "skip",
  });
  const rings = (those, color, wider, width) => ({
    ...at(those), mode: "markers", marker: { symbol: "circle-open", size: size + wider, color, line: { width } },
  });
  const data = [
    {
      ...at(dots), mode: "markers", name: "dots", hoverinfo: undefined, text: dots.map(words), hovertemplate: "%{text}<extra></extra>",
      marker: {
        symbol: dots.map((dot) => DATA.marks[dot.codec]), size, opacity: 1,
        color: dots.map((dot) => themed(DATA.colours[dot.rate])), line: { width: 1, color: paper },
      },
      error_y: {
        array: dots.map(whisker), visible: dots.length <= WHISKERS, thickness: 1, width: 0,
        color: getComputedStyle(document.querySelector(".caption")).color,
      },
    },
    rings(dots.filter(isChosen), getComputedStyle(unzoom).color, 10, 3),
    // Over the test split the settings that validation chose need not rise: they are ringed, not joined.
    ...(axis === "test" ? [rings(fronts.flat(), ink, 7, 1.8)] : fronts.map((front, i) => (
      { ...at(front), mode: "lines", name: "front", line: { shape: "hv", dash: ["solid", "dash"][i], width: 2, color: ink } }))),
  ];
  const common = { zeroline: false, showline: false, ticks: "", fixedrange: !isFine, visible: dots.length > 0 };
  const title = (text) => ({ text, standoff: 10, font: { size: 13 } });
  Plotly.react(place, data, {
    showlegend: false, hovermode: "closest", hoverlabel: { align: "left" }, dragmode: isFine ? "zoom" : false,
    font: { family: "system-ui, sans-serif", size: 13 }, margin: { l: 66, r: 14, t: 10, b: 52 }, annotations,
    uirevision: axis + setOf("scale"), paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    width: onPaper ? place.clientWidth : undefined, height: onPaper ? place.clientHeight : undefined, autosize: !onPaper,
    xaxis: { ...common, type: isLog ? "log" : "linear", title: title("bits per weight"), range: [...full.x] },
    yaxis: { ...common, title: title(`${axis} ${LABEL}`), tickformatstops: DATA.digits_by_step, range: [...full.y] },
    shapes: reference === null || !dots.length ? []
      : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: reference, y1: reference, line: { width: 2, dash: "dot" } }],
  }, { displayModeBar: false, responsive: !onPaper, doubleClick: false, showTips: false });
  fill(document.querySelector("#front tbody"), fronts[0].map(frontLine));
  describeFigure(axis, left, fronts[0].length, isLog);
}

function frontLine(dot) {
  const said = (value) => [value === null ? "" : number(value), ""];
  return line(dot.row, [
    [dot.bits_per_weight.toFixed(4), ""], said(dot.validation_metric), said(dot.test_metric), [dot.seeds, ""], [dot.setting, "text"],
  ], dot.whose);
}

// What stands beside the figure in words, and in place of it where there is nothing to draw.
function describeFigure(axis, left, nFront, isLog) {
  const nOf = (points, isOther) => points.filter((p) => DATA.baseline[POINTS.row[p]] === isOther).length.toLocaleString("en");
  document.querySelector("#shown").textContent = `${nOf(left, false)} of ${nOf(ALL, false)} points and `
    + `${nOf(left, true)} of ${nOf(ALL, true)} results of other codecs.`;
  for (const legend of document.querySelectorAll("[data-axis]")) legend.hidden = legend.dataset.axis !== axis;
  const nothing = document.querySelector("#nothing");
  nothing.hidden = dots.length > 0;
  nothing.textContent = left.length
    ? `Nothing to draw: the filters leave signs of networks that nobody trained, to which no ${DATA.metric.name} belongs.`
    : "Nothing to draw: the filters leave no point. Show all brings them back.";
  const [from, to] = full.x.map((end) => (isLog ? 10 ** end : end));
  const isOut = ({ bits_per_weight: bits }) => bits < from || bits > to;
  const drawn = new Set(dots.filter((dot) => !isOut(dot)).flatMap((dot) => [dot.codec, `S = ${dot.rate}`]));
  for (const entry of document.querySelectorAll("#drawn li")) entry.hidden = !drawn.has(entry.lastChild.textContent);
  const hidden = Map.groupBy(dots.filter(isOut), (dot) => dot.codec);
  const ranges = [...hidden].map(([codec, own]) => {
    const ends = endsOf(own.map((dot) => dot.bits_per_weight)).map((bits) => bits.toFixed(2));
    return `${codec}, ${[...new Set(ends)].join(" to ")}`;
  });
  const n = UNIT === "%" && DATA.examples[axis];
  document.querySelector("#outside").textContent = [
    ranges.length ? `Not shown: ${ranges.join("; ")} bits per weight (tick “all codecs” to see them).` : "",
    n && dots.length ? `One ${DATA.example} of the ${axis} split is ${Number((100 / n).toPrecision(2))} percentage points.` : "",
  ].join(" ");
  const rates = [...new Set(dots.map((dot) => dot.rate))].sort((a, b) => a - b);
  const which = rates.length > NAMED_RATES ? `${rates.length} prune rates from ${rates[0]} to ${rates.at(-1)}` : rates.join(", ");
  const own = dots.filter((dot) => dot.isCode).length;
  place.setAttribute("aria-label", dots.length
    ? `All points: ${axis} ${DATA.metric.name} against bits per weight, S = ${which}: `
      + `${count(own, setOf("dots") === "point" ? "point" : "mean")} of the ${DATA.own}, ${dots.length - own} of other codecs; `
      + `the front of the ${DATA.own} has ${nFront}`
    : nothing.textContent);
}

function isChosen(dot) {
  return chosenRow !== null && dot.points.includes(pointOfRow(chosenRow));
}

function seeAll() {
  Plotly.relayout(place, { "xaxis.range": [...full.x], "yaxis.range": [...full.y] });
}

unzoom.hidden = !isFine;
listeners.push(drawPareto);
themeListeners.push(drawPareto);
drawPareto();
place.on("plotly_doubleclick", seeAll);
unzoom.addEventListener("click", seeAll);
place.on("plotly_click", ({ points: [{ pointNumber }] }) => choose(dots[pointNumber].row, dots[pointNumber].whose));
chosenListeners.push(() => {
  const those = dots.filter(isChosen);
  const x = those.map((dot) => dot.bits_per_weight);
  Plotly.restyle(place, { x: [x], y: [those.map((dot) => SCALE * dot[`${setOf("axis")}_metric`])] }, [1]);
});
