"""The report's figures of masks: what they cost, against the metric and against the magnitude that they keep."""

from math import log10
from typing import Any

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results.figures import Panel, axes, dashes
from xorjax.results.masks import entropy, of_model, order_of
from xorjax.results.names import mask_name
from xorjax.results.palette import BLUE, GREEN, NEUTRAL, ORANGE, PINK, RED, SKY

# Plotly's marker and the same sign as a letter, for the legend: open for exact codecs, filled for approximate ones.
MARKS = {
    "bitmap": ("circle-open", "○", NEUTRAL),
    "ans": ("square-open", "□", ORANGE),
    "ans_rc": ("diamond-open", "◇", PINK),
    "csr4": ("triangle-up-open", "△", SKY),
    "csr5": ("triangle-down-open", "▽", SKY),
    "csr6": ("triangle-left-open", "◁", SKY),
    "csr7": ("pentagon-open", "⬠", SKY),
    "csr8": ("triangle-right-open", "▷", SKY),
    "golomb": ("star-open", "☆", ORANGE),
    "lowrank": ("diamond", "◆", BLUE),
    "codebook": ("square", "■", RED),
    "xor": ("star", "★", GREEN),
}
STEPS = 80
NAMED_RATES = 8
FEWEST_TICKS, MOST_TICKS = 3, 12
ENTROPY_LINE = {"mode": "lines", "name": "H(S)", "line": dashes()}


