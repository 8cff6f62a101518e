"""The sections of the report that show results: each a table or figures and how to read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from xorjax.results import page
from xorjax.results.collect import Experiment, flat_config
from xorjax.results.masks import MASK_KEY, of_model, per_mask
from xorjax.results.names import GLOSSARY, MASK_NAMES
from xorjax.results.notes import TOLERANCE, notes, verdict
from xorjax.results.rows import STREAMS
from xorjax.results.tables import (
    Best,
    marked_accuracy,
    of_setting,
    per_point,
    per_setting,
    percent,
    three_digits,
)

if TYPE_CHECKING:
    from xorjax.results.figures import Curve, Panel

STREAM_HEADINGS = ("code", "patch", "index", "scale")


def result_sections(
    experiment: Experiment, results: pl.DataFrame, summary: list[Best], runs_dir: Path
) -> list[str]:
    """All sections with results, of rows without failures of which at least one is an XOR point's."""
    points = per_point(results)
    by_setting = per_setting(points)
    return [
        _summary(summary, results, points),
        _bits(by_setting),
        _accuracy(points),
        _masks(points),
        _patches(by_setting),
        _baselines(summary),
        *_training(experiment, results, runs_dir),
    ]


def glossary() -> str:
    """The words that the page uses."""
    return page.section("glossary", "Words", page.definitions(GLOSSARY))


