"""The report's figures of training: accuracy and loss after every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import polars as pl

from xorjax.results.figures import Panel, axes
from xorjax.results.palette import NEUTRAL
from xorjax.results.ticks import DIGITS_BY_STEP


@dataclass(frozen=True)
class Curve:
    """The metrics of one training run; `prune_rate` is what it pruned to or trained at, None for a dense network."""

    stage: str
    title: str
    prune_rate: float | None
    metrics: pl.DataFrame


def curve_panels(curves: Sequence[Curve], colours: dict[float, str]) -> list[Panel]:
    """For every stage: validation accuracy against the epoch, and training and validation loss."""
    accuracies, losses = [], []
    for stage in dict.fromkeys(curve.stage for curve in curves):
        chosen = [curve for curve in curves if curve.stage == stage]
        accuracy = go.Figure(layout=axes("epoch", "validation accuracy (%)"))
        loss = go.Figure(layout=axes("epoch", "loss"))
        for curve in chosen:
            colour = NEUTRAL if curve.prune_rate is None else colours.get(curve.prune_rate, NEUTRAL)
            epochs = curve.metrics["epoch"].to_list()
            mode = "lines+markers" if len(epochs) == 1 else "lines"
            common = {"x": epochs, "mode": mode, "name": curve.title}
            line = {"color": colour, "width": 1.5}
            accuracy.add_scatter(
                y=(100 * curve.metrics["validation_accuracy"]).to_list(),
                hovertemplate=f"{curve.title}, epoch %{{x}}: %{{y:.2f}} %<extra></extra>",
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
        accuracy.update_yaxes(tickformatstops=DIGITS_BY_STEP)
        loss.update_yaxes(rangemode="tozero")
        if max(curve.metrics["epoch"].to_list()[-1] for curve in chosen) < 8:
            accuracy.update_xaxes(dtick=1)
            loss.update_xaxes(dtick=1)
        name = stage.capitalize()
        accuracies.append(Panel(f"{name}: accuracy", accuracy))
        losses.append(Panel(f"{name}: loss", loss))
    return accuracies + losses
