"""The best points in tables: their columns, for the report and for the terminal, and the report's section of them."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.best import Best, best_of_each
from xorjax.results.caps import AXIS_RATES, AXIS_VALUES
from xorjax.results.losses import heading
from xorjax.results.names import CSR, SAME_MASK, mask_name, own_code
from xorjax.results.page import Column
from xorjax.results.tables import by_axis, of_setting, summarise_models
from xorjax.streams import BIT_NAMES, BIT_STREAMS

MODELS = "All models, each in its smallest code"
AXIS_NAMES = {"asked": "n_out ", "patch_format": "patch format ", "mask_codec": "mask codec ", "variant": ""}
CODECS = (
    "Other codecs store the same quantized weights. Where a codec chose the mask they store that mask as any, but for "
    f"the {SAME_MASK}: the mask as the point stores it, and the kept signs as they are. {CSR}: relative indices of the "
    "width in brackets, which takes the fewest bits. Sign entropy: what the point would take if its kept signs took no "
    "more than that, which is 1 - S only where as many are plus as minus; context entropy: given what came before in "
    "row, column and neighbours."
)


def reading(metric: Metric) -> str:
    """How to read the best points."""
    return (
        "Means over seeds; sd: the sample standard deviation. Loss: how much worse the test split is than with the "
        "reference of the same seed, the dense network trained as long and in the same way without pruning and "
        "quantizing; the mean ± its 95 % interval (Student's t), which one seed does not have. "
        f"* nothing of this prune rate is within {metric.difference(metric.tolerance)} of the reference on the "
        "validation split, by which points are chosen: the best there is shown. Decoding is lossless: how a network is "
        "coded changes its bits alone, unless it was trained in the code or to the mask. Bits are per weight of the "
        "coded layers, pruned ones included; the whole file has all layers and its header."
    )


def number(value: float | None, digits: str = ".3f") -> str:
    """A number for a cell, "" of none."""
    return "" if value is None else f"{value:{digits}}"


def best_columns(summary: Sequence[Best]) -> list[Column]:
    """A cell each best point; what no code here has is empty."""
    metric = summary[0].metric
    found: list[Column] = []

    def add(group: str, name: str, text: Callable[[Best], str | None], kind: str = "") -> None:
        found.append(Column(name, [(text(best) or "", kind) for best in summary], group))

    add("", "prune rate S", lambda best: f"{best.prune_rate:g}", "strong")
    add("bits per weight", "total", lambda best: number(best.bits_per_weight), "strong")
    for stream, name in BIT_NAMES.items():
        add("bits per weight", name, lambda best, stream=stream: number(getattr(best, stream)))
    add("whole file", "bytes", lambda best: number(best.file_bytes, ",.0f"))
    add("whole file", "bits / parameter", lambda best: number(best.file_bits_per_parameter))
    add(f"test {metric.label}", "compressed", lambda best: best.tested)
    add(f"test {metric.label}", "reference", lambda best: metric.number(best.reference_metric))
    add(f"test {metric.label}", "dense", lambda best: metric.number(best.dense_metric))
    add(f"test {metric.label}", heading(metric), lambda best: best.loss.number(metric), "strong")
    add("setting", "code", lambda best: best.name, "text")
    add("setting", "n_in → n_out", lambda best: best.shape)
    add("setting", "method", lambda best: best.method, "text")
    add("setting", "patch format", lambda best: best.patch_format, "text")
    add("setting", "mask codec", lambda best: mask_name(best.mask_codec or "none"), "text")
    add("setting", "variant", lambda best: best.variant, "text")
    add("setting", "seeds", lambda best: str(best.n_seeds))
    add("setting", "epochs (dense)", lambda best: f"{best.epochs:g} ({best.dense_epochs:g})")
    add("code and mask", "patches / slice", lambda best: number(best.patches_per_slice, ".2f"))
    add("code and mask", "bounded slices", lambda best: f"{best.n_bounded:,}" if best.n_bounded else "")
    add("code and mask", "magnitude kept", lambda best: number(best.kept_score) if best.approximate else "")
    return found


def size_columns(summary: Sequence[Best]) -> list[Column]:
    """Bits per weight of the best points in all codecs; the smallest is marked, with all that read the same."""
    own = own_code(best.code for best in summary)
    sizes = [{own: (best.bits_per_weight, "")} for best in summary]
    for of, best in zip(sizes, summary, strict=True):
        # Of several widths, which.
        notes = {other.name: f" ({other.best.partition('-')[0]})" for other in best.baselines if other.best}
        of.update({name: (bits, notes.get(name, "")) for name, bits in best.sizes.items()})

    def column(name: str) -> Column:
        cells = []
        for of, best in zip(sizes, summary, strict=True):
            bits, note = of.get(name, (None, ""))
            cells.append((number(bits) + note, "least" if number(bits) == number(best.least) else ""))
        return Column(name, cells)

    return [
        Column("prune rate S", [(f"{best.prune_rate:g}", "strong") for best in summary]),
        *map(column, dict.fromkeys(name for of in sizes for name in of)),
        Column(f"{own} / smallest", [(number(best.bits_per_weight / best.least), "") for best in summary]),
        *(
            Column(name, [(number(best.at_entropy.get(name)), "quiet") for best in summary])
            for name in dict.fromkeys(name for best in summary for name in best.at_entropy)
        ),
    ]


def model_columns(models: Sequence[Best]) -> list[Column]:
    """`summarise_models`, a line each."""
    metric = models[0].metric
    return [
        Column("bits / weight", [(number(best.bits_per_weight), "strong") for best in models]),
        Column("whole file", [(number(best.file_bits_per_parameter), "") for best in models]),
        Column(f"test {metric.label}", [(best.tested, "") for best in models]),
        Column(heading(metric), [(best.loss.number(metric), "") for best in models]),
        Column("setting", [(best.said, "text") for best in models]),
    ]


def summary_section(summary: Sequence[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    """The best point of each prune rate, of each value that was swept, beside all codecs, and by layer."""
    parts = [
        page.table("best points", best_columns(summary)),
        page.paragraph(reading(summary[0].metric), "caption"),
    ]
    if models := summarise_models(points):
        parts += [f"<h3>{MODELS}</h3>", page.table("all models", model_columns(models))]
    parts += _axes(points, summary[0].metric)
    parts += [
        "<h3>All codecs on the same weights: bits per weight</h3>",
        page.table("all codecs", size_columns(summary)),
    ]
    parts.append(page.paragraph(CODECS, "caption"))
    if results["layer"].n_unique() > 1:
        parts += ["<h3>By layer: bits per weight of the layer</h3>", _layers(summary, results, points)]
    return page.section("summary", best_of_each(summary), *parts)


def _axes(points: pl.DataFrame, metric: Metric) -> list[str]:
    """A line each value of each swept axis: the best point with it, at some prune rates."""
    lines = by_axis(points)
    if not lines:
        return []
    # A variant names its settings itself.
    names = [
        AXIS_NAMES.get(axis, f"{axis} ") + (mask_name(value) if axis == "mask_codec" else value)
        for axis, value, _ in lines
    ]
    given = [Column("points with", [(name, "text strong") for name in names])]

    def tested(row: dict[str, Any]) -> str:
        star = "" if row["is_close"] else " *"
        return metric.number(row["test_metric"], row["test_metric_spread"]) + star

    def add(rate: float, name: str, text: Callable[[dict[str, Any]], str], kind: str = "") -> None:
        rows = (best.get(rate) for _, _, best in lines)
        given.append(Column(name, [(text(row) if row else "", kind) for row in rows], f"S = {rate:g}"))

    for rate in sorted({rate for _, _, best in lines for rate in best}):
        add(rate, "value bits", lambda row: number(row["code_bits"] + row["patch_bits"]))
        add(rate, "total", lambda row: number(row["bits_per_weight"]), "strong")
        add(rate, "test", tested)
    caption = (
        "For each value of each setting that was swept, the best point with it, chosen as above: its value bits (code "
        f"words and patches), its total and its test {metric.label}. At most {AXIS_VALUES} values of a setting and "
        f"{AXIS_RATES} prune rates are shown, evenly spread."
    )
    return [
        "<h3>By what was swept</h3>",
        page.table("by what was swept", given),
        page.paragraph(caption, "caption"),
    ]


def _layers(summary: Sequence[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    bits = (*BIT_STREAMS, "bits_per_weight")
    codes = results.filter(~pl.col("baseline"))
    rows = []
    for best in summary:
        chosen = codes.filter(pl.col("point").is_in(of_setting(points, best)["point"].to_list()))
        layers = chosen.group_by("layer", maintain_order=True).agg(
            pl.col("n_weights", "n_kept", *bits, "patches_per_slice").mean()
        )
        whole = layers.select(
            pl.lit("all").alias("layer"),
            pl.col("n_weights", "n_kept").sum(),
            *(pl.lit(getattr(best, name)).alias(name) for name in (*bits, "patches_per_slice")),
        ).head(1)
        rows += pl.concat([layers, whole]).with_columns(S=pl.lit(best.prune_rate)).to_dicts()

    def column(name: str, text: Callable[[dict], str], kind: str = "") -> Column:
        kinds = (f"{kind} strong" if row["layer"] == "all" else kind for row in rows)
        return Column(name, list(zip(map(text, rows), kinds, strict=True)))

    given = [
        column("S", lambda row: f"{row['S']:g}"),
        column("layer", lambda row: row["layer"], "text"),
        column("weights", lambda row: f"{row['n_weights']:,.0f}"),
        column("kept", lambda row: f"{row['n_kept'] / row['n_weights']:.2%}"),
        *(column(BIT_NAMES.get(name, "total"), lambda row, name=name: number(row[name])) for name in bits),
        column("patches / slice", lambda row: number(row["patches_per_slice"])),
    ]
    return page.table("best points by layer", given)
