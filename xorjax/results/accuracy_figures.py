"""The report's figures of accuracy against prune rate."""

import statistics

import plotly.graph_objects as go
import polars as pl

from xorjax.results.caps import LABELS, of_many, spread
from xorjax.results.figures import Panel, axes, dashes
from xorjax.results.notes import TOLERANCE
from xorjax.results.palette import BLUE, NEUTRAL

NARROW_LABELS = 8


def accuracy_panels(points: pl.DataFrame) -> list[Panel]:
    """Accuracy against prune rate, on the validation split, by which settings are chosen, and on the test split.

    A dot a seed, their mean, the mean of the dense models as a line; what the choice tolerates below it only where it
    applies, on the validation split.
    """
    models = points.filter(pl.col("n_out").is_not_null()).unique("quantized", maintain_order=True)
    models = models.sort("prune_rate", pl.col("model_variant") != "exact", "model_variant", "seed")
    labels = [_label(f"{s:g}", v) for s, v in models.select("prune_rate", "model_variant").iter_rows()]
    models = models.with_columns(label=pl.Series(labels, dtype=pl.String))
    shown = spread(list(dict.fromkeys(labels)), LABELS)
    more = of_many(len(set(labels)), len(shown), "models")
    wide = len(shown) > NARROW_LABELS or any("<br>" in label for label in shown)
    models = models.filter(pl.col("label").is_in(shown))
    dense = points.filter(pl.col("n_out").is_not_null()).unique("seed", maintain_order=True).sort("seed")
    return [
        Panel(
            f"{split.capitalize()} split",
            _accuracy(models, dense, split),
            wide,
            more=more,
        )
        for split in ("validation", "test")
    ]


def _accuracy(models: pl.DataFrame, dense: pl.DataFrame, split: str) -> go.Figure:
    accuracy = f"{split}_accuracy"
    of_dense = 100 * dense["dense_accuracy" if split == "test" else "dense_validation_accuracy"].drop_nulls()
    dense_mean = statistics.fmean(of_dense) if len(of_dense) else None
    levels: dict[float, str] = {} if dense_mean is None else {dense_mean: "dash"}
    if dense_mean is not None and split == "validation":
        levels[dense_mean - 100 * TOLERANCE] = "dot"
    means = models.group_by("label", maintain_order=True).agg(pl.col(accuracy).mean())
    figure = go.Figure(layout=axes("prune rate S", f"{split} accuracy (%)"))
    for level, dash in levels.items():
        figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=level, y1=level, line=dashes(dash))
    figure.add_scatter(
        x=["dense", *means["label"]],
        y=[dense_mean, *(100 * means[accuracy])],
        mode="markers",
        name="mean",
        marker={
            "symbol": "line-ew",
            "size": 34,
            "line": {"width": 3, "color": [NEUTRAL] + [BLUE] * len(means)},
        },
        hovertemplate="%{x}: mean %{y:.2f} %<extra></extra>",
    )
    figure.add_scatter(
        x=["dense"] * len(of_dense) + models["label"].to_list(),
        y=[*of_dense, *(100 * models[accuracy])],
        customdata=[*dense["seed"], *models["seed"]],
        mode="markers",
        name="one seed",
        marker={"size": 9, "opacity": 0.9, "color": [NEUTRAL] * len(of_dense) + [BLUE] * models.height},
        hovertemplate="%{x}, seed %{customdata}: %{y:.2f} %<extra></extra>",
    )
    figure.update_xaxes(type="category", automargin=True)
    figure.update_yaxes(tickformat=".2f")
    return figure


def _label(first: object, variant: str) -> str:
    return f"{first}<br>{variant.replace(', ', '<br>')}" if variant else str(first)