def log_axis(least: float, most: float) -> dict[str, Any]:
    """A logarithmic axis with both ends, its ticks round and as few as tell where one is."""
    ticks: list[float] = []
    for bases in ((1, 2, 5), range(1, 10), [base / 10 for base in range(10, 100)]):
        ticks = [base * 10**power for power in range(-5, 2) for base in bases]
        ticks = [float(f"{tick:.2g}") for tick in ticks if least <= tick <= most]
        if len(ticks) >= FEWEST_TICKS:
            break
    shown = ticks[:: -(-len(ticks) // MOST_TICKS) or 1]
    return {
        "type": "log",
        "range": [log10(least), log10(most)],
        "tickvals": shown,
        "ticktext": [f"{tick:g}" for tick in shown],
    }


def mark_of(codec: str, approximate: bool) -> tuple[str, str, str]:
    """The mark of a codec; one that is not known is as the others of its kind are."""
    return MARKS.get(codec, ("cross", "✚", NEUTRAL) if approximate else ("cross-open", "✛", NEUTRAL))


def _marker(codec: str, approximate: bool) -> dict[str, Any]:
    symbol, _, colour = mark_of(codec, approximate)
    return {"symbol": symbol, "size": 12, "color": colour, "line": {"width": 2, "color": colour}}


def legend(masks: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """The codecs that occur, as `page.legend` takes them."""
    present = dict(masks.select("codec", "approximate").unique().iter_rows())
    ordered = sorted(present, key=order_of)
    return {mask_name(codec): mark_of(codec, present[codec])[1:] for codec in ordered}


def metric_panels(masks: pl.DataFrame, metric: Metric) -> list[Panel]:
    """For every prune rate: the metric on the test split against index bits, a marker a mask codec.

    The references are lines, one for each length of training.
    """
    values = ("test_metric", "test_metric_spread", "reference_metric")
    scaled = masks.with_columns(pl.col(values) * metric.scale)
    return _panels(scaled, "test_metric", f"test {metric.label}", (2, 0.03), "reference_metric")


def kept_panels(masks: pl.DataFrame) -> list[Panel]:
    """For every prune rate: the magnitude kept against index bits, a marker a mask codec."""
    return _panels(masks, "kept_score", "kept magnitude", (3, 0.003))


def index_panel(masks: pl.DataFrame) -> Panel:
    """Index bits of all exact codecs against the prune rate, and the entropy of a random mask."""
    figure = go.Figure(layout=axes("prune rate S", "index bits per weight"))
    rates = masks["prune_rate"].unique().sort().to_list()
    ends = (min(rates), max(rates))
    margin = 0.08 * (ends[1] - ends[0]) or 0.01
    first, last = max(ends[0] - margin, 0.001), min(ends[1] + margin, 0.999)
    between = [first + (last - first) * i / STEPS for i in range(STEPS + 1)]
    figure.add_scatter(
        x=between,
        y=[entropy(rate) for rate in between],
        hovertemplate="H(%{x:.3g}): %{y:.4f} bits<extra></extra>",
        **ENTROPY_LINE,
    )
    for (codec,), marks in masks.group_by("codec", maintain_order=True):
        figure.add_scatter(
            x=marks["prune_rate"].to_list(),
            y=marks["index_bits"].to_list(),
            mode="markers",
            name=str(codec),
            marker=_marker(str(codec), False),
            hovertemplate=f"{mask_name(str(codec))}, S = %{{x}}: %{{y:.4f}} index bits<extra></extra>",
        )
    # A mask that keeps everything has no entropy, and a logarithmic axis no zero.
    bits = [b for b in (*masks["index_bits"], *map(entropy, rates), entropy(last)) if b > 0]
    figure.update_xaxes(
        range=[min(first, ends[0]), last], tickvals=rates if len(rates) <= NAMED_RATES else None
    )
    figure.update_yaxes(**log_axis(min(bits) / 1.25, max(bits) * 1.25))
    return Panel("", figure, wide=True)


def _panels(
    masks: pl.DataFrame, column: str, title: str, scale: tuple[int, float], level: str | None = None
) -> list[Panel]:
    """`scale`: the digits of the values, and how much there is at least above and below all of them."""
    digits, least_margin = scale
    entropies = [entropy(rate) for rate in masks["prune_rate"].unique()]
    bits = [*masks["index_bits"], *(bits for bits in entropies if bits > 0)]
    x_axis = log_axis(min(bits) / 1.3, max(bits) * 1.3)
    panels = []
    for (rate,), group in masks.group_by("prune_rate", maintain_order=True):
        figure = go.Figure(layout=axes("index bits per weight", title))
        spreads = group[f"{column}_spread"].fill_null(0)
        levels = group[level].unique().sort().to_list() if level else []
        ends = [*(group[column] - spreads), *(group[column] + spreads), *levels]
        margin = max(0.12 * (max(ends) - min(ends)), least_margin)
        y_range = [min(ends) - margin, max(ends) + margin]
        for y in levels:
            figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=y, y1=y, line=dashes("dot"))
        # A trace, since the place of a shape on a logarithmic axis cannot be hovered over.
        hovertemplate = "H(S): %{x:.4f} bits<extra></extra>"
        figure.add_scatter(x=[entropy(rate)] * 2, y=y_range, hovertemplate=hovertemplate, **ENTROPY_LINE)
        for (codec,), marks in group.group_by("codec", maintain_order=True):
            figure.add_scatter(**_marks(str(codec), marks, column, digits))
        figure.update_xaxes(**x_axis)
        figure.update_yaxes(range=y_range, tickformat=f".{digits}f", nticks=7)
        panels.append(Panel(f"S = {rate:g}", figure))
    return panels


def _marks(codec: str, marks: pl.DataFrame, column: str, digits: int) -> dict[str, Any]:
    spread = {"type": "data", "thickness": 1.5, "width": 0}
    return {
        "x": marks["index_bits"].to_list(),
        "y": marks[column].to_list(),
        "error_x": {**spread, "array": marks["index_bits_spread"].fill_null(0).to_list()},
        "error_y": {**spread, "array": marks[f"{column}_spread"].fill_null(0).to_list()},
        "customdata": [of_model(*row) for row in marks.select("mask_of", "model_variant").iter_rows()],
        "mode": "markers",
        "name": codec,
        "marker": _marker(codec, marks["approximate"][0]),
        "hovertemplate": f"{mask_name(codec)}%{{customdata}}: %{{x:.4f}} index bits, %{{y:.{digits}f}}<extra></extra>",
    }
