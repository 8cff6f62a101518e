"""The report's section of patches: of a slice, against its length."""

import plotly.graph_objects as go
import polars as pl

from xorjax.results import page
from xorjax.results.caps import LINES, of_many, spread
from xorjax.results.figures import Panel, axes, of_some_rates, panels
from xorjax.results.names import model_name
from xorjax.results.palette import colours

METHOD_LINES = {"minimum": ("solid", "circle", "●"), "greedy": ("dash", "square", "■")}
OTHER_LINE = ("dot", "diamond", "◆")
"""Of a code that has slices and no such search."""
STYLES = {"solid": "solid", "dash": "dashed", "dot": "dotted"}
OF_LINE = ["n_in", "search", "model_variant", "variant"]


def patches(points: pl.DataFrame) -> str:
    """The section, of what `per_point` gives; "" where no slice has a patch, as of codes that are trained."""
    sliced = points.filter(~pl.col("baseline")).drop_nulls(["n_in", "n_out", "patches_per_slice"])
    if not sliced["patches_per_slice"].max():
        return ""
    shown, more = of_some_rates(sliced.with_columns(search=pl.coalesce("method", "code")))
    marks = {f"n_in {n_in}": colour for n_in, colour in colours(shown["n_in"].to_list()).items()}
    searches = shown["search"].unique().sort(descending=True).to_list()
    lines = {name: METHOD_LINES.get(name, OTHER_LINE) for name in searches}
    if len(searches) > 1:
        marks |= {f"{name} {sign}": STYLES[dash] for name, (dash, _, sign) in lines.items()}
    return page.section(
        "patches",
        "Patches per slice",
        page.legend(marks),
        panels("Patches per slice", _panels(shown)),
        page.paragraph(
            "How many care bits of a slice its code word gets wrong: the mean over slices and over the seeds that "
            "have this n_out, with their deviation. A slice has about (1 - S) n_out care bits; as they approach the "
            f"n_in bits of the code word, patches become frequent.{more}",
            "caption",
        ),
    )


def _panels(points: pl.DataFrame) -> list[Panel]:
    """Neither the patch format nor an exact mask codec changes patches: of those that differ in them one is drawn."""
    colour_of = colours(points["n_in"].to_list())
    places = ["prune_rate", *OF_LINE, "n_out"]
    settings = (
        points.unique([*places, "seed"], keep="first", maintain_order=True)
        .group_by(places)
        .agg(
            pl.col("own_n_outs").first(),
            pl.col("patches_per_slice").mean(),
            pl.col("patches_per_slice").std().fill_null(0).alias("deviation"),
        )
        .sort(places)
    )
    ends = settings["patches_per_slice"] + settings["deviation"]
    top = 1.1 * max(0.1, *ends)
    drawn = []
    for (rate,), group in settings.group_by("prune_rate", maintain_order=True):
        figure = go.Figure(layout=axes("n_out", "patches per slice"))
        groups = list(group.group_by(OF_LINE, maintain_order=True))
        shown = spread(groups, LINES)
        for (n_in, search, *variants), line in shown:
            dash, symbol, _ = METHOD_LINES.get(str(search), OTHER_LINE)
            of_models = (model_name(variant) for variant in dict.fromkeys(variants) if variant)
            name = ", ".join([f"n_in {n_in}", str(search), *of_models])
            figure.add_scatter(
                x=line["n_out"].to_list(),
                y=line["patches_per_slice"].to_list(),
                mode="lines+markers",
                name=name,
                line={"color": colour_of[n_in], "width": 2, "dash": dash},
                marker={"size": 8, "symbol": symbol},
                customdata=line["own_n_outs"].to_list(),
                error_y={"type": "data", "array": line["deviation"].to_list()},
                hovertemplate=f"{name}, n_out %{{customdata}}: %{{y:.2f}} patches a slice<extra></extra>",
            )
        n_outs = group["n_out"].unique().to_list()
        figure.update_xaxes(nticks=7, tickvals=n_outs if len(n_outs) < 4 else None)
        figure.update_yaxes(range=[0, top])
        drawn.append(Panel(f"S = {rate:g}", figure, more=of_many(len(groups), len(shown), "lines")))
    return drawn
