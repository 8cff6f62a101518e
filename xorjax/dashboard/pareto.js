// Bits against the metric: a mark is the mean over the seeds of a setting, as in the report.
import {
  TWO_DECIMALS, SETTINGS, colour, extent, fewOf, layout, marks, rangeOf, showLegend, tellOnHover,
} from "/figures.js";
import { number, withUnit } from "/elements.js";
import { showPoint } from "/points.js";

const MOST_DRAWN = 3000;
const MOST_IN_LEGEND = 12;
const LEAST_BITS = 0.05;

const find = (selector) => document.querySelector(`#pareto ${selector}`);
const withoutSeed = (title) => title.replace(/, seed [^,]*/, "");

export function drawPareto(experiment) {
  const split = document.querySelector("#split").value;
  const { metric } = experiment;
  const isKnown = (point) => point.state === "ok" && point.bits !== null && point[split] !== null;
  const points = experiment.points.filter(isKnown);
  if (points.length === 0) return;
  const means = meansOf(points);
  // Whatever is drawn: the test split chooses nothing.
  const front = frontOf(means, metric.higher_is_better ? 1 : -1);
  const drawn = thin(means, split, front);
  const rates = [...new Set(means.map((mean) => mean.prune_rate))].sort((a, b) => a - b);
  const groups = rates.map((rate) => drawn.filter((mean) => mean.prune_rate === rate));
  const signs = marks(rates.length, true);
  const seeds = drawn.filter((mean) => mean.points.length > 1).flatMap((mean) => mean.points);
  const faint = seeds.length <= MOST_DRAWN ? seeds : [];
  const at = (those) => ({ x: those.map(({ bits }) => bits), y: those.map((one) => metric.scale * one[split]) });
  const data = [
    {
      type: "scatter", mode: "markers", name: "one seed", ...at(faint), hoverinfo: "skip",
      marker: { color: faint.map((point) => signs[rates.indexOf(point.prune_rate)].colour), size: 5, opacity: 0.5 },
    },
    {
      type: "scatter", mode: "lines+markers", name: "front", ...at(front), hoverinfo: "skip",
      line: { color: colour("ink"), width: 1.5, shape: "hv" },
      marker: { symbol: "circle-open", size: 17, color: colour("ink"), line: { width: 1.5 } },
    },
    ...groups.map((group, i) => ({
      type: "scatter", mode: "markers", name: `S ${rates[i]}`, ...at(group), customdata: group, hoverinfo: "none",
      marker: {
        color: signs[i].colour, symbol: signs[i].symbol, size: 10, opacity: 1,
        line: { width: 1, color: colour("page") },
      },
    })),
  ];
  const reference = referenceOf(points, split, metric);
  const style = layout(experiment.name + split, "bits per weight", `${split} ${metric.label}`);
  const [first] = points;
  const all = at([...drawn, ...faint]);
  const span = fewOf(split === "test" ? first.n_test : first.n_validation, metric);
  style.xaxis.range = rangeOf(all.x, LEAST_BITS);
  style.yaxis.range = rangeOf(reference === null ? all.y : [...all.y, reference], span);
  for (const axis of [style.xaxis, style.yaxis]) axis.tickformatstops = TWO_DECIMALS;
  if (reference !== null) {
    const line = { color: colour("neutral"), width: 2, dash: "dash" };
    style.shapes = [{ type: "line", layer: "between", xref: "paper", x0: 0, x1: 1, y0: reference, y1: reference, line }];
  }
  const place = find(".plot");
  Plotly.react(place, data, style, SETTINGS);
  const severalCodecs = new Set(means.map((one) => one.mask_codec)).size > 1;
  tellOnHover(place, ({ customdata }) => linesOf(customdata, severalCodecs, metric));
  place.removeAllListeners("plotly_click");
  place.on("plotly_click", ({ points: [{ customdata }] }) => { if (customdata) choose(customdata); });
  const step = Math.ceil(rates.length / MOST_IN_LEGEND);
  const ofRates = rates.map((rate, i) => ({ words: rate === null ? "S unknown" : `S ${rate}`, ...signs[i] }));
  showLegend(find(".legend"), [
    ...ofRates.filter((_, i) => i % step === 0),
    { words: "front", colour: colour("ink"), line: "solid", letter: "○" },
    ...(reference === null ? [] : [{ words: "reference", colour: colour("neutral"), line: "dashed" }]),
  ]);
  const what = means.length === points.length ? "A mark is one setting."
    : `A mark is the mean over the seeds of a setting${faint.length ? ", a small dot one seed" : ""}.`;
  const some = drawn.length === means.length ? ""
    : ` ${drawn.length} of ${means.length} settings are drawn, the whole front among them.`;
  find(".caption").textContent = `${what} All layers together; further left is smaller, further ${metric.higher_is_better ? "up" : "down"} is better. `
    + `The front is found by validation ${metric.name}, whichever is drawn. `
    + `Click a mark for its points and their commands.${some}`;
}

