"""The report's figures, drawn by plotly. Everything else of the package does without plotly."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import polars as pl

from xorjax.results.notes import TOLERANCE
from xorjax.results.rows import STREAMS
from xorjax.results.tables import Best

# Okabe and Ito's palette, which the colour-blind can tell apart, and a neutral for what is only context.
BLUE, ORANGE, GREEN, PINK, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
NEUTRAL = "#9AA5B1"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED)
STREAM_COLOURS = {"code_bits": BLUE, "patch_bits": RED, "index_bits": NEUTRAL, "scale_bits": PINK}
STREAM_NAMES = {"code_bits": "code", "patch_bits": "patch", "index_bits": "index", "scale_bits": "scale"}
STREAM_LEGEND = {STREAM_NAMES[stream]: colour for stream, colour in STREAM_COLOURS.items()}
METHOD_LINES = {"minimum": ("solid", "circle"), "greedy": ("dash", "square")}
WIDE_FROM_SHAPES = 14
WIDE_FROM_SETTINGS = 14
WIDE_FROM_LETTERS = 20
PLOT_HEIGHT = 300


@dataclass(frozen=True)
class Curve:
    """The metrics of one training run; `prune_rate` None where several rates share it."""

    stage: str
    title: str
    prune_rate: float | None
    metrics: pl.DataFrame


@dataclass(frozen=True)
class Panel:
    """One figure of the page, of a height in pixels: `wide` takes a whole line."""

    title: str
    figure: go.Figure
    wide: bool = False
    height: int = PLOT_HEIGHT


def rate_colours(rates: Sequence[float]) -> dict[float, str]:
    """A colour for every prune rate, the same throughout the report."""
    return {rate: CYCLE[i % len(CYCLE)] for i, rate in enumerate(sorted(set(rates)))}


def shape_colours(n_ins: Sequence[int]) -> dict[int, str]:
    """A colour for every n_in, the same throughout the report."""
    return {n_in: CYCLE[i % len(CYCLE)] for i, n_in in enumerate(sorted(set(n_ins)))}


def bits_panels(settings: pl.DataFrame) -> list[Panel]:
    """For every prune rate: bits per weight by stream, a bar a setting, and the value bits' bound.

    Where the settings are XOR shapes only, the bars stand side by side; else they lie, each with its label.
    """
    labels = _setting_labels(settings)
    if labels is None:
        return [
            _bars_by_shape(f"S = {rate:g}", group)
            for (rate,), group in settings.group_by("prune_rate", maintain_order=True)
        ]
    panels = []
    rows = settings.with_columns(label=labels)
    for (rate,), group in rows.group_by("prune_rate", maintain_order=True):
        ordered = group.sort("bits_per_weight", descending=True, maintain_order=True)
        figure = _lying_bars([(row["label"], row) for row in ordered.iter_rows(named=True)])
        bound = group["value_bound"][0]
        figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=bound, x1=bound, line=_dashes())
        figure.update_xaxes(range=[0, 1.3 * max(group["bits_per_weight"])])
        wide = group.height > WIDE_FROM_SETTINGS or max(map(len, group["label"])) > WIDE_FROM_LETTERS
        panels.append(Panel(f"S = {rate:g}", figure, wide, max(PLOT_HEIGHT, 80 + 26 * group.height)))
    return panels


def _bars_by_shape(title: str, group: pl.DataFrame) -> Panel:
    figure = go.Figure(layout=axes("n_out, grouped by n_in", "bits per weight"))
    for stream in STREAMS:
        figure.add_bar(
            x=[[f"n_in {n_in}" for n_in in group["n_in"]], [str(n_out) for n_out in group["n_out"]]],
            y=group[stream].to_list(),
            name=STREAM_NAMES[stream],
            marker_color=STREAM_COLOURS[stream],
            width=min(0.7, 0.2 * group.height),
            hovertemplate="%{x}: %{y:.4f} " + STREAM_NAMES[stream] + " bits per weight<extra></extra>",
        )
    bound = group["value_bound"][0]
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=bound, y1=bound, line=_dashes())
    figure.update_layout(barmode="stack", margin_b=74, xaxis_ticklabelstandoff=0)
    return Panel(title, figure, wide=group.height > WIDE_FROM_SHAPES)


def _setting_labels(settings: pl.DataFrame) -> pl.Series | None:
    """For each setting the names of what differs among them; None if only the XOR shape does."""
    differing = [
        name for name in ("method", "patch_format", "mask_codec", "variant") if settings[name].n_unique() > 1
    ]
    if not differing:
        return None
    shapes = settings.select(pl.struct("n_in", "n_out").n_unique().over("prune_rate"))
    parts = [pl.col(name) for name in differing]
    if shapes.to_series().max() != 1:
        parts.insert(0, pl.format("{} → {}", "n_in", "n_out"))
    joined = (
        pl.concat_list(pl.when(part != "").then(part) for part in parts).list.drop_nulls().list.join(", ")
    )
    return settings.select(joined).to_series()


def _lying_bars(bars: Sequence[tuple[str, Mapping[str, Any]]]) -> go.Figure:
    """Bits per weight by stream, a bar lying for each name, with its total; the first at the bottom."""
    names = [name for name, _ in bars]
    figure = go.Figure(layout=axes("bits per weight", ""))
    for stream in STREAMS:
        figure.add_bar(
            orientation="h",
            y=names,
            x=[bits[stream] for _, bits in bars],
            name=STREAM_NAMES[stream],
            marker_color=STREAM_COLOURS[stream],
            hovertemplate="%{y}: %{x:.4f} " + STREAM_NAMES[stream] + " bits per weight<extra></extra>",
        )
    for name, bits in bars:
        total = bits["bits_per_weight"]
        figure.add_annotation(x=total, y=name, text=f"{total:.3f}", showarrow=False, xanchor="left", xshift=4)
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_xaxes(showgrid=True, nticks=6)
    figure.update_yaxes(type="category", showgrid=False, automargin=True, ticklabelstandoff=6)
    return figure


def accuracy_panel(points: pl.DataFrame) -> Panel:
    """Test accuracy against prune rate: a dot a seed, their mean, the mean of the dense models as a line."""
    models = points.filter(pl.col("n_out").is_not_null()).unique("quantized", maintain_order=True)
    models = models.sort("prune_rate", pl.col("model_variant") != "exact", "model_variant", "seed")
    labels = [_label(f"{s:g}", v) for s, v in models.select("prune_rate", "model_variant").iter_rows()]
    models = models.with_columns(label=pl.Series(labels, dtype=pl.String))
    dense = models.unique("seed", maintain_order=True).sort("seed")
    dense_mean = 100 * statistics.fmean(dense["dense_accuracy"])
    means = models.group_by("label", maintain_order=True).agg(pl.col("test_accuracy").mean())
    figure = go.Figure(layout=axes("prune rate S", "test accuracy (%)"))
    for level, dash in ((dense_mean, "dash"), (dense_mean - 100 * TOLERANCE, "dot")):
        line = {**_dashes(), "dash": dash}
        figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=level, y1=level, line=line)
    figure.add_scatter(
        x=["dense", *means["label"]],
        y=[dense_mean, *(100 * means["test_accuracy"])],
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
        x=["dense"] * dense.height + models["label"].to_list(),
        y=[*(100 * dense["dense_accuracy"]), *(100 * models["test_accuracy"])],
        customdata=[*dense["seed"], *models["seed"]],
        mode="markers",
        name="one seed",
        marker={"size": 9, "opacity": 0.9, "color": [NEUTRAL] * dense.height + [BLUE] * models.height},
        hovertemplate="%{x}, seed %{customdata}: %{y:.2f} %<extra></extra>",
    )
    figure.update_xaxes(type="category", automargin=True)
    figure.update_yaxes(tickformat=".2f")
    return Panel("", figure, wide=True)


def patches_panels(settings: pl.DataFrame) -> list[Panel]:
    """For every prune rate: mean patches of a slice against n_out, one line an n_in and method.

    Neither the patch format nor an exact mask codec changes patches, so of those that differ in them one is drawn.
    """
    colours = shape_colours(settings["n_in"].to_list())
    lines = ["n_in", "method", "model_variant", "variant"]
    settings = settings.unique(["prune_rate", "n_out", *lines], keep="first", maintain_order=True)
    top = 1.1 * max(0.1, *settings["patches_per_slice"])
    panels = []
    for (rate,), group in settings.group_by("prune_rate", maintain_order=True):
        figure = go.Figure(layout=axes("n_out", "patches per slice"))
        for (n_in, method, *variants), line in group.group_by(lines, maintain_order=True):
            name = ", ".join([f"n_in {n_in}", str(method), *(v for v in dict.fromkeys(variants) if v)])
            figure.add_scatter(
                x=line["n_out"].to_list(),
                y=line["patches_per_slice"].to_list(),
                mode="lines+markers",
                name=name,
                line={"color": colours[n_in], "width": 2, "dash": METHOD_LINES[method][0]},
                marker={"size": 8, "symbol": METHOD_LINES[method][1]},
                error_y={"type": "data", "array": line["patches_per_slice_spread"].fill_null(0).to_list()},
                hovertemplate=f"{name}, n_out %{{x}}: %{{y:.2f}} patches a slice<extra></extra>",
            )
        figure.update_yaxes(range=[0, top])
        n_outs = group["n_out"].unique().to_list()
        figure.update_xaxes(nticks=7, tickvals=n_outs if len(n_outs) < 4 else None)
        panels.append(Panel(f"S = {rate:g}", figure))
    return panels


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
        accuracy.update_yaxes(tickformat=".2f")
        loss.update_yaxes(rangemode="tozero")
        if max(curve.metrics["epoch"].to_list()[-1] for curve in chosen) < 8:
            accuracy.update_xaxes(dtick=1)
            loss.update_xaxes(dtick=1)
        name = stage.capitalize()
        accuracies.append(Panel(f"{name}: accuracy", accuracy))
        losses.append(Panel(f"{name}: loss", loss))
    return accuracies + losses


def baseline_panels(summary: Sequence[Best]) -> list[Panel]:
    """For every prune rate: the best XOR point and the baselines, index, value and scale bits stacked."""
    codecs = [[("XOR code", best), *((b.name, b) for b in best.baselines)] for best in summary]
    top = 1.3 * max(codec.bits_per_weight for row in codecs for _, codec in row)
    panels = []
    for best, row in zip(summary, codecs, strict=True):
        ordered = sorted(row, key=lambda entry: entry[1].bits_per_weight, reverse=True)
        figure = _lying_bars(
            [(f"<b>{name}</b>" if codec is best else name, vars(codec)) for name, codec in ordered]
        )
        figure.update_xaxes(range=[0, top])
        panels.append(Panel(f"S = {best.prune_rate:g}", figure))
    return panels


def _label(first: object, variant: str) -> str:
    return f"{first}<br>{variant.replace(', ', '<br>')}" if variant else str(first)


def _dashes() -> dict[str, object]:
    return {"width": 1.5, "dash": "dash", "color": NEUTRAL}


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
