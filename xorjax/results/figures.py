"""What the figures of the pages share."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results.caps import PANELS, of_many, spread
from xorjax.results.page import inside_script, paragraph
from xorjax.results.palette import NEUTRAL, PAGE

PLOT_HEIGHT = 300
EDGE = {"width": 1, "color": PAGE}
"""Around marks that touch each other: an edge of the page's colour tells them apart."""
DIGITS_BY_STEP: tuple[dict[str, object], ...] = (
    *({"dtickrange": [10.0**-n, 9 * 10.0**-n], "value": f".{n}f"} for n in (4, 3, 2, 1)),
    {"dtickrange": [1, None], "value": ".0f"},
)
"""Plotly's `tickformatstops`: labels have as many digits as tell them apart, however far one zooms in."""


@dataclass(frozen=True)
class Panel:
    """One figure of the page, of a height in pixels: `wide` takes a whole line. `more` says what is not drawn."""

    title: str
    figure: go.Figure
    wide: bool = False
    height: int = PLOT_HEIGHT
    more: str = ""

    @property
    def about(self) -> str:
        """What a screen reader says of it: its title, and what its axes are."""
        layout: Any = self.figure.layout
        axes = (axis.title.text for axis in (layout.yaxis, layout.xaxis))
        return f"{self.title}: {' against '.join(text for text in axes if text)}"


def panels(section: str, drawn: Sequence[Panel], n_columns: int = 12) -> str:
    """Figures of a section, as many beside each other as fit, at most `n_columns`; plots.js draws them."""
    style = f"--widest: calc(100% / {n_columns} - 20px)"
    figures = "\n".join(_panel(section, panel) for panel in drawn)
    return f'<div class="panels" style="{style}">\n{figures}\n</div>'


def _panel(section: str, panel: Panel) -> str:
    heading = f"<h3>{escape(panel.title)}</h3>" if panel.title else ""
    data = f'<script type="application/json">{inside_script(panel.figure.to_json() or "")}</script>'
    return (
        f'<div class="panel{" wide" if panel.wide else ""}">{heading}'
        f'<div class="plot" role="img" aria-label="{escape(f"{section}, {panel.about}")}" '
        f'style="height:{panel.height}px">{data}</div>{paragraph(panel.more, "caption")}</div>'
    )


def of_some_rates(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The rows of as many prune rates as get a figure of their own, and a sentence if that is not all."""
    rates = frame["prune_rate"].unique().sort().to_list()
    shown = spread(rates, PANELS)
    return frame.filter(pl.col("prune_rate").is_in(shown)), of_many(len(rates), len(shown), "prune rates")


def dashes(dash: str = "dash") -> dict[str, object]:
    """The line of a bound or a level."""
    return {"width": 1.5, "dash": dash, "color": NEUTRAL}


def hover(metric: Metric, axis: str = "y") -> str:
    """The metric on an axis, in plotly's words for what is under the pointer."""
    return f"%{{{axis}:{metric.number_format}}} {metric.unit}".strip()


def axes(x_title: str, y_title: str) -> go.Layout:
    """The layout that all figures share, with the titles of its axes."""
    # Colours of text and lines are the page's: report.css sets them, so that they follow light and dark.
    # A finger that moves over a figure scrolls the page: only the report's main figure can be zoomed.
    axis = {"showline": False, "zeroline": False, "ticks": "", "fixedrange": True}

    def title(text: str) -> dict[str, object]:
        return {"text": text, "standoff": 10, "font_size": 13}

    return go.Layout(
        template="none",
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", "size": 13},
        margin={"l": 66, "r": 14, "t": 10, "b": 52},
        hoverlabel={"font": {"size": 13}},
        hovermode="closest",
        dragmode=False,
        xaxis={**axis, "showgrid": False, "title": title(x_title), "ticklabelstandoff": 5},
        yaxis={**axis, "gridwidth": 1, "title": title(y_title), "ticklabelstandoff": 4},
    )
