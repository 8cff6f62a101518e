"use strict";
// The points of the main figure: single ones or means over seeds, their fronts, and how much of the axes they need.
const POINTS = Object.fromEntries(Object.entries(DATA.points).map(([name, packed]) => [name, unpack(packed)]));
const ALL = POINTS.row.map((_, point) => point);
const SPREAD = ["bits_per_weight", "validation_metric", "test_metric"];
POINTS.isCode = POINTS.row.map((row) => !DATA.baseline[row]);
POINTS.seeds = POINTS.row.map((row) => String(column.seed[row]));
POINTS.n = POINTS.row.map(() => 1);
for (const name of SPREAD) POINTS[`${name}_spread`] = POINTS.row.map(() => 0);
// A codec that takes more than so many times the smallest at its prune rate does not set the range of the figure.
const NEAR = 1.3;
// In percent: less than this no axis shows, for the accuracies of a few images more or less are luck.
const LEAST_SPAN = DATA.metric.unit === "%" ? 0.1 : 1e-3;
const { scale: SCALE, unit: UNIT } = DATA.metric;
const DIRECTION = DATA.metric.higher_is_better ? 1 : -1;

const nameOfPoint = (row) => `${column.point[row]} ${DATA.baseline[row] ? column.codec[row] : ""}`;
const pointsByName = new Map(ALL.map((point) => [nameOfPoint(POINTS.row[point]), point]));

// A value of the metric as readers have it, without its unit.
function number(value) {
  return UNIT === "%" ? (SCALE * value).toFixed(2) : String(Number((SCALE * value).toPrecision(4)));
}

function pointOfRow(row) {
  return pointsByName.get(nameOfPoint(row)) ?? -1;
}

// What is chosen; what there is no choice of is as it is by default.
function setOf(name) {
  return form.elements[name]?.value ?? DEFAULTS[name];
}

function rateOf(point) {
  return POINTS.prune_rate[point];
}

// The dots of points: themselves, or the means of those that differ in the seed alone, which lie behind all points.
function dotsOf(points) {
  for (const values of Object.values(POINTS)) values.length = ALL.length;
  if (setOf("dots") === "point") return points;
  return [...Map.groupBy(points, (point) => POINTS.alike[point]).values()].map(addMean);
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

// The points that no other beats in both, from the smallest on; by the validation split: the test split chooses nothing.
function frontOf(points) {
  const metric = POINTS.validation_metric;
  const ordered = points.filter((point) => metric[point] !== null).sort((a, b) =>
    POINTS.bits_per_weight[a] - POINTS.bits_per_weight[b] || DIRECTION * (metric[b] - metric[a]));
  let best = -Infinity;
  return ordered.filter((point) => {
    if (DIRECTION * metric[point] <= best) return false;
    best = DIRECTION * metric[point];
    return true;
  });
}

// As readers have it, the mean of the references of the points, each once; null if there are none.
function referenceOf(points, axis) {
  const found = new Map();
  for (const point of points) {
    const value = POINTS[axis === "test" ? "reference_metric" : "reference_validation_metric"][point];
    if (value !== null) found.set(`${column.seed[POINTS.row[point]]} ${value}`, value);
  }
  return found.size ? SCALE * [...found.values()].reduce((sum, value) => sum + value) / found.size : null;
}

// The dots that the range must hold: those of the points' own codes, and of the other codecs those that are near the smallest.
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

// As readers have it; `above` is the part of the range that is kept free above all.
function metricRange(dots, name, reference, above) {
  const all = dots.flatMap((dot) => [-1, 1].map((side) => SCALE * (POINTS[name][dot] + side * POINTS[`${name}_spread`][dot])));
  if (reference !== null) all.push(reference);
  if (!all.length) return [0, SCALE];
  const [least, most] = endsOf(all);
  const missing = Math.max(0, LEAST_SPAN - (most - least)) / 2;
  const span = most - least + 2 * missing;
  return [least - missing - 0.05 * span, most + missing + (0.05 + above) * span];
}

// What is beyond the range, codec by codec: "bitmap + signs, 1.02 to 1.10".
function beyond(dots, [from, to], isLog) {
  const isOut = (dot) => {
    const bits = POINTS.bits_per_weight[dot];
    const at = isLog ? Math.log10(bits) : bits;
    return at < from || at > to;
  };
  return [...Map.groupBy(dots.filter(isOut), (dot) => POINTS.codec[dot])].map(([codec, own]) => {
    const bits = own.map((dot) => POINTS.bits_per_weight[dot]);
    const ends = [...new Set(endsOf(bits).map((end) => end.toFixed(2)))];
    return `${codec}, ${ends.join(" to ")}`;
  });
}
