"""The figure of a comparison: both sides' settings and fronts, bits against the metric."""

from typing import Any

import plotly.graph_objects as go

from xorjax.metric import Metric
from xorjax.results.caps import of_many, spread
from xorjax.results.compare import Comparison, Side, front
from xorjax.results.figures import DIGITS_BY_STEP, EDGE, Panel, axes, hover
from xorjax.results.palette import BLUE, ORANGE
from xorjax.results.variants import SAID, said

STYLES = ((BLUE, "circle"), (ORANGE, "square"))
DOTS = 1000
"""Markers of one side."""


def front_panels(comparison: Comparison) -> list[Panel]:
    """On the validation split, which the fronts are found by, and on the test split."""
    panels = []
    for split in ("validation", "test"):
        metric = comparison.metric
        figure = go.Figure(layout=axes("bits per weight", f"{split} {metric.label}"))
        n_all = n_drawn = 0
        for side, style in zip(comparison.sides, STYLES, strict=True):
            n_all += side.settings.height
            n_drawn += _draw(figure, side, f"{split}_metric", style, metric)
        figure.update_yaxes(tickformatstops=DIGITS_BY_STEP)
        more = of_many(n_all, n_drawn, "settings")
        panels.append(Panel(f"{split.capitalize()} split", figure, wide=True, height=380, more=more))
    return panels


def _draw(figure: go.Figure, side: Side, column: str, style: tuple[str, str], metric: Metric) -> int:
    """Adds the markers and the front of one side; returns how many markers."""
    colour, symbol = style
    rows = spread(side.settings.select("bits_per_weight", column, *SAID).rows(), DOTS)
    figure.add_scatter(
        x=[row[0] for row in rows],
        y=[None if row[1] is None else metric.scale * row[1] for row in rows],
        mode="markers",
        name=side.name,
        text=[said(row[2:]) for row in rows],
        marker={"color": colour, "symbol": symbol, "size": 8, "line": EDGE},
        hovertemplate=f"%{{fullData.name}}: %{{text}}<br>%{{x:.4f}} bits, {hover(metric)}<extra></extra>",
    )
    best = front(side.settings, metric)
    look: dict[str, Any] = {"mode": "lines", "line": {"shape": "hv", "color": colour, "width": 2}}
    if column != "validation_metric":
        # Over the test split the settings that validation chose need not rise: they are ringed, not joined.
        ring = {"symbol": "circle-open", "color": colour, "size": 15, "line": {"width": 2}}
        look = {"mode": "markers", "marker": ring}
    figure.add_scatter(
        x=best["bits_per_weight"].to_list(),
        y=(metric.scale * best[column]).to_list(),
        name=f"front of {side.name}",
        hoverinfo="skip",
        **look,
    )
    return len(rows)
