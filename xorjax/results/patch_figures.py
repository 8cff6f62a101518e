"""The report's figures of patches against n_out."""

import plotly.graph_objects as go
import polars as pl

from xorjax.results.caps import LINES, of_many, spread
from xorjax.results.figures import Panel, axes
from xorjax.results.names import model_name
from xorjax.results.palette import colours

METHOD_LINES = {"minimum": ("solid", "circle", "●"), "greedy": ("dash", "square", "■")}
OTHER_LINE = ("dot", "diamond", "◆")
"""Of a code that has slices and no such search."""


def legend(settings: pl.DataFrame) -> dict[str, str]:
    """The lines of searches and codes where there are several, as `page.legend` takes them."""
    styles = {"solid": "solid", "dash": "dashed", "dot": "dotted"}
    found = set(_searches(settings))
    if len(found) < 2:
        return {}
    ordered = [*(name for name in METHOD_LINES if name in found), *sorted(found - METHOD_LINES.keys())]
    lines = {name: METHOD_LINES.get(name, OTHER_LINE) for name in ordered}
    return {f"{name} {sign}": styles[dash] for name, (dash, _, sign) in lines.items()}


def patches_panels(settings: pl.DataFrame) -> list[Panel]:
    """For every prune rate: mean patches of a slice against n_out, one line an n_in and method.

    Neither the patch format nor an exact mask codec changes patches, so of those that differ in them one is drawn.
    """
    colour_of = colours(settings["n_in"].to_list())
    settings = settings.with_columns(search=_searches(settings))
    lines = ["n_in", "search", "model_variant", "variant"]
    settings = settings.unique(["prune_rate", "n_out", *lines], keep="first", maintain_order=True)
    top = 1.1 * max(0.1, *settings["patches_per_slice"])
    panels = []
    for (rate,), group in settings.group_by("prune_rate", maintain_order=True):
        figure = go.Figure(layout=axes("n_out", "patches per slice"))
        groups = list(group.group_by(lines, maintain_order=True))
        shown = spread(groups, LINES)
        for (n_in, search, *variants), line in shown:
            dash, symbol, _ = METHOD_LINES.get(str(search), OTHER_LINE)
            name = ", ".join(
                [f"n_in {n_in}", str(search), *(model_name(v) for v in dict.fromkeys(variants) if v)]
            )
            figure.add_scatter(
                x=line["n_out"].to_list(),
                y=line["patches_per_slice"].to_list(),
                mode="lines+markers",
                name=name,
                line={"color": colour_of[n_in], "width": 2, "dash": dash},
                marker={"size": 8, "symbol": symbol},
                customdata=line["n_outs"].to_list(),
                error_y={"type": "data", "array": line["patches_per_slice_spread"].fill_null(0).to_list()},
                hovertemplate=f"{name}, n_out %{{customdata}}: %{{y:.2f}} patches a slice<extra></extra>",
            )
        figure.update_yaxes(range=[0, top])
        n_outs = group["n_out"].unique().to_list()
        figure.update_xaxes(nticks=7, tickvals=n_outs if len(n_outs) < 4 else None)
        more = of_many(len(groups), len(shown), "lines")
        panels.append(Panel(f"S = {rate:g}", figure, more=more))
    return panels


def _searches(settings: pl.DataFrame) -> pl.Series:
    return settings["method"].fill_null(settings["code"])
