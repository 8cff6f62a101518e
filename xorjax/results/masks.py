"""The report's section of masks: what they cost and, where a codec chooses them, what they keep."""

from collections.abc import Callable
from math import log2, log10
from typing import Any

import plotly.graph_objects as go
import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.figures import DIGITS_BY_STEP, Panel, axes, dashes, of_some_rates, panels
from xorjax.results.names import MASK_NAMES, mask_name
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
FEWEST_TICKS, MOST_TICKS = 3, 12
# What a row is at one prune rate.
MASK_KEY = ("codec", "model_variant", "mask_of")
ENTROPY_LINE = {"mode": "lines", "name": "H(S)", "line": dashes()}


def masks(points: pl.DataFrame, metric: Metric) -> str:
    """The section, of what `per_point` gives; "" where no code has a mask beside it."""
    of_codecs, more = of_some_rates(per_mask(points))
    if of_codecs.is_empty():
        return ""
    present = dict(of_codecs.select("codec", "approximate").unique().iter_rows())
    marks = {mask_name(codec): mark_of(codec, present[codec])[1:] for codec in sorted(present, key=order_of)}
    lines = {"H(S), the entropy of a random mask": "dashed"}
    if any(present.values()):
        lines["mean of the references"] = "dotted"
    parts = [
        page.legend(marks | lines),
        panels("Masks", [_against_rate(of_codecs), *_against_metric(of_codecs, metric)]),
        "<h3>Index bits per weight</h3>",
        _table("index bits per weight", of_codecs, "index_bits", min, entropy),
    ]
    if any(present.values()):
        kept = of_codecs.filter("approximate")
        parts += ["<h3>Magnitude kept</h3>", _table("magnitude kept", kept, "kept_score", max)]
    up = "up" if metric.higher_is_better else "down"
    return page.section(
        "masks",
        "Masks",
        *parts,
        page.paragraph(
            "What it costs to store which weights are kept: the mean over seeds, its axis logarithmic. Exact codecs "
            f"(open) store the mask that magnitude pruning chose, so they share one {metric.name}; they are below H(S) "
            "only where rows or columns of the mask differ in density. Approximate codecs (filled) prune to a mask "
            "that they can express: they may be below H(S), and lose magnitude for it; against the "
            f"{metric.name}, with the deviation over seeds, further left is smaller and further {up} is better. Where "
            f"no network has an exact mask the exact codecs store the approximate ones, which the table says.{more}",
            "caption",
        ),
    )


def mark_of(codec: str, approximate: bool) -> tuple[str, str, str]:
    """The mark of a codec; one that is not known is as the others of its kind are."""
    return MARKS.get(codec, ("cross", "✚", NEUTRAL) if approximate else ("cross-open", "✛", NEUTRAL))


