// What the figures share. The colours are the style sheet's, and the colour-blind can tell them apart; each has a sign
// of its own besides.
import { element } from "/elements.js";

export const SETTINGS = { displayModeBar: false, doubleClick: "reset" };
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "x", "star"];
const LETTERS = ["●", "■", "◆", "▲", "✖", "★"];
const N_COLOURS = 6;
const N_STEPS = 12;

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// The marks of `n` things: hues for a few; for more `ordered` ones a ramp, for others the hues again with other signs.
export function marks(n, ordered) {
  const isRamp = ordered && n > N_COLOURS;
  return Array.from({ length: n }, (_, i) => {
    const sign = (i + Math.floor(i / N_COLOURS)) % SYMBOLS.length;
    const name = isRamp ? `ramp-${Math.round(i * (N_STEPS - 1) / (n - 1))}` : `plot-${i % N_COLOURS}`;
    return { colour: colour(name), symbol: SYMBOLS[sign], letter: LETTERS[sign] };
  });
}

export function layout(key, x, y) {
  const [ink, soft, line] = ["ink", "soft", "line"].map(colour);
  const axis = (title) => ({
    title: { text: title, standoff: 10, font: { color: soft, size: 13 } }, color: soft, gridcolor: line,
    zeroline: false, showline: false, ticks: "", nticks: 6, ticklabelstandoff: 4, automargin: true,
  });
  return {
    uirevision: key, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    showlegend: false,
    font: { color: ink, size: 13, family: "system-ui, -apple-system, Segoe UI, Roboto, sans-serif" },
    margin: { l: 62, r: 14, t: 12, b: 48 }, xaxis: { ...axis(x), showgrid: false }, yaxis: axis(y),
  };
}

// Ticks of two decimals as the report's, until a zoom needs more: no two of them read the same.
export const TWO_DECIMALS = [
  { dtickrange: [null, 0.0099], value: ".4f" }, { dtickrange: [0.0099, null], value: ".2f" },
];

export function extent(values) {
  return values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
}

// The range of an axis on which all values are seen, of a span that makes no drama of little.
export function rangeOf(values, leastSpan) {
  const [least, most] = extent(values);
  const half = Math.max(0.56 * (most - least), leastSpan / 2);
  return [(least + most) / 2 - half, (least + most) / 2 + half];
}

// What a few examples of a split make in percent, and never less than two decimals can tell.
export function fewOf(n, { unit }) {
  if (unit !== "%") return 0.01;
  return n ? Math.max(0.1, 500 / n) : 0.5;
}

export function showLegend(place, entries) {
  const key = JSON.stringify(entries);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(...entries.map(({ words, colour, letter = "", line = "" }) => {
    const item = element("li");
    const swatch = element("i", line, letter);
    swatch.style.color = colour;
    item.append(swatch, words);
    return item;
  }));
}

// A box at the mark under the pointer: within the figure, so neither cut at its edge nor over its legend.
export function tellOnHover(place, linesOf) {
  const tip = place.nextElementSibling;
  place.removeAllListeners("plotly_hover");
  place.removeAllListeners("plotly_unhover");
  place.on("plotly_unhover", () => { tip.hidden = true; });
  place.on("plotly_hover", ({ points: [point] }) => {
    const [first, second] = linesOf(point);
    tip.replaceChildren(element("strong", "", first), element("span", "", second));
    tip.hidden = false;
    const [x, y] = [point.xaxis, point.yaxis].map((axis, i) => axis._offset + axis.d2p(i ? point.y : point.x));
    const [width, height] = [place.offsetWidth, place.offsetHeight];
    const above = y - tip.offsetHeight - 12;
    tip.style.left = `${Math.max(0, Math.min(x - tip.offsetWidth / 2, width - tip.offsetWidth))}px`;
    tip.style.top = `${above >= 0 ? above : Math.min(y + 14, height - tip.offsetHeight)}px`;
  });
}

// Plots fit their places: a place gets narrower when another appears beside it.
const fitting = new ResizeObserver((entries) => requestAnimationFrame(() => {
  for (const { target } of entries) if (target.data && target.offsetWidth) Plotly.Plots.resize(target);
}));
for (const place of document.querySelectorAll(".plot")) fitting.observe(place);
