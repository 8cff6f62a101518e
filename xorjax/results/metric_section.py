"""The report's section of the metric against the prune rate."""

from statistics import fmean

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.caps import LABELS, of_many, spread
from xorjax.results.figures import DIGITS_BY_STEP, EDGE, PLOT_HEIGHT, Panel, axes, dashes, hover, panels
from xorjax.results.names import model_name, own_code
from xorjax.results.palette import BLUE, NEUTRAL

LINE = 18
"""Pixels of a line of a label."""
BELOW = 0.11
"""How far a seed is below the one before it, of the way from one label to the next, if there is room for all."""


def metric_section(points: pl.DataFrame, metric: Metric) -> str:
    """Dots for seeds and their mean at every prune rate, on both splits; of what `per_point` gives."""
    own = points.filter(~pl.col("baseline"))
    within = "below" if metric.higher_is_better else "above"
    marks = {
        "dense": NEUTRAL,
        f"with the {own_code(own['code'])}": BLUE,
        "mean of the references": "dashed",
        f"{metric.difference(metric.tolerance)} {within}, the most a choice may lose": "dotted",
    }
    name = metric.name.capitalize()
    return page.section(
        metric.name,
        name,
        page.legend(marks),
        panels(name, _panels(own, metric)),
        page.paragraph(
            f"{name} against the prune rate: a dot is a seed, n of them, each at the same height beside every label; "
            "the bar is their mean. A reference is the dense network of that seed, trained as long and in the same way "
            "as the networks at this label without pruning and quantizing. The best points are chosen by the "
            "validation split alone, within the dotted line; the test split says how good what was chosen is. All "
            "codings of one quantized network share its dot, since decoding is lossless; an approximate mask codec "
            "makes a network of its own, and so does a code that networks are trained in.",
            "caption",
        ),
    )


def _panels(own: pl.DataFrame, metric: Metric) -> list[Panel]:
    models = own.unique("quantized", maintain_order=True)
    # A code that a model is trained in has its n_out in its name, where 160 would be before 20.
    n_out = pl.when(pl.col("model_variant").str.contains("→")).then("n_out")
    models = models.sort("prune_rate", pl.col("model_variant") != "exact", n_out, "model_variant", "seed")
    labels = [
        "<br>".join([f"{rate:g}", *filter(None, model_name(variant).split(", "))])
        for rate, variant in models.select("prune_rate", "model_variant").iter_rows()
    ]
    models = models.with_columns(label=pl.Series(labels, dtype=pl.String))
    shown = spread(list(dict.fromkeys(labels)), LABELS)
    more = of_many(len(set(labels)), len(shown), "models")
    wide = any("<br>" in label for label in shown)
    height = max(PLOT_HEIGHT, 80 + LINE * sum(label.count("<br>") + 3 for label in ("dense", *shown)))
    models = models.filter(pl.col("label").is_in(shown))
    dense = own.unique("seed", maintain_order=True).sort("seed")
    return [
        Panel(f"{split.capitalize()} split", _figure(models, dense, split, metric), wide, height, more)
        for split in ("validation", "test")
    ]


def _figure(models: pl.DataFrame, dense: pl.DataFrame, split: str, metric: Metric) -> go.Figure:
    of_split = f"{'' if split == 'test' else 'validation_'}metric"
    of_dense = dense.select(pl.lit("dense").alias("label"), "seed", value=f"dense_{of_split}")
    dots = pl.concat([of_dense, models.select("label", "seed", value=f"{split}_metric")]).drop_nulls("value")
    dots = dots.with_columns(pl.col("value") * metric.scale)
    groups = {str(label): group for (label,), group in dots.group_by("label", maintain_order=True)}
    places = {label: place for place, label in enumerate(groups)}
    figure = go.Figure(layout=axes(f"{split} {metric.label}", "prune rate S"))
    worse = -metric.tolerance if metric.higher_is_better else metric.tolerance
    references = models.drop_nulls(f"reference_{of_split}").group_by("label", maintain_order=True)
    for label, reference in references.agg(pl.col(f"reference_{of_split}").mean()).iter_rows():
        # What the choice tolerates is drawn where it chooses.
        levels = {"dash": reference} | ({"dot": reference + worse} if split == "validation" else {})
        for dash, level in levels.items():
            ends = {"y0": places[label] - 0.45, "y1": places[label] + 0.45}
            x = metric.scale * level
            figure.add_shape(type="line", **ends, x0=x, x1=x, line=dashes(dash))
    colours = {label: NEUTRAL if label == "dense" else BLUE for label in places}
    figure.add_scatter(
        x=[fmean(group["value"]) for group in groups.values()],
        y=list(places.values()),
        text=[label.replace("<br>", ", ") for label in places],
        mode="markers",
        name="mean",
        marker={"symbol": "line-ns", "size": 26, "line": {"width": 3, "color": list(colours.values())}},
        hovertemplate=f"%{{text}}: mean {hover(metric, 'x')}<extra></extra>",
    )
    # Every seed has its own place below the one before, so that none hides another.
    seeds = dots["seed"].unique().sort().to_list()
    step = min(BELOW, 0.6 / max(len(seeds) - 1, 1))
    below = {seed: step * (i - (len(seeds) - 1) / 2) for i, seed in enumerate(seeds)}
    figure.add_scatter(
        x=dots["value"].to_list(),
        y=[places[label] + below[seed] for label, seed in dots.select("label", "seed").iter_rows()],
        text=[label.replace("<br>", ", ") for label in dots["label"]],
        customdata=dots["seed"].to_list(),
        mode="markers",
        name="one seed",
        marker={"size": 9, "line": EDGE, "color": [colours[label] for label in dots["label"]]},
        hovertemplate=f"%{{text}}, seed %{{customdata}}: {hover(metric, 'x')}<extra></extra>",
    )
    figure.update_xaxes(tickformatstops=DIGITS_BY_STEP, showgrid=True, nticks=5)
    figure.update_yaxes(
        range=[len(places) - 0.4, -0.6],
        tickvals=list(places.values()),
        ticktext=[f"{label}<br>n = {groups[label].height}" for label in places],
        showgrid=False,
        automargin=True,
    )
    return figure
