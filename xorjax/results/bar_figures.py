"""The report's figures of bars: bits per weight by what they are spent on."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from xorjax.results.best import Best
from xorjax.results.caps import BARS, of_many
from xorjax.results.figures import EDGE, PLOT_HEIGHT, Panel, axes, dashes
from xorjax.results.names import MASK_NAMES
from xorjax.results.palette import BLUE, NEUTRAL, PINK, RED
from xorjax.streams import BIT_NAMES, BIT_STREAMS

STREAM_COLOURS = {"code_bits": BLUE, "patch_bits": RED, "index_bits": NEUTRAL, "scale_bits": PINK}
STREAM_LEGEND = {BIT_NAMES[stream]: colour for stream, colour in STREAM_COLOURS.items()}
WIDE_FROM_SHAPES = 14
WIDE_FROM_SETTINGS = 14
WIDE_FROM_LETTERS = 20


def bits_panels(settings: pl.DataFrame) -> list[Panel]:
    """For every prune rate: bits per weight by stream, a bar a setting, and the value bits' bound.

    Where the settings are XOR shapes only, the bars stand side by side; else they lie, each with its label.
    """
    labels = _setting_labels(settings)
    panels = []
    rows = settings if labels is None else settings.with_columns(label=labels)
    for (rate,), of_rate in rows.group_by("prune_rate", maintain_order=True):
        n_all = of_rate.height
        smallest = of_rate.with_columns(place=pl.col("bits_per_weight").rank("ordinal"))
        group = smallest.filter(pl.col("place") <= BARS)
        more = of_many(n_all, group.height, "settings, the smallest")
        if labels is None:
            panels.append(_bars_by_shape(f"S = {rate:g}", group, more))
            continue
        ordered = group.sort("bits_per_weight", descending=True, maintain_order=True)
        figure = _lying_bars([(row["label"], row) for row in ordered.iter_rows(named=True)])
        for bound, dash in _bounds(group):
            figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=bound, x1=bound, line=dashes(dash))
        figure.update_xaxes(range=[0, 1.3 * max(group["bits_per_weight"])])
        wide = group.height > WIDE_FROM_SETTINGS or max(map(len, group["label"])) > WIDE_FROM_LETTERS
        panels.append(Panel(f"S = {rate:g}", figure, wide, max(PLOT_HEIGHT, 80 + 26 * group.height), more))
    return panels


def _bars_by_shape(title: str, group: pl.DataFrame, more: str) -> Panel:
    figure = go.Figure(layout=axes("n_out, grouped by n_in", "bits per weight"))
    for stream in BIT_STREAMS:
        figure.add_bar(
            x=[[f"n_in {n_in}" for n_in in group["n_ins"]], group["n_outs"].to_list()],
            y=group[stream].to_list(),
            name=BIT_NAMES[stream],
            marker={"color": STREAM_COLOURS[stream], "line": EDGE},
            width=min(0.7, 0.2 * group.height),
            hovertemplate="%{x}: %{y:.4f} " + BIT_NAMES[stream] + " bits per weight<extra></extra>",
        )
    for bound, dash in _bounds(group):
        figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=bound, y1=bound, line=dashes(dash))
    figure.update_layout(barmode="stack", margin_b=74, xaxis_ticklabelstandoff=0)
    return Panel(title, figure, wide=group.height > WIDE_FROM_SHAPES, more=more)


def _bounds(group: pl.DataFrame) -> list[tuple[float, str]]:
    """Of value bits, each with its line; an entropy of the signs where it is known."""
    bounds = [(group["value_bound"][0], "dash"), (group["context_entropy"][0], "dot")]
    return [(bound, dash) for bound, dash in bounds if bound is not None]


def _setting_labels(settings: pl.DataFrame) -> pl.Series | None:
    """For each setting the names of what differs among them; None if only the XOR shape does."""
    differing = [
        name
        for name in ("code", "method", "patch_format", "mask_codec", "variant")
        if settings[name].n_unique() > 1
    ]
    if not differing and settings["n_in"].null_count() == 0:
        return None
    settings = settings.with_columns(pl.col("mask_codec").replace(MASK_NAMES))
    shapes = settings.select(pl.col("shape").n_unique().over("prune_rate"))
    parts = [pl.col(name) for name in differing]
    if shapes.to_series().max() != 1:
        parts.insert(0, pl.col("shape"))
    parts = parts or [pl.col("code")]
    joined = (
        pl.concat_list(pl.when(part != "").then(part) for part in parts).list.drop_nulls().list.join(", ")
    )
    return settings.select(joined).to_series()


def _lying_bars(bars: Sequence[tuple[str, Mapping[str, Any]]]) -> go.Figure:
    """Bits per weight by stream, a bar lying for each name, with its total; the first at the bottom."""
    names = [name for name, _ in bars]
    figure = go.Figure(layout=axes("bits per weight", ""))
    for stream in BIT_STREAMS:
        figure.add_bar(
            orientation="h",
            y=names,
            x=[bits[stream] for _, bits in bars],
            name=BIT_NAMES[stream],
            marker={"color": STREAM_COLOURS[stream], "line": EDGE},
            hovertemplate="%{y}: %{x:.4f} " + BIT_NAMES[stream] + " bits per weight<extra></extra>",
        )
    beside = {"showarrow": False, "xanchor": "left", "xshift": 4}
    totals = [(name, bits["bits_per_weight"]) for name, bits in bars]
    notes = [{"x": total, "y": name, "text": f"{total:.3f}", **beside} for name, total in totals]
    figure.update_layout(barmode="stack", bargap=0.35, annotations=notes)
    figure.update_xaxes(showgrid=True, nticks=6)
    figure.update_yaxes(type="category", showgrid=False, automargin=True, ticklabelstandoff=6)
    return figure


def baseline_panels(summary: Sequence[Best]) -> list[Panel]:
    """For every prune rate: the best point and the baselines, index, value and scale bits stacked."""
    codecs = [[(best.name, best), *((b.name, b) for b in best.baselines)] for best in summary]
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
