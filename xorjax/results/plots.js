"use strict";
// Figures are drawn one after the other, so that the page answers between two of them, and all that are left before
// printing; and again when they or the theme change.
const figures = new Map();
const waiting = new Set();

function drawFigure(place) {
  waiting.delete(place);
  const figure = JSON.parse(themed(figures.get(place)));
  const options = { displayModeBar: false, responsive: !onPaper };
  // Paper is narrower than most windows: see .paper in report.css.
  if (onPaper) figure.layout.width = place.clientWidth;
  Plotly.react(place, figure.data, figure.layout, options);
}

function drawNext() {
  const [place] = waiting;
  if (place) drawFigure(place);
  if (waiting.size) setTimeout(drawNext);
}

// Shows a figure, given as JSON, in a place, if it is another than before.
function setFigure(place, json) {
  if (figures.get(place) === json) return;
  figures.set(place, json);
  if (!waiting.size) setTimeout(drawNext);
  waiting.add(place);
}

for (const place of document.querySelectorAll(".plot > script")) setFigure(place.parentElement, place.textContent);
for (const place of figures.keys()) place.replaceChildren();
themeListeners.push(() => { for (const place of figures.keys()) if (onPaper || !waiting.has(place)) drawFigure(place); });
