"""What the figures of all pages share, and those of accuracy and patches. Only these modules know plotly."""

import statistics
from dataclasses import dataclass

import plotly.graph_objects as go
import polars as pl

from xorjax.results.caps import LABELS, LINES, of_many, spread
from xorjax.results.notes import TOLERANCE
from xorjax.results.palette import BLUE, CYCLE, NEUTRAL, colours

__all__ = ["CYCLE", "NEUTRAL", "Panel", "accuracy_panels", "axes", "dashes", "patches_panels"]

METHOD_LINES = {"minimum": ("solid", "circle"), "greedy": ("dash", "square")}
PLOT_HEIGHT = 300
NARROW_LABELS = 8


@dataclass(frozen=True)
class Panel:
    """One figure of the page, of a height in pixels: `wide` takes a whole line. `more` says what is not drawn."""

    title: str
    figure: go.Figure
    wide: bool = False
    height: int = PLOT_HEIGHT
    more: str = ""


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


def patches_panels(settings: pl.DataFrame) -> list[Panel]:
    """For every prune rate: mean patches of a slice against n_out, one line an n_in and method.

    Neither the patch format nor an exact mask codec changes patches, so of those that differ in them one is drawn.
    """
    colour_of = colours(settings["n_in"].to_list())
    lines = ["n_in", "method", "model_variant", "variant"]
    settings = settings.unique(["prune_rate", "n_out", *lines], keep="first", maintain_order=True)
    top = 1.1 * max(0.1, *settings["patches_per_slice"])
    panels = []
    for (rate,), group in settings.group_by("prune_rate", maintain_order=True):
        figure = go.Figure(layout=axes("n_out", "patches per slice"))
        groups = list(group.group_by(lines, maintain_order=True))
        shown = spread(groups, LINES)
        for (n_in, method, *variants), line in shown:
            name = ", ".join([f"n_in {n_in}", str(method), *(v for v in dict.fromkeys(variants) if v)])
            figure.add_scatter(
                x=line["n_out"].to_list(),
                y=line["patches_per_slice"].to_list(),
                mode="lines+markers",
                name=name,
                line={"color": colour_of[n_in], "width": 2, "dash": METHOD_LINES[method][0]},
                marker={"size": 8, "symbol": METHOD_LINES[method][1]},
                error_y={"type": "data", "array": line["patches_per_slice_spread"].fill_null(0).to_list()},
                hovertemplate=f"{name}, n_out %{{x}}: %{{y:.2f}} patches a slice<extra></extra>",
            )
        figure.update_yaxes(range=[0, top])
        n_outs = group["n_out"].unique().to_list()
        figure.update_xaxes(nticks=7, tickvals=n_outs if len(n_outs) < 4 else None)
        more = of_many(len(groups), len(shown), "lines")
        panels.append(Panel(f"S = {rate:g}", figure, more=more))
    return panels


def _label(first: object, variant: str) -> str:
    return f"{first}<br>{variant.replace(', ', '<br>')}" if variant else str(first)


def dashes(dash: str = "dash") -> dict[str, object]:
    """The line of a bound or a level."""
    return {"width": 1.5, "dash": dash, "color": NEUTRAL}


def axes(x_title: str, y_title: str) -> go.Layout:
    """The layout that all figures share, with the titles of its axes."""
    # Colours of text and lines are the page's: report.css sets them, so that they follow light and dark.
    axis = {"showline": False, "zeroline": False, "ticks": ""}
    return go.Layout(
        template="none",
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", "size": 13},
        margin={"l": 66, "r": 14, "t": 10, "b": 52},
        hoverlabel={"font": {"size": 13}},
        hovermode="closest",
        xaxis={
            **axis,
            "showgrid": False,
            "title": {"text": x_title, "standoff": 10, "font_size": 13},
            "ticklabelstandoff": 5,
        },
        yaxis={
            **axis,
            "gridwidth": 1,
            "title": {"text": y_title, "standoff": 10, "font_size": 13},
            "ticklabelstandoff": 4,
        },
    )
