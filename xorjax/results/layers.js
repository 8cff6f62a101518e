"use strict";
// One setting by layer, where a point has several.
const select = document.querySelector("#setting");

function showLayers() {
  const isOf = (row) => POINTS.setting[pointOfRow(row)] === select.value;
  const layers = Map.groupBy([...Array(DATA.n).keys()].filter(isOf), (row) => column.layer[row]);
  const mean = (name, rows) => rows.reduce((sum, row) => sum + column[name][row], 0) / rows.length;
  document.querySelector("#layers tbody").replaceChildren(...[...layers].map(([layer, rows]) => {
    const weights = mean("n_weights", rows);
    const bits = ["code_bits", "patch_bits", "index_bits", "scale_bits", "bits_per_weight"];
    const patches = column.patches_per_slice[rows[0]] === null ? "" : mean("patches_per_slice", rows).toFixed(2);
    return line(rows[0], [
      [layer, "text"], [weights.toLocaleString("en"), ""], [`${(100 * mean("n_kept", rows) / weights).toFixed(2)} %`, ""],
      ...bits.map((name) => [mean(name, rows).toFixed(3), ""]), [patches, ""],
    ]);
  }));
}

if (select) {
  select.replaceChildren(...[...new Set(POINTS.setting)].map((text) => new Option(text)));
  select.addEventListener("change", showLayers);
  chosenListeners.push((row) => {
    if (row === null || pointOfRow(row) < 0) return;
    select.value = POINTS.setting[pointOfRow(row)];
    showLayers();
  });
  showLayers();
}
