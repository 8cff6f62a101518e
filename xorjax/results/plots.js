"use strict";
for (const place of document.querySelectorAll(".plot")) {
  const figure = JSON.parse(place.textContent);
  place.replaceChildren();
  Plotly.newPlot(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
}
