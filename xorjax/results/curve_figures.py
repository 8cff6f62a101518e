"""The report's figures of training: the metric and the loss after every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results.figures import DIGITS_BY_STEP, Panel, axes, hover
from xorjax.results.palette import NEUTRAL


@dataclass(frozen=True)
class Curve:
    """The metrics of one training run; `prune_rate` is what it pruned to or trained at, None for a dense network."""

    stage: str
    title: str
    prune_rate: float | None
    metrics: pl.DataFrame


def curve_panels(curves: Sequence[Curve], colours: dict[float, str], metric: Metric) -> list[Panel]:
    """For every stage: the metric on the validation split against the epoch, and training and validation loss."""
    measured, losses = [], []
    for stage in dict.fromkeys(curve.stage for curve in curves):
        chosen = [curve for curve in curves if curve.stage == stage]
        curve_of = go.Figure(layout=axes("epoch", f"validation {metric.label}"))
        loss = go.Figure(layout=axes("epoch", "loss"))
        for curve in chosen:
            colour = NEUTRAL if curve.prune_rate is None else colours.get(curve.prune_rate, NEUTRAL)
            epochs = curve.metrics["epoch"].to_list()
            mode = "lines+markers" if len(epochs) == 1 else "lines"
            common = {"x": epochs, "mode": mode, "name": curve.title}
            line = {"color": colour, "width": 1.5}
            curve_of.add_scatter(
                y=(metric.scale * curve.metrics["validation_metric"]).to_list(),
                hovertemplate=f"{curve.title}, epoch %{{x}}: {hover(metric)}<extra></extra>",
                line=line,
                **common,
            )
            for column, dash in (("validation_loss", "solid"), ("train_loss", "dot")):
                what = column.replace("_", " ")
                loss.add_scatter(
                    y=curve.metrics[column].to_list(),
                    hovertemplate=f"{curve.title}, epoch %{{x}}: {what} %{{y:.4f}}<extra></extra>",
                    line={**line, "dash": dash},
                    **common,
                )
        curve_of.update_yaxes(tickformatstops=DIGITS_BY_STEP)
        loss.update_yaxes(rangemode="tozero")
        last = max(curve.metrics["epoch"].to_list()[-1] for curve in chosen)
        if last < 8:
            # Else a single epoch would stand between two that there are not.
            ends = [0.5, 1.5] if last == 1 else None
            curve_of.update_xaxes(dtick=1, range=ends)
            loss.update_xaxes(dtick=1, range=ends)
        name = stage.capitalize()
        measured.append(Panel(f"{name}: {metric.name}", curve_of))
        losses.append(Panel(f"{name}: loss", loss))
    return measured + losses