def log_axis(least: float, most: float) -> dict[str, Any]:
    """A logarithmic axis with both ends, its ticks round and as few as tell where one is."""
    ticks: list[float] = []
    for bases in ((1, 2, 5), range(1, 10), [base / 10 for base in range(10, 100)]):
        ticks = [base * 10**power for power in range(-5, 2) for base in bases]
        ticks = [float(f"{tick:.2g}") for tick in ticks if least <= tick <= most]
        if len(ticks) >= FEWEST_TICKS:
            break
    shown = ticks[:: -(-len(ticks) // MOST_TICKS) or 1]
    text = [f"{tick:g}" for tick in shown]
    return {"type": "log", "range": [log10(least), log10(most)], "tickvals": shown, "ticktext": text}


def _against_rate(masks: pl.DataFrame) -> Panel:
    """Index bits against the prune rate, and the entropy of a random mask."""
    figure = go.Figure(layout=axes("prune rate S", "index bits per weight"))
    rates = masks["prune_rate"].unique().sort().to_list()
    margin = 0.08 * (rates[-1] - rates[0]) or 0.01
    first, last = max(rates[0] - margin, 0.001), min(rates[-1] + margin, 0.999)
    between = [first + (last - first) * i / STEPS for i in range(STEPS + 1)]
    hovertemplate = "H(%{x:.3g}): %{y:.4f} bits<extra></extra>"
    figure.add_scatter(x=between, y=list(map(entropy, between)), hovertemplate=hovertemplate, **ENTROPY_LINE)
    for (codec,), marks in masks.group_by("codec", maintain_order=True):
        _add(figure, str(codec), marks, "prune_rate", "index_bits", "S = %{x}: %{y:.4f} index bits")
    # A mask that keeps everything has no entropy, and a logarithmic axis no zero.
    bits = [b for b in (*masks["index_bits"], *map(entropy, rates), entropy(last)) if b > 0]
    figure.update_xaxes(range=[first, last], tickvals=rates if len(rates) <= MOST_TICKS else None)
    figure.update_yaxes(**log_axis(min(bits) / 1.25, max(bits) * 1.25))
    return Panel("Index bits", figure, wide=True)


def _against_metric(masks: pl.DataFrame, metric: Metric) -> list[Panel]:
    """Of prune rates with approximate codecs: the metric on the test split against index bits."""
    measured = ["test_metric", "test_metric_spread", "reference_metric"]
    masks = masks.filter(pl.col("approximate").any().over("prune_rate"))
    drawn = []
    for (rate,), group in masks.with_columns(pl.col(measured) * metric.scale).group_by(
        "prune_rate", maintain_order=True
    ):
        figure = go.Figure(layout=axes("index bits per weight", f"test {metric.label}"))
        for y in group["reference_metric"].unique().sort():
            figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=y, y1=y, line=dashes("dot"))
        bits = [*group["index_bits"], entropy(rate)]
        # A trace, since the place of a shape on a logarithmic axis cannot be hovered over.
        ends = [f(f(group[name]) for name in ("test_metric", "reference_metric")) for f in (min, max)]
        hovertemplate = "H(S): %{x:.4f} bits<extra></extra>"
        figure.add_scatter(x=[entropy(rate)] * 2, y=ends, hovertemplate=hovertemplate, **ENTROPY_LINE)
        for (codec,), marks in group.group_by("codec", maintain_order=True):
            value = f"%{{x:.4f}} index bits, %{{y:{metric.number_format}}} {metric.unit}".strip()
            _add(figure, str(codec), marks, "index_bits", "test_metric", value)
        figure.update_xaxes(**log_axis(min(bits) / 1.3, max(bits) * 1.3))
        figure.update_yaxes(tickformatstops=DIGITS_BY_STEP, nticks=7)
        drawn.append(Panel(f"S = {rate:g}", figure))
    return drawn


def _add(figure: go.Figure, codec: str, marks: pl.DataFrame, x: str, y: str, value: str) -> None:
    symbol, _, colour = mark_of(codec, marks["approximate"][0])
    spread = {"type": "data", "thickness": 1.5, "width": 0}
    spreads = {
        f"error_{letter}": {**spread, "array": marks[f"{column}_spread"].fill_null(0).to_list()}
        for letter, column in (("x", x), ("y", y))
        if f"{column}_spread" in marks.columns
    }
    figure.add_scatter(
        x=marks[x].to_list(),
        y=marks[y].to_list(),
        mode="markers",
        name=codec,
        marker={"symbol": symbol, "size": 12, "color": colour, "line": {"width": 2, "color": colour}},
        customdata=[of_model(*row) for row in marks.select("mask_of", "model_variant").iter_rows()],
        hovertemplate=f"{mask_name(codec)}%{{customdata}}, {value}<extra></extra>",
        **spreads,
    )


def _table(
    label: str,
    masks: pl.DataFrame,
    column: str,
    best: Callable[..., float],
    bound: Callable[[float], float] | None = None,
) -> str:
    """A line each codec, a column each prune rate; the best is marked, and a bound stands below."""
    rates = masks["prune_rate"].unique().sort().to_list()
    found = {(*row[:4],): row[4] for row in masks.select(*MASK_KEY, "prune_rate", column).iter_rows()}
    keys = sorted({key[:3] for key in found}, key=lambda key: (order_of(key[0]), key[1], key[2] or ""))
    names: list[page.Cell] = [
        (mask_name(codec) + of_model(mask_of, variant), "text wrap") for codec, variant, mask_of in keys
    ]
    given = [page.Column("mask codec", [*names, *([("H(S)", "text quiet")] if bound else [])])]
    for rate in rates:
        values = [found.get((*key, rate)) for key in keys]
        mark = f"{best(value for value in values if value is not None):.3f}"
        texts = ["" if value is None else f"{value:.3f}" for value in values]
        cells = [(text, "least" if text == mark else "") for text in texts]
        given.append(
            page.Column(f"S = {rate:g}", [*cells, *([(f"{bound(rate):.3f}", "quiet")] if bound else [])])
        )
    return page.table(label, given)


def per_mask(points: pl.DataFrame) -> pl.DataFrame:
    """Means over seeds of `index_bits`, `test_metric` and `kept_score` (1: exact), `*_spread`, `n_seeds`, whether the
    codec is `approximate`, and the mean `reference_metric`.

    `points`: as `tables.per_point` gives them. A row for each `prune_rate`, `codec` (a mask codec's id) and
    `model_variant`; the exact codecs' bits come from the points' own codes and from baselines alike. `mask_of`: None,
    or the approximate codec whose mask an exact one stores here, as where a prune rate has no exact mask. Models that
    keep all weights have no mask.
    """
    points = points.filter(pl.col("prune_rate") > 0)
    codes = points.filter(~pl.col("baseline"))
    models = codes.unique("quantized", maintain_order=True).select(
        "quantized", "kept_score", model_codec=pl.when("approximate").then("mask_codec")
    )
    masks = (
        pl.concat([codes, points.filter("baseline")])
        .drop("kept_score", "codec")
        .rename({"mask_codec": "codec"})
        .filter(pl.col("codec").is_not_null())
        .unique(["quantized", "codec"], keep="first", maintain_order=True)
        .join(models, on="quantized", how="left", maintain_order="left")
        .with_columns(mask_of=pl.when(pl.col("codec") != pl.col("model_codec")).then("model_codec"))
    )
    has_exact = pl.col("model_codec").is_null().any().over("prune_rate")
    values = ("index_bits", "test_metric", "kept_score")
    return (
        masks.filter(pl.col("mask_of").is_null() | ~has_exact)
        .group_by("prune_rate", *MASK_KEY)
        .agg(
            *(pl.col(column).mean() for column in values),
            *(pl.col(column).std().alias(f"{column}_spread") for column in values),
            # Rounded, so that equal references are one line whatever the order of their sum.
            reference_metric=pl.col("reference_metric").mean().round(9),
            n_seeds=pl.col("seed").n_unique(),
            approximate=pl.col("codec").eq_missing(pl.col("model_codec")).first(),
        )
        .sort("prune_rate", "index_bits", "codec", "model_variant")
    )


def order_of(codec: str) -> tuple[int, str]:
    """The place of a mask codec in tables and legends: those that `names` knows first."""
    return [*MASK_NAMES, codec].index(codec), codec


def entropy(rate: float) -> float:
    """Bits of a random mask per weight."""
    return sum(-p * log2(p) for p in (rate, 1 - rate) if p > 0)


def of_model(mask_of: str | None, variant: str) -> str:
    """What to say of a row behind its codec's name, "" where there is nothing."""
    parts = [f"of the {mask_name(mask_of)} mask" if mask_of else "", *variant.split(", ")]
    # The model's own codec is said by the row.
    return "".join(f", {part}" for part in parts if part and part != "exact" and part not in MASK_NAMES)
