"""The studies of the codec's limits as an interactive page that opens from disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from xorjax.files import write_text
from xorjax.results import page
from xorjax.results.figures import axes
from xorjax.results.palette import CYCLE, NEUTRAL
from xorjax.studies.limits import STUDIES, Line, Panel

DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot"}


def write_page(studies: Mapping[str, Sequence[Panel]], path: Path, about: str) -> None:
    """A section for each study, by its name in `STUDIES`; plotly's script is inside, nothing is asked for outside."""
    sections = "\n".join(_section(name, panels) for name, panels in studies.items())
    body = f"<header>\n<h1>The XOR code on random planes</h1>\n{page.paragraph(about)}\n</header>\n{sections}"
    document = page.document("xorjax: limits", body, [get_plotlyjs(), page.resource("plots.js")])
    write_text(path, document)


def draw(panel: Panel, colours: Mapping[str, str]) -> go.Figure:
    """One panel as a figure, a line's colour by its group."""
    figure = go.Figure(layout=axes(panel.x_title, panel.y_title))
    figure.update_yaxes(range=panel.y_range)
    for line in panel.lines:
        figure.add_scatter(
            x=line.x,
            y=line.y,
            name=line.name,
            hovertemplate="%{x:.4g}: %{y:.4g} (%{fullData.name})<extra></extra>",
            **_style(line, colours),
        )
    return figure


def group_colours(panels: Sequence[Panel]) -> dict[str, str]:
    """A colour for every group, in the order that they come in."""
    groups = dict.fromkeys(line.group for panel in panels for line in panel.lines if line.group is not None)
    return {group: CYCLE[i % len(CYCLE)] for i, group in enumerate(groups)}


def kind_styles(panels: Sequence[Panel]) -> dict[str, str]:
    """The style of every kind of line."""
    return {line.kind: line.style for panel in panels for line in panel.lines}


def _section(name: str, panels: Sequence[Panel]) -> str:
    study, colours = STUDIES[name], group_colours(panels)
    marks = {
        kind: ("\N{BLACK CIRCLE}", NEUTRAL) if style == "points" else style
        for kind, style in kind_styles(panels).items()
    }
    drawn = (page.panel(panel.title, draw(panel, colours).to_json() or "", False) for panel in panels)
    columns = f"grid-template-columns: repeat({study.n_columns}, minmax(0, 1fr))"
    return page.section(
        name,
        study.title,
        page.legend(colours),
        page.legend(marks),
        f'<div class="panels" style="{columns}">',
        *drawn,
        "</div>",
    )


def _style(line: Line, colours: Mapping[str, str]) -> dict[str, object]:
    colour = NEUTRAL if line.group is None else colours[line.group]
    if line.style == "points":
        return {"mode": "markers", "marker": {"color": colour, "size": 7}}
    return {"mode": "lines", "line": {"color": colour, "width": 2, "dash": DASHES[line.style]}}
