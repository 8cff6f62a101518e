"""The report's section of tables: the best XOR point of each prune rate, beside other codecs, and by layer."""

import polars as pl

from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.names import MASK_NAMES
from xorjax.results.notes import notes
from xorjax.results.tables import marked_accuracy, of_setting, percent, three_digits
from xorjax.streams import BIT_NAMES, BIT_STREAMS

MAY_BE_SAID = ("method", "patch format", "mask codec", "variant", "seeds", "scale")
"""Columns of the best points that are a sentence where they hold one value."""
Cell = tuple[str, str]


def summary_section(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    """The best XOR point of each prune rate, beside all codecs, and by layer where there are several."""
    parts = [
        *_best(summary),
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


def _best(summary: list[Best]) -> tuple[str, ...]:
    """The table, what matters first, and below it in a sentence the columns of one value."""
    columns: dict[str, list[tuple[str, list[Cell]]]] = {
        "": [("S", [(f"{best.prune_rate:g}", "strong") for best in summary])],
        "bits per weight": [
            ("total", [(three_digits(best.bits_per_weight), "strong") for best in summary]),
            ("with M", [(three_digits(best.with_matrix), "") for best in summary]),
        ],
        "test accuracy (%)": [
            ("XOR code", [(marked_accuracy(best), "" if best.is_accurate else "bad") for best in summary]),
            ("dense", [(percent(best.dense_accuracy), "") for best in summary]),
        ],
        "XOR point": [
            ("n_in → n_out", [(best.shape, "") for best in summary]),
            ("patches / slice", [(f"{best.patches_per_slice:.2f}", "") for best in summary]),
            ("method", [(best.method, "text") for best in summary]),
            ("patch format", [(best.patch_format, "text") for best in summary]),
            ("mask codec", [(MASK_NAMES.get(best.mask_codec, best.mask_codec), "text") for best in summary]),
            ("variant", [(best.variant, "text") for best in summary]),
            ("seeds", [(str(best.n_seeds), "") for best in summary]),
        ],
        "the total, by what it is spent on": [
            (name, [(three_digits(getattr(best, stream)), "") for best in summary])
            for stream, name in BIT_NAMES.items()
        ],
    }
    same, kept = [], {}
    for group, of_group in columns.items():
        kept[group] = []
        for name, cells in of_group:
            if name in MAY_BE_SAID and len({text for text, _ in cells}) == 1:
                same += [f"{name} {cells[0][0]}"] if cells[0][0] else []
            else:
                kept[group].append((name, cells))
    shown = [column for of_group in kept.values() for column in of_group]
    rows = list(zip(*(cells for _, cells in shown), strict=True))
    groups = {group: len(of_group) for group, of_group in kept.items()}
    table = page.table([name for name, _ in shown], rows, groups, label="best XOR points")
    said = page.paragraph(f"The same in every row: {'; '.join(same)}.", "caption") if same else ""
    return table, said


def _sizes(summary: list[Best]) -> str:
    methods = {baseline.method: baseline.name for best in summary for baseline in best.baselines}
    rows = []
    for best in summary:
        sizes = [best.bits_per_weight, *(best.sizes.get(method) for method in methods)]
        texts = [three_digits(size) for size in sizes]
        # All that read the same: less than the digits show is no reason to call one the smallest.
        least = three_digits(min(size for size in sizes if size is not None))
        row = [(text, "least" if text == least else "") for text in texts]
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