def count(n: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _bits(by_setting: pl.DataFrame) -> str:
    from xorjax.results import figures

    return page.section(
        "bits",
        "Bits per weight",
        page.legend(
            {**figures.STREAM_LEGEND, "1 - S, the least that code + patch take for random signs": "dashed"}
        ),
        _panels(figures.bits_panels(by_setting)),
        page.paragraph(
            "What one weight costs on disk, by what the bits are spent on: the mean over seeds. A bar is one XOR shape "
            "or, where more differs, one setting, named by what differs (n_in → n_out, method, patch format, mask "
            "codec), the smallest at the top. A larger n_out needs fewer code bits and more patches. For random signs, "
            "code and patch together cannot go below the dashed line. The index bits pay for the mask, whatever the "
            "shape. Each prune rate has its own scale.",
            "caption",
        ),
    )


def _accuracy(points: pl.DataFrame) -> str:
    from xorjax.results import figures

    return page.section(
        "accuracy",
        "Accuracy",
        page.legend(
            {
                "dense": figures.NEUTRAL,
                "with the XOR code": figures.BLUE,
                "mean of the dense networks": "dashed",
                f"{100 * TOLERANCE:.2f} pp below": "dotted",
            }
        ),
        _panels([figures.accuracy_panel(points)]),
        page.paragraph(
            "Accuracy on the test split against the prune rate: a dot is one seed, the bar their mean. All "
            "codings of one quantized network share its dot, since decoding is lossless; an approximate mask codec "
            "makes a network of its own.",
            "caption",
        ),
    )


def _masks(points: pl.DataFrame) -> str:
    from xorjax.results import mask_figures

    masks = per_mask(points)
    dense = points.unique("seed", maintain_order=True)["dense_accuracy"].to_list()
    of_others = masks.filter(pl.col("mask_of").is_not_null())["prune_rate"].unique().sort().to_list()
    borrowed = ""
    if of_others:
        rates = ", ".join(f"{rate:g}" for rate in of_others)
        borrowed = f" At S = {rates} no network has an exact mask: there the exact codecs store the approximate ones."
    return page.section(
        "masks",
        "Masks",
        page.legend(
            {
                **mask_figures.legend(masks),
                "H(S), the entropy of a random mask": "dashed",
                "mean of the dense networks": "dotted",
            }
        ),
        "<h3>Accuracy</h3>",
        _panels(mask_figures.accuracy_panels(masks, sum(dense) / len(dense))),
        "<h3>Magnitude kept</h3>",
        _panels(mask_figures.kept_panels(masks)),
        "<h3>Index bits per weight</h3>",
        _index_bits(masks),
        page.paragraph(
            "What it costs to store which weights are kept, and what that leaves of the network: a marker is one mask "
            "codec at one prune rate, the mean over seeds with its deviation. Further left is smaller, further up is "
            "better. Exact codecs (open) store the mask that magnitude pruning chose, so they share one accuracy and "
            "keep all of its magnitude; they are left of H(S) only where rows or columns of the mask differ in "
            "density. Approximate codecs (filled) prune to a mask that they can express: they may be left of H(S), and "
            "lose magnitude for it. The index axis is "
            f"logarithmic; each panel has its own vertical scale.{borrowed}",
            "caption",
        ),
    )


def _index_bits(masks: pl.DataFrame) -> str:
    rates = masks["prune_rate"].unique().sort().to_list()
    bits = {(*row[:4],): row[4] for row in masks.select(*MASK_KEY, "prune_rate", "index_bits").iter_rows()}
    least = dict(masks.group_by("prune_rate").agg(pl.col("index_bits").min()).iter_rows())
    rows = []
    for codec, variant, mask_of in sorted(
        {key[:3] for key in bits}, key=lambda key: (list(MASK_NAMES).index(key[0]), key[1], key[2] or "")
    ):
        sizes = [bits.get((codec, variant, mask_of, rate)) for rate in rates]
        cells = [
            (three_digits(size), "least" if size == least[rate] else "")
            for size, rate in zip(sizes, rates, strict=True)
        ]
        rows.append([(MASK_NAMES[codec] + of_model(mask_of, variant), "text"), *cells])
    return page.table(["mask codec", *(f"S = {rate:g}" for rate in rates)], rows)


def _patches(by_setting: pl.DataFrame) -> str:
    from xorjax.results import figures

    colours = figures.shape_colours(by_setting["n_in"].to_list())
    marks = {f"n_in {n_in}": colour for n_in, colour in colours.items()}
    methods = set(by_setting["method"])
    if len(methods) > 1:
        marks |= {"minimum ●": "solid", "greedy ■": "dashed"}
    return page.section(
        "patches",
        "Patches per slice",
        page.legend(marks),
        _panels(figures.patches_panels(by_setting)),
        page.paragraph(
            "How many care bits of a slice its code word gets wrong: the mean over slices and seeds, with "
            "the deviation over seeds. A slice has about (1 - S) n_out care bits; as they approach the n_in "
            "bits of the code word, patches become frequent.",
            "caption",
        ),
    )


def _baselines(summary: list[Best]) -> str:
    from xorjax.results import figures

    return page.section(
        "baselines",
        "Other codecs on the same weights",
        page.legend(figures.STREAM_LEGEND),
        _panels(figures.baseline_panels(summary)),
        page.paragraph(
            "The best XOR point of each prune rate (bold) beside codecs without an XOR network, for the "
            "same quantized weights: means over seeds, the smallest at the top. Dense 1-bit stores the sign "
            f"of every weight and needs no mask. {verdict(summary)}",
            "caption",
        ),
    )


def _training(experiment: Experiment, results: pl.DataFrame, runs_dir: Path) -> list[str]:
    from xorjax.results import figures

    curves = list(_curves(experiment, results, runs_dir))
    if not curves:
        return []
    colours = figures.rate_colours(results["prune_rate"].to_list())
    used = {curve.prune_rate for curve in curves}
    marks = {f"S = {rate:g}": colour for rate, colour in colours.items() if rate in used}
    if None in used:
        marks["shared by prune rates"] = figures.NEUTRAL
    marks |= {"validation": "solid", "training (loss only)": "dotted"}
    return [
        page.section(
            "training",
            "Training",
            page.legend(marks),
            _panels(figures.curve_panels(curves, colours)),
            page.paragraph(
                "Accuracy and loss after every epoch of every training run, stage by stage: the dense "
                "network, pruning, fine-tuning of the signs. Hover over a line for its name.",
                "caption",
            ),
        )
    ]


def _panels(panels: "list[Panel]") -> str:
    drawn = (
        page.panel(panel.title, panel.figure.to_json() or "", panel.wide, panel.height) for panel in panels
    )
    return '<div class="panels">\n' + "\n".join(drawn) + "\n</div>"


def _summary(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    has_variants = any(best.variant for best in summary)
    settings = [
        "n_in → n_out",
        "method",
        "patch format",
        "mask codec",
        *(["variant"] if has_variants else []),
    ]
    headings = ["S", *settings, "patches / slice", "seeds", "XOR code", "dense", *STREAM_HEADINGS, "total"]
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
        row += [(three_digits(getattr(best, stream)), "") for stream in STREAMS]
        rows.append([*row, (three_digits(best.bits_per_weight), "strong")])
    parts = [
        page.table(headings, rows, groups),
        "<h3>All codecs on the same weights: bits per weight</h3>",
        _sizes(summary),
        *(page.paragraph(line, "caption") for line in notes(summary)),
    ]
    if results["layer"].n_unique() > 1:
        parts += ["<h3>By layer</h3>", _layers(summary, results, points)]
    return page.section("summary", "Best XOR point of each prune rate", *parts)


def _sizes(summary: list[Best]) -> str:
    methods = {baseline.method: baseline.name for best in summary for baseline in best.baselines}
    rows = []
    for best in summary:
        least = min([best.bits_per_weight, *best.sizes.values()])
        sizes = [best.bits_per_weight, *(best.sizes.get(method) for method in methods)]
        row = [(three_digits(size), "least" if size == least else "") for size in sizes]
        rows.append([(f"{best.prune_rate:g}", "strong"), *row])
    return page.table(["S", "XOR code", *methods.values()], rows)


def _layers(summary: list[Best], results: pl.DataFrame, points: pl.DataFrame) -> str:
    headings = ["S", "layer", "weights", *STREAM_HEADINGS, "total", "patches / slice"]
    rows = []
    for best in summary:
        chosen = results.filter(
            pl.col("point").is_in(of_setting(points, best)["point"].to_list()), pl.col("n_out").is_not_null()
        )
        for (layer,), group in chosen.group_by("layer", maintain_order=True):
            bits = (*STREAMS, "bits_per_weight")
            row = [(f"{best.prune_rate:g}", ""), (str(layer), "text"), (f"{group['n_weights'][0]:,}", "")]
            row += [(f"{group[column].mean():.3f}", "") for column in bits]
            rows.append([*row, (f"{group['patches_per_slice'].mean():.2f}", "")])
    return page.table(headings, rows)


def _curves(experiment: Experiment, results: pl.DataFrame, runs_dir: Path) -> "Iterator[Curve]":
    from xorjax.results.figures import Curve

    rates: dict[str, float] = dict(results.select("point", "prune_rate").iter_rows())
    found: dict[str, dict[str, Any]] = {}
    for point in experiment.points:
        for curve in point.curves:
            entry = found.setdefault(curve["metrics"], {**curve, "rates": set()})
            if point.name in rates:
                entry["rates"].add(rates[point.name])
    for metrics, entry in found.items():
        path = runs_dir / metrics
        if path.exists():
            rate = min(entry["rates"]) if len(entry["rates"]) == 1 else None
            yield Curve(entry["stage"], entry["title"], rate, pl.read_ndjson(path, infer_schema_length=None))


def settings(experiment: Experiment, results: pl.DataFrame) -> str:
    values: dict[str, list[Any]] = {}
    for config in results["config"].unique(maintain_order=True):
        for key, value in flat_config(config).items():
            seen = values.setdefault(key, [])
            if value not in seen:
                seen.append(value)
    swept = {key: ", ".join(str(v) for v in seen) for key, seen in values.items() if len(seen) > 1}
    fixed = {key: seen[0] for key, seen in values.items() if len(seen) == 1}
    columns = ("commit", "device", "xorjax_version", "jax_version", "numpy_version", "n_test")
    versions = {
        c: ", ".join(str(v) for v in results[c].drop_nulls().unique(maintain_order=True)) for c in columns
    }
    n_test = versions.pop("n_test")
    versions = {"command": experiment.command, **versions, "test images": n_test}
    return page.section(
        "settings",
        "Settings and versions",
        '<div class="columns"><div><h3>Swept</h3>',
        page.settings_table(swept or {"nothing": "a single point"}),
        "<h3>Versions</h3>",
        page.settings_table({name.replace("_", " "): value for name, value in versions.items()}),
        "</div><div><h3>The same for all points</h3>",
        page.settings_table(fixed),
        "</div></div>",
    )
