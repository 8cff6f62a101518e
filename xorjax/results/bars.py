"""The report's sections of bars: bits per weight by what they are spent on, of settings and of codecs."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
import polars as pl

from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.caps import BARS, PANELS, of_many, spread
from xorjax.results.figures import EDGE, PLOT_HEIGHT, Panel, axes, dashes, of_some_rates, panels
from xorjax.results.names import MASK_NAMES
from xorjax.results.palette import BLUE, NEUTRAL, PINK, RED
from xorjax.streams import BIT_NAMES, BIT_STREAMS

STREAM_COLOURS = {"code_bits": BLUE, "patch_bits": RED, "index_bits": NEUTRAL, "scale_bits": PINK}
STREAM_LEGEND = {BIT_NAMES[stream]: colour for stream, colour in STREAM_COLOURS.items()}
BOUNDS = {"value_bound": "dash", "context_entropy": "dot"}
"""Columns that are lines, where they are known: bounds of the value bits."""
WIDE_FROM_BARS, WIDE_FROM_LETTERS = 14, 20
LETTERS = 26
"""In a line of a bar's name."""


def bits(by_setting: pl.DataFrame) -> str:
    """The section of settings; of what `per_setting` gives."""
    settings, more = of_some_rates(by_setting)
    bounds = {
        "1 - S, the least that code + patch take for random signs": "dashed",
        "the entropy of these signs in their contexts": "dotted",
    }
    return page.section(
        "bits",
        "Bits per weight",
        page.legend(STREAM_LEGEND | bounds),
        panels("Bits per weight", _of_settings(settings.with_columns(label=_labels(settings)))),
        page.paragraph(
            "What one weight costs on disk, by what the bits are spent on: the mean over seeds. A bar is one setting, "
            "named by what differs (code, n_in → n_out, method, patch format, mask codec); the smallest is at the top. "
            f"Each prune rate has its own scale.{more}",
            "caption",
        ),
    )


def codecs(summary: Sequence[Best]) -> str:
    """The section of the best points beside other codecs of the same weights."""
    shown = spread(summary, PANELS)
    # One scale for all.
    most = max(bits for best in shown for bits in (best.bits_per_weight, *best.sizes.values()))
    drawn = []
    for best in shown:
        bars = [(f"<b>{best.name}</b>", vars(best)), *((other.name, vars(other)) for other in best.baselines)]
        drawn.append(Panel(f"S = {best.prune_rate:g}", _lying(bars, most)))
    return page.section(
        "baselines",
        "Other codecs on the same weights",
        page.legend(STREAM_LEGEND),
        panels("Other codecs on the same weights", drawn),
        page.paragraph(
            "The best point of each prune rate (bold) beside other codecs of the same quantized weights: means over "
            "seeds, the smallest at the top. Dense 1-bit stores the sign of every weight and needs no mask."
            f"{of_many(len(summary), len(shown), 'prune rates')}",
            "caption",
        ),
    )


def _of_settings(settings: pl.DataFrame) -> list[Panel]:
    drawn = []
    for (rate,), of_rate in settings.group_by("prune_rate", maintain_order=True):
        group = of_rate.sort("bits_per_weight", maintain_order=True).head(BARS)
        most = group["bits_per_weight"][-1]
        figure = _lying([(row["label"], row) for row in group.iter_rows(named=True)], most)
        for column, dash in BOUNDS.items():
            if (bound := group[column][0]) is not None:
                figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=bound, x1=bound, line=dashes(dash))
        wide = group.height > WIDE_FROM_BARS or max(map(len, group["label"])) > WIDE_FROM_LETTERS
        more = of_many(of_rate.height, group.height, "settings, the smallest")
        n_lines = max(len(wrap(label, LETTERS)) for label in group["label"])
        height = max(PLOT_HEIGHT, 80 + (8 + 18 * n_lines) * group.height)
        drawn.append(Panel(f"S = {rate:g}", figure, wide, height, more))
    return drawn


def _labels(settings: pl.DataFrame) -> pl.Series:
    """For each setting the names of what differs within a prune rate."""
    names = ("code", "shape", "method", "patch_format", "mask_codec", "variant")
    known = settings.with_columns(pl.col("mask_codec").replace(MASK_NAMES))
    several = known.select(pl.col(names).n_unique().over("prune_rate").max()).row(0, named=True)
    differing = [name for name in names if several[name] > 1] or ["code"]
    parts = (pl.when(pl.col(name) != "").then(name) for name in differing)
    return known.select(pl.concat_list(*parts).list.drop_nulls().list.join(", ")).to_series()


def _lying(bars: Sequence[tuple[str, Mapping[str, Any]]], most: float) -> go.Figure:
    """Bits per weight by stream, a bar lying for each name, with its total, the smallest at the top; to `most` bits."""
    ordered = sorted(bars, key=lambda bar: -bar[1]["bits_per_weight"])
    names = [name for name, _ in ordered]
    figure = go.Figure(layout=axes("bits per weight", ""))
    for stream in BIT_STREAMS:
        figure.add_bar(
            orientation="h",
            y=names,
            x=[of[stream] for _, of in ordered],
            name=BIT_NAMES[stream],
            marker={"color": STREAM_COLOURS[stream], "line": EDGE},
            hovertemplate="%{y}: %{x:.4f} " + BIT_NAMES[stream] + " bits per weight<extra></extra>",
        )
    beside = {"showarrow": False, "xanchor": "left", "xshift": 4}
    totals = ((name, of["bits_per_weight"]) for name, of in ordered)
    notes = [{"x": total, "y": name, "text": f"{total:.3f}", **beside} for name, total in totals]
    figure.update_layout(barmode="stack", bargap=0.35, annotations=notes)
    figure.update_layout(margin_r=52)  # where the total of the longest bar stands
    figure.update_xaxes(showgrid=True, nticks=4, tickangle=0, range=[0, 1.02 * most])
    lines = ["<br>".join(wrap(name, LETTERS)) for name in names]
    looks = {"showgrid": False, "automargin": True, "ticklabelstandoff": 6}
    figure.update_yaxes(type="category", tickvals=names, ticktext=lines, **looks)
    return figure
