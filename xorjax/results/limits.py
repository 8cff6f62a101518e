"""The studies of the codec's limits as an interactive page that opens from disk."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from xorjax.files import write_text
from xorjax.results import page
from xorjax.results.figures import Panel, axes, panels
from xorjax.results.palette import CYCLE, NEUTRAL
from xorjax.studies.limits import STUDIES
from xorjax.studies.limits import Panel as Drawn


def write_page(studies: Mapping[str, Sequence[Drawn]], path: Path, about: str) -> None:
    """A section for each study, by its name in `STUDIES`; plotly's script is inside, nothing is asked for outside."""
    sections = "\n".join(_section(name, drawn) for name, drawn in studies.items())
    body = f"<header>\n<h1>The XOR code on random planes</h1>\n{page.paragraph(about)}\n</header>\n{sections}"
    write_text(path, page.document("xorjax: limits", body, [get_plotlyjs(), page.resource("plots.js")]))


def _section(name: str, drawn: Sequence[Drawn]) -> str:
    """One legend names the colours, by group, another the styles, by kind."""
    study, lines = STUDIES[name], [line for panel in drawn for line in panel.lines]
    groups = dict.fromkeys(line.group for line in lines if line.group is not None)
    colours = dict(zip(groups, cycle(CYCLE), strict=False))
    styles = {line.kind: ("●", NEUTRAL) if line.style == "points" else line.style for line in lines}
    return page.section(
        name,
        study.title,
        page.legend(colours),
        page.legend(styles),
        panels(study.title, [_draw(panel, colours) for panel in drawn], study.n_columns),
    )


def _draw(panel: Drawn, colours: Mapping[str, str]) -> Panel:
    figure = go.Figure(layout=axes(panel.x_title, panel.y_title))
    figure.update_yaxes(range=panel.y_range)
    for line in panel.lines:
        colour = colours[line.group] if line.group else NEUTRAL
        dash = {"solid": "solid", "dashed": "dash", "dotted": "dot"}.get(line.style)
        figure.add_scatter(
            x=line.x,
            y=line.y,
            name=line.name,
            mode="lines" if dash else "markers",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"color": colour, "size": 7},
            hovertemplate="%{x:.4g}: %{y:.4g} (%{fullData.name})<extra></extra>",
        )
    return Panel(panel.title, figure)
