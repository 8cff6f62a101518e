"""What the figures of all pages share. Only this module and those of the figures know plotly."""

from dataclasses import dataclass

import plotly.graph_objects as go

from xorjax.metric import Metric
from xorjax.results.palette import NEUTRAL, PAGE

PLOT_HEIGHT = 300


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
        axes = (self.figure.layout[name].title.text for name in ("yaxis", "xaxis"))
        return f"{self.title}: {' against '.join(text for text in axes if text)}"


EDGE = {"width": 1, "color": PAGE}
"""Around marks that touch each other: an edge of the page's colour tells them apart."""


def dashes(dash: str = "dash") -> dict[str, object]:
    """The line of a bound or a level."""
    return {"width": 1.5, "dash": dash, "color": NEUTRAL}


def hover(metric: Metric) -> str:
    """The metric on the y axis, in plotly's words for what is under the pointer."""
    return f"%{{y:{metric.number_format}}} {metric.unit}".strip()


def axes(x_title: str, y_title: str) -> go.Layout:
    """The layout that all figures share, with the titles of its axes."""
    # Colours of text and lines are the page's: report.css sets them, so that they follow light and dark.
    # A finger that moves over a figure scrolls the page: only the report's main figure can be zoomed.
    axis = {"showline": False, "zeroline": False, "ticks": "", "fixedrange": True}
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
