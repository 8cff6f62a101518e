// Training under way, and what was trained last: the metric on the validation split, or the loss, after every epoch.
import { number, withUnit } from "/elements.js";
import { TWO_DECIMALS, SETTINGS, colour, fewOf, layout, marks, rangeOf, showLegend, tellOnHover } from "/figures.js";

const LEAST_LOSS = 0.01;
const MANY_EPOCHS = 40;
const CAPTIONS = {
  metric: (name) => `Validation ${name} after every epoch, of what is being trained and of what was trained last.`,
  loss: () => "Loss after every epoch, of what is being trained and of what was trained last. Solid: validation; "
    + "dotted: training.",
};

const find = (selector) => document.querySelector(`#curves ${selector}`);

export function drawCurves({ name, curves, points, metric: measured }) {
  if (curves.length === 0) return;
  const metric = document.querySelector("#metric").value;
  const isLoss = metric === "loss";
  const signs = marks(curves.length, false);
  const titles = curves.map(({ title, state }) => (state === "done" ? title : `${title} (${state})`));
  const data = curves.flatMap((curve, i) => {
    const trace = (column, dash) => ({
      type: "scatter", mode: dash === "solid" ? "lines+markers" : "lines", hoverinfo: "none", x: curve.epoch,
      y: curve[column].map((value) => (value === null || isLoss ? value : measured.scale * value)),
      customdata: curve.epoch.map(() => [titles[i], column.replace("metric", measured.name).replace("_", " ")]),
      line: { color: signs[i].colour, width: curve.state === "running" ? 3 : 1.5, dash },
      marker: {
        size: curve.epoch.length > MANY_EPOCHS ? 3 : 10, symbol: signs[i].symbol,
        line: { width: 1, color: colour("page") },
      },
    });
    return [trace(`validation_${metric}`, "solid"), ...(isLoss ? [trace("train_loss", "dot")] : [])];
  });
  const style = layout(name + metric, "epoch", isLoss ? "loss" : `validation ${measured.label}`);
  const most = Math.max(...curves.flatMap(({ epoch, of }) => [...epoch, of]));
  const margin = most > 1 ? 0.03 * (most - 1) : 0.5;
  style.xaxis.range = [1 - margin, most + margin];
  if (most <= 12) style.xaxis.dtick = 1;
  const values = data.flatMap(({ y }) => y).filter((value) => value !== null);
  if (values.length) {
    const n = points.find(({ n_validation }) => n_validation)?.n_validation;
    style.yaxis.range = rangeOf(values, isLoss ? LEAST_LOSS : fewOf(n, measured));
  }
  if (!isLoss) style.yaxis.tickformatstops = TWO_DECIMALS;
  const place = find(".plot");
  Plotly.react(place, data, style, SETTINGS);
  tellOnHover(place, ({ customdata: [title, column], x, y }) => [
    title, `epoch ${x}: ${column} ${isLoss ? y.toPrecision(4) : withUnit(number(y / measured.scale, measured), measured)}`,
  ]);
  showLegend(find(".legend"), titles.map((words, i) => ({ words, ...signs[i], line: "solid" })));
  find(".caption").textContent = CAPTIONS[metric](measured.name);
}