function meansOf(points) {
  const groups = Map.groupBy(points, (point) => point.setting ?? withoutSeed(point.title));
  return [...groups.values()].map((own) => ({
    points: own, title: withoutSeed(own[0].title), prune_rate: own[0].prune_rate, mask_codec: own[0].mask_codec,
    bits: mean(own, "bits"), validation: mean(own, "validation"), test: mean(own, "test"),
  }));
}

function mean(points, name) {
  const values = points.map((point) => point[name]);
  return values.includes(null) ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Of the references of the points, each once, as people have it; null if none is known.
function referenceOf(points, split, { scale }) {
  const bySeed = new Map(points.map((point) => [`${point.seed} ${point[`reference_${split}`]}`, point[`reference_${split}`]]));
  const values = [...bySeed.values()].filter((value) => value !== null);
  return values.length ? scale * values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

// A line of what the mark is, without what a narrow window has no room for, and one of what came out.
function linesOf({ points, title, mask_codec, bits, validation, test }, severalCodecs, metric) {
  const setting = title.replace(/n_in (\S+), n_out (\S+)/, "$1 → $2").replace(/(\w+\.)+(?=\w+=)/g, "");
  const seeds = points.length > 1 ? `mean over ${points.length} seeds` : `seed ${points[0].seed}`;
  const said = (value) => (value === null ? "unknown" : withUnit(number(value, metric), metric));
  return [
    [setting, severalCodecs && mask_codec, seeds].filter(Boolean).join(", "),
    `${bits.toFixed(4)} bits/weight, validation ${said(validation)}, test ${said(test)}`,
  ];
}

function choose({ points: [first, ...others], title, mask_codec }) {
  showPoint(first, others.length ? `${[title, mask_codec].filter(Boolean).join(", ")},` : first.id);
}

// What no other beats in both bits and validation, from the smallest on.
function frontOf(means, direction) {
  let best = -Infinity;
  const known = means.filter((one) => one.validation !== null);
  return known.sort((a, b) => a.bits - b.bits || direction * (b.validation - a.validation)).filter((one) => {
    if (direction * one.validation <= best) return false;
    best = direction * one.validation;
    return true;
  });
}

// Of very many one for each small cell of the plot, which looks the same.
function thin(means, split, front) {
  if (means.length <= MOST_DRAWN) return means;
  const [left, right] = extent(means.map(({ bits }) => bits));
  const [low, high] = extent(means.map((one) => one[split]));
  const seen = new Set(front);
  const cells = new Set();
  return means.filter((one) => {
    if (seen.has(one)) return true;
    const x = Math.floor(60 * (one.bits - left) / (right - left || 1));
    const y = Math.floor(50 * (one[split] - low) / (high - low || 1));
    const cell = `${x} ${y} ${one.prune_rate}`;
    return !cells.has(cell) && cells.add(cell);
  });
}
