"use strict";
// A figure is drawn when it comes near the window, all of them before printing; and again when the theme changes.
const figures = new Map();

function drawFigure(place) {
  const figure = JSON.parse(themed(figures.get(place)));
  const options = { displayModeBar: false, responsive: !onPaper };
  // Paper is narrower than most windows: see .paper in report.css.
  if (onPaper) figure.layout.width = place.clientWidth;
  Plotly.react(place, figure.data, figure.layout, options);
}

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    drawFigure(target);
  }
}, { rootMargin: "800px" });

for (const place of document.querySelectorAll(".plot")) {
  figures.set(place, place.textContent);
  place.replaceChildren();
  near.observe(place);
}
themeListeners.push(() => {
  for (const place of figures.keys()) if (onPaper || place.matches(".js-plotly-plot")) drawFigure(place);
});
