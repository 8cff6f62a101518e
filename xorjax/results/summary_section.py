"""The report's section of tables: the best point of each prune rate, beside other codecs, and by layer."""

import polars as pl

from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.losses import heading
from xorjax.results.names import mask_name, own_code
from xorjax.results.notes import best_of_each, notes
from xorjax.results.page import Cell
from xorjax.results.tables import (
    MODELS,
    models_columns,
    of_setting,
    summarise_models,
    three_digits,
    two_digits,
)
from xorjax.streams import BIT_NAMES, BIT_STREAMS

MAY_BE_SAID = ("codec", "method", "patch format", "mask codec", "variant", "seeds", "scale")
"""Columns of the best points that are a sentence where they hold one value."""


def summary_section(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    """The best point of each prune rate, beside all codecs, and by layer where there are several."""
    parts = [
        *_best(summary),
        *_models(points),
        "<h3>All codecs on the same weights: bits per weight</h3>",
        _sizes(summary),
        *(page.paragraph(line, "caption") for line in notes(summary)),
    ]
    if results["layer"].n_unique() > 1:
        parts += ["<h3>By layer</h3>", _layers(summary, results, points)]
        parts.append(
            page.paragraph(
                "Bits per weight of the layer, means over seeds; all: the layers together, by their weights. Any other "
                "setting, by layer: "
                "choose one under All points.",
                "caption",
            )
        )
    return page.section("summary", best_of_each(summary), *parts)


def _best(summary: list[Best]) -> tuple[str, ...]:
    """The table, what matters first, and below it in a sentence the columns of one value."""
    metric, own = summary[0].metric, own_code(best.code for best in summary)
    point = "XOR point" if own == "XOR code" else "point"
    columns: dict[str, list[tuple[str, list[Cell]]]] = {
        "": [("S", [(f"{best.prune_rate:g}", "strong") for best in summary])],
        "bits per weight": [
            ("total", [(three_digits(best.bits_per_weight), "strong") for best in summary]),
        ],
        "whole file": [
            ("bits / parameter", [(three_digits(best.file_bits_per_parameter), "") for best in summary]),
        ],
        f"test {metric.label}": [
            (own, [(best.tested, "" if best.is_close else "bad") for best in summary]),
            ("reference", [(metric.number(best.reference_metric), "") for best in summary]),
            ("dense", [(metric.number(best.dense_metric), "") for best in summary]),
            (heading(metric), [(best.loss.number(metric), "strong") for best in summary]),
        ],
        point: [
            ("codec", [(best.name if own != "XOR code" else "", "text") for best in summary]),
            ("n_in → n_out", [(best.shape, "") for best in summary]),
            ("patches / slice", [(two_digits(best.patches_per_slice), "") for best in summary]),
            ("method", [(best.method or "", "text") for best in summary]),
            ("patch format", [(best.patch_format or "", "text") for best in summary]),
            ("mask codec", [(mask_name(best.mask_codec or "none"), "text") for best in summary]),
            ("variant", [(best.variant, "text") for best in summary]),
            ("seeds", [(str(best.n_seeds), "") for best in summary]),
            ("epochs", [(f"{best.epochs:g} ({best.dense_epochs:g} dense)", "") for best in summary]),
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
            if {text for text, _ in cells} <= {"", "-"}:
                # No code here has it.
                continue
            if name in MAY_BE_SAID and len({text for text, _ in cells}) == 1:
                same.append(f"{name} {cells[0][0]}")
            else:
                kept[group].append((name, cells))
    shown = [column for of_group in kept.values() for column in of_group]
    rows = list(zip(*(cells for _, cells in shown), strict=True))
    groups = {group: len(of_group) for group, of_group in kept.items()}
    table = page.table([name for name, _ in shown], rows, groups, label=f"best {point}s")
    said = page.paragraph(f"The same in every row: {'; '.join(same)}.", "caption") if same else ""
    return table, said


def _models(points: pl.DataFrame) -> tuple[str, ...]:
    """The table of all models, where a prune rate has several."""
    if not (models := summarise_models(points)):
        return ()
    headings, rows = models_columns(models)
    cells = [[*((text, "") for text in row[:-1]), (row[-1], "text")] for row in rows]
    return f"<h3>{MODELS}</h3>", page.table(headings, cells, label="all models")


def _sizes(summary: list[Best]) -> str:
    names = dict.fromkeys(baseline.name for best in summary for baseline in best.baselines)
    entropies = dict.fromkeys(name for best in summary for name in best.at_entropy)
    rows = []
    for best in summary:
        sizes = [best.bits_per_weight, *(best.sizes.get(name) for name in names)]
        texts = [three_digits(size) for size in sizes]
        # All that read the same: less than the digits show is no reason to call one the smallest.
        least = three_digits(min(size for size in sizes if size is not None))
        row = [(text, "least" if text == least else "") for text in texts]
        row += [(three_digits(best.at_entropy.get(name)), "quiet") for name in entropies]
        rows.append([(f"{best.prune_rate:g}", "strong"), *row])
    headings = ["S", own_code(best.code for best in summary), *names, *entropies]
    return page.table(headings, rows, label="all codecs")


def _layers(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    headings = ["S", "layer", "weights", "kept", *BIT_NAMES.values(), "total", "patches / slice"]
    bits = (*BIT_STREAMS, "bits_per_weight")
    codes = results.filter(~pl.col("baseline"))
    rows = []
    for best in summary:
        of_best = of_setting(points, best.setting)
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
            rows.append([*cells, (two_digits(row["patches_per_slice"]), kind)])
    return page.table(headings, rows, label="best points by layer")
