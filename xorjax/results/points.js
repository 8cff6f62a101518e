"use strict";
// The points of the main figure: single ones or means over seeds, their fronts, and how much of the axes they need.
const POINTS = Object.fromEntries(Object.entries(DATA.points).map(([name, packed]) => [name, unpack(packed)]));
const ALL = POINTS.row.map((_, point) => point);
const SPREAD = ["bits_per_weight", "validation_accuracy", "test_accuracy"];
POINTS.method = POINTS.row.map((row) => column.method[row]);
POINTS.isCode = POINTS.row.map((row) => column.n_out[row] !== null);
POINTS.seeds = POINTS.row.map((row) => String(column.seed[row]));
POINTS.n = POINTS.row.map(() => 1);
for (const name of SPREAD) POINTS[`${name}_spread`] = POINTS.row.map(() => 0);
// A codec that takes more than so many times the smallest at its prune rate does not set the range of the figure.
const NEAR = 1.3;
// In percent: less than this no axis shows, for the accuracies of a few images more or less are luck.
const LEAST_SPAN = 0.1;

const pointsByName = new Map(ALL.map((point) => [`${column.point[POINTS.row[point]]} ${POINTS.method[point]}`, point]));

function pointOfRow(row) {
  return pointsByName.get(`${column.point[row]} ${column.method[row]}`) ?? -1;
}

// What is chosen; what there is no choice of is as it is by default.
function setOf(name) {
  return form.elements[name]?.value ?? DEFAULTS[name];
}

function rateOf(point) {
  return column.prune_rate[POINTS.row[point]];
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
  for (const name of SPREAD) {
    const values = points.map((point) => POINTS[name][point]);
    if (values.includes(null)) continue;
    const mean = values.reduce((sum, value) => sum + value) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    POINTS[name][made] = mean;
    POINTS[`${name}_spread`][made] = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
  }
  POINTS.n[made] = points.length;
  POINTS.seeds[made] = points.map((point) => POINTS.seeds[point]).join(", ");
  return made;
}

// Of a mean, whose command is shown with it.
function whose(point) {
  const row = POINTS.row[point];
  return point < ALL.length ? "" : `mean of ${count(POINTS.n[point], "seed")}; seed ${column.seed[row]}'s command:`;
}

function count(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
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

// In percent, the mean of the dense networks that the points come from; null if there are none.
function denseOf(points, axis) {
  const found = new Map();
  for (const point of points) {
    const row = POINTS.row[point];
    const value = axis === "test" ? column.dense_accuracy[row] : POINTS.dense_validation_accuracy[point];
    if (value !== null) found.set(`${column.seed[row]} ${value}`, value);
  }
  return found.size ? 100 * [...found.values()].reduce((sum, value) => sum + value) / found.size : null;
}

// The dots that the range must hold: the XOR code's, and of the other codecs those that are near the smallest.
function inRange(dots) {
  const isAsked = [...inputs("codecs"), ...inputs("codec")].some((box) => box.checked);
  if (isAsked || !dots.some((dot) => POINTS.isCode[dot])) return dots;
  const least = new Map();
  for (const dot of dots) {
    least.set(rateOf(dot), Math.min(POINTS.bits_per_weight[dot], least.get(rateOf(dot)) ?? Infinity));
  }
  return dots.filter((dot) => POINTS.isCode[dot] || POINTS.bits_per_weight[dot] <= NEAR * least.get(rateOf(dot)));
}

// Least and largest of many values.
function endsOf(values) {
  return values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
}

function bitsRange(dots, isLog) {
  if (!dots.length) return isLog ? [-1, 0] : [0, 1];
  const ends = endsOf(dots.flatMap((dot) => {
    const [bits, spread] = [POINTS.bits_per_weight[dot], POINTS.bits_per_weight_spread[dot]];
    return [Math.max(bits - spread, bits / 2), bits + spread];
  })).map((bits) => (isLog ? Math.log10(bits) : bits));
  const margin = 0.04 * (ends[1] - ends[0]) || (isLog ? 0.02 : 0.04 * ends[1]);
  return [ends[0] - margin, ends[1] + margin];
}

// In percent; `above` is the part of the range that is kept free above all.
function accuracyRange(dots, name, dense, above) {
  const all = dots.flatMap((dot) => [-1, 1].map((side) => 100 * (POINTS[name][dot] + side * POINTS[`${name}_spread`][dot])));
  if (dense !== null) all.push(dense);
  if (!all.length) return [0, 100];
  const [least, most] = endsOf(all);
  const missing = Math.max(0, LEAST_SPAN - (most - least)) / 2;
  const span = most - least + 2 * missing;
  return [least - missing - 0.05 * span, most + missing + (0.05 + above) * span];
}

// What is beyond the range, codec by codec: "bitmap + signs, 1.02 to 1.10".
function beyond(dots, [from, to], isLog) {
  const found = new Map();
  for (const dot of dots) {
    const bits = POINTS.bits_per_weight[dot];
    const at = isLog ? Math.log10(bits) : bits;
    if (at >= from && at <= to) continue;
    if (!found.has(POINTS.method[dot])) found.set(POINTS.method[dot], []);
    found.get(POINTS.method[dot]).push(bits);
  }
  return [...found].map(([method, bits]) => {
    const ends = [...new Set(endsOf(bits).map((end) => end.toFixed(2)))];
    return `${DATA.marks[method].name}, ${ends.join(" to ")}`;
  });
}
