"""The report's figures of the metric against prune rate."""

import statistics

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results.caps import LABELS, of_many, spread
from xorjax.results.figures import EDGE, Panel, axes, dashes, hover
from xorjax.results.names import model_name
from xorjax.results.palette import BLUE, NEUTRAL
from xorjax.results.ticks import DIGITS_BY_STEP

NARROW_LABELS = 8
BESIDE = 0.11
"""How far a seed is beside the one before it, of the way from one label to the next, if there is room for all."""


def metric_panels(points: pl.DataFrame, metric: Metric) -> list[Panel]:
    """The metric against prune rate, on the validation split, by which settings are chosen, and on the test split.

    A dot a seed, and their mean; of the dense models too. At every label the mean of the references as a line; what the
    choice tolerates below it only where it applies, on the validation split. Every seed has its own place beside the
    label, so that none hides another.
    """
    models = points.filter(~pl.col("baseline")).unique("quantized", maintain_order=True)
    models = models.sort("prune_rate", pl.col("model_variant") != "exact", "model_variant", "seed")
    labels = [_label(f"{s:g}", v) for s, v in models.select("prune_rate", "model_variant").iter_rows()]
    models = models.with_columns(label=pl.Series(labels, dtype=pl.String))
    shown = spread(list(dict.fromkeys(labels)), LABELS)
    more = of_many(len(set(labels)), len(shown), "models")
    wide = len(shown) > NARROW_LABELS or any("<br>" in label for label in shown)
    models = models.filter(pl.col("label").is_in(shown))
    dense = points.filter(~pl.col("baseline")).unique("seed", maintain_order=True).sort("seed")
    return [
        Panel(f"{split.capitalize()} split", _figure(models, dense, split, metric), wide, more=more)
        for split in ("validation", "test")
    ]


def _figure(models: pl.DataFrame, dense: pl.DataFrame, split: str, metric: Metric) -> go.Figure:
    of_split = f"{'' if split == 'test' else 'validation_'}metric"
    of_dense = dense.select(pl.lit("dense").alias("label"), "seed", value=f"dense_{of_split}")
    dots = pl.concat([of_dense, models.select("label", "seed", value=f"{split}_metric")]).drop_nulls("value")
    dots = dots.with_columns(pl.col("value") * metric.scale)
    groups = {str(label): group for (label,), group in dots.group_by("label", maintain_order=True)}
    places = {label: place for place, label in enumerate(groups)}
    means = {label: statistics.fmean(group["value"]) for label, group in groups.items()}
    references = dict(
        models.group_by("label", maintain_order=True).agg(pl.col(f"reference_{of_split}").mean()).iter_rows()
    )
    worse = -metric.tolerance if metric.higher_is_better else metric.tolerance
    value = hover(metric)
    figure = go.Figure(layout=axes("prune rate S", f"{split} {metric.label}"))
    for label, reference in references.items():
        if label not in places or reference is None:
            continue
        levels = {"dash": reference} | ({"dot": reference + worse} if split == "validation" else {})
        for dash, level in levels.items():
            ends = {"x0": places[label] - 0.45, "x1": places[label] + 0.45}
            y = metric.scale * level
            figure.add_shape(type="line", **ends, y0=y, y1=y, line=dashes(dash))
    figure.add_scatter(
        x=list(places.values()),
        y=list(means.values()),
        text=[label.replace("<br>", ", ") for label in places],
        mode="markers",
        name="mean",
        marker={
            "symbol": "line-ew",
            "size": 34,
            "line": {"width": 3, "color": [_colour(label) for label in places]},
        },
        hovertemplate=f"%{{text}}: mean {value}<extra></extra>",
    )
    seeds = dots["seed"].unique().sort().to_list()
    figure.add_scatter(
        x=[places[label] + _beside(seeds, seed) for label, seed in dots.select("label", "seed").iter_rows()],
        y=dots["value"].to_list(),
        text=[label.replace("<br>", ", ") for label in dots["label"]],
        customdata=dots["seed"].to_list(),
        mode="markers",
        name="one seed",
        marker={"size": 9, "line": EDGE, "color": [_colour(label) for label in dots["label"]]},
        hovertemplate=f"%{{text}}, seed %{{customdata}}: {value}<extra></extra>",
    )
    figure.update_xaxes(
        range=[-0.6, len(places) - 0.4],
        tickvals=list(places.values()),
        ticktext=[f"{label}<br>n = {groups[label].height}" for label in places],
        automargin=True,
    )
    figure.update_yaxes(tickformatstops=DIGITS_BY_STEP)
    return figure


def _beside(seeds: list[int], seed: int) -> float:
    """Where a seed's dots are beside their label, the same at all labels."""
    step = min(BESIDE, 0.6 / max(len(seeds) - 1, 1))
    return step * (seeds.index(seed) - (len(seeds) - 1) / 2)


def _colour(label: str) -> str:
    return NEUTRAL if label == "dense" else BLUE


def _label(first: object, variant: str) -> str:
    return f"{first}<br>{model_name(variant).replace(', ', '<br>')}" if variant else str(first)
