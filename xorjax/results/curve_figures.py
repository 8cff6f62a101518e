"""The report's figures of training: the metric and the loss after every epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results.figures import DIGITS_BY_STEP, Panel, axes, hover
from xorjax.results.palette import NEUTRAL


@dataclass(frozen=True)
class Curve:
    """The metrics of one training run, by column, epoch by epoch.

    `prune_rate` is what it pruned to or trained at, None for a dense network.
    """

    stage: str
    title: str
    prune_rate: float | None
    metrics: pl.DataFrame | Mapping[str, Sequence[float | None]]


def curve_panels(curves: Sequence[Curve], colours: dict[float, str], metric: Metric) -> list[Panel]:
    """For every stage: the metric on the validation split against the epoch, and training and validation loss."""
    measured, losses = [], []
    for stage in dict.fromkeys(curve.stage for curve in curves):
        chosen = [curve for curve in curves if curve.stage == stage]
        hues = [
            NEUTRAL if curve.prune_rate is None else colours.get(curve.prune_rate, NEUTRAL)
            for curve in chosen
        ]
        curve_of, loss = curve_pair(chosen, hues, metric)
        name = stage.capitalize().replace("_", " ")
        measured.append(Panel(f"{name}: {metric.name}", curve_of))
        losses.append(Panel(f"{name}: loss", loss))
    return measured + losses


def curve_pair(curves: Sequence[Curve], hues: Sequence[str], metric: Metric) -> tuple[go.Figure, go.Figure]:
    """The metric on the validation split, and training and validation loss, against the epoch; a hue a curve."""
    curve_of = go.Figure(layout=axes("epoch", f"validation {metric.label}"))
    loss = go.Figure(layout=axes("epoch", "loss"))
    for curve, hue in zip(curves, hues, strict=True):
        epochs = list(curve.metrics["epoch"])
        # plotly takes tags in a text for its own.
        title = escape(curve.title, quote=False)
        mode = "lines+markers" if len(epochs) == 1 else "lines"
        common = {"x": epochs, "mode": mode, "name": title}
        line = {"color": hue, "width": 1.5}
        values = curve.metrics["validation_metric"]
        curve_of.add_scatter(
            y=[None if value is None else metric.scale * value for value in values],
            hovertemplate=f"{title}, epoch %{{x}}: {hover(metric)}<extra></extra>",
            line=line,
            **common,
        )
        for column, dash in (("validation_loss", "solid"), ("train_loss", "dot")):
            what = column.replace("_", " ")
            loss.add_scatter(
                y=list(curve.metrics[column]),
                hovertemplate=f"{title}, epoch %{{x}}: {what} %{{y:.4f}}<extra></extra>",
                line={**line, "dash": dash},
                **common,
            )
    curve_of.update_yaxes(tickformatstops=DIGITS_BY_STEP)
    loss.update_yaxes(rangemode="tozero")
    last = max(curve.metrics["epoch"][-1] or 0 for curve in curves)
    if last < 8:
        # Else a single epoch would stand between two that there are not.
        ends = [0.5, 1.5] if last == 1 else None
        curve_of.update_xaxes(dtick=1, range=ends)
        loss.update_xaxes(dtick=1, range=ends)
    return curve_of, loss
