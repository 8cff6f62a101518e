"""The report's section of tables: the best XOR point of each prune rate, beside other codecs, and by layer."""

import polars as pl

from xorjax.results import page
from xorjax.results.notes import notes
from xorjax.results.tables import Best, marked_accuracy, of_setting, percent, three_digits
from xorjax.streams import BIT_NAMES, BIT_STREAMS


def summary_section(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    """The best XOR point of each prune rate, beside all codecs, and by layer where there are several."""
    has_variants = any(best.variant for best in summary)
    settings = [
        "n_in → n_out",
        "method",
        "patch format",
        "mask codec",
        *(["variant"] if has_variants else []),
    ]
    headings = ["S", *settings, "patches / slice", "seeds", "XOR code", "dense", *BIT_NAMES.values(), "total"]
    groups = {"": 1, "XOR point": len(settings) + 2, "test accuracy (%)": 2, "bits per weight": 5}
    rows = []
    for best in summary:
        row = [(f"{best.prune_rate:g}", "strong"), (f"{best.n_in} → {best.n_out}", "")]
        row += [(name, "text") for name in (best.method, best.patch_format, best.mask_codec)]
        if has_variants:
            row.append((best.variant, "text"))
        row += [(f"{best.patches_per_slice:.2f}", ""), (str(best.n_seeds), "")]
        row.append((marked_accuracy(best), "" if best.is_accurate else "bad"))
        row.append((percent(best.dense_accuracy), ""))
        row += [(three_digits(getattr(best, stream)), "") for stream in BIT_STREAMS]
        rows.append([*row, (three_digits(best.bits_per_weight), "strong")])
    parts = [
        page.table(headings, rows, groups, label="best XOR points"),
        "<h3>All codecs on the same weights: bits per weight</h3>",
        _sizes(summary),
        *(page.paragraph(line, "caption") for line in notes(summary)),
    ]
    if results["layer"].n_unique() > 1:
        parts += ["<h3>By layer</h3>", _layers(summary, results, points)]
        parts.append(
            page.paragraph(
                "Means over seeds; all: the layers together, by their weights. Any other setting, by layer: "
                "choose one under All points.",
                "caption",
            )
        )
    return page.section("summary", "Best XOR point of each prune rate", *parts)


def _sizes(summary: list[Best]) -> str:
    methods = {baseline.method: baseline.name for best in summary for baseline in best.baselines}
    rows = []
    for best in summary:
        least = min([best.bits_per_weight, *best.sizes.values()])
        sizes = [best.bits_per_weight, *(best.sizes.get(method) for method in methods)]
        row = [(three_digits(size), "least" if size == least else "") for size in sizes]
        rows.append([(f"{best.prune_rate:g}", "strong"), *row])
    return page.table(["S", "XOR code", *methods.values()], rows, label="all codecs")


def _layers(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    headings = ["S", "layer", "weights", "kept", *BIT_NAMES.values(), "total", "patches / slice"]
    bits = (*BIT_STREAMS, "bits_per_weight")
    codes = results.filter(pl.col("n_out").is_not_null())
    rows = []
    for best in summary:
        of_best = of_setting(points, best)
        chosen = codes.filter(pl.col("point").is_in(of_best["point"].to_list()))
        layers = chosen.group_by("layer", maintain_order=True).agg(
            pl.col("n_weights", "n_kept", *bits, "patches_per_slice").mean()
        )
        whole = layers.select(
            pl.lit("all").alias("layer"),
            pl.col("n_weights", "n_kept").sum(),
            *(pl.lit(getattr(best, name)).alias(name) for name in (*bits, "patches_per_slice")),
        ).head(1)
        for row in pl.concat([layers, whole]).iter_rows(named=True):
            kind = "strong" if row["layer"] == "all" else ""
            cells = [(f"{best.prune_rate:g}", kind), (row["layer"], f"text {kind}")]
            cells += [(f"{row['n_weights']:,.0f}", kind), (f"{row['n_kept'] / row['n_weights']:.2%}", kind)]
            cells += [(three_digits(row[name]), kind) for name in bits]
            rows.append([*cells, (f"{row['patches_per_slice']:.2f}", kind)])
    return page.table(headings, rows, label="best XOR points by layer")
