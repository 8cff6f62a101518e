"""The report's section of masks: what they cost and, where a codec chooses them, what they keep."""

from html import escape

import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.caps import listed
from xorjax.results.figure_sections import of_some_rates, panels
from xorjax.results.masks import MASK_KEY, entropy, of_model, order_of, per_mask
from xorjax.results.names import mask_name
from xorjax.results.tables import three_digits

EXACT = (
    "What it costs to store which weights are kept: the mean over seeds. All codecs here store the mask that magnitude "
    "pruning chose as it is, so that they share its {metric} and keep all of its magnitude. They are below H(S), the "
    "entropy of a random mask, only where rows or columns of the mask differ in density. The axis of the bits is "
    "logarithmic."
)
SOME_APPROXIMATE = (
    "What it costs to store which weights are kept, and what that leaves of the network: a marker is one mask "
    "codec at one prune rate, the mean over seeds with its deviation. Further left is smaller, further {up} is "
    "better. Exact codecs (open) store the mask that magnitude pruning chose, so they share one {metric} and "
    "keep all of its magnitude; they are left of H(S) only where rows or columns of the mask differ in "
    "density. Approximate codecs (filled) prune to a mask that they can express: they may be left of H(S), and "
    "lose magnitude for it. The index axis is logarithmic; each panel has its own vertical scale."
)


def masks(points: pl.DataFrame, metric: Metric) -> list[str]:
    """What the masks cost, against what they keep where that differs; nothing where no code has one beside it."""
    from xorjax.results import mask_figures

    of_codecs, more = of_some_rates(per_mask(points))
    if of_codecs.is_empty():
        return []
    words = {"metric": metric.name, "up": "up" if metric.higher_is_better else "down"}
    legend = {**mask_figures.legend(of_codecs), "H(S), the entropy of a random mask": "dashed"}
    if of_codecs["approximate"].any():
        measured = mask_figures.metric_panels(of_codecs, metric)
        drawn = [
            page.legend({**legend, "mean of the references": "dotted"}),
            f"<h3>{escape(metric.name.capitalize())}</h3>",
            panels("Masks", measured),
            "<h3>Magnitude kept</h3>",
            panels("Masks", mask_figures.kept_panels(of_codecs)),
        ]
        caption = SOME_APPROXIMATE.format(**words) + _borrowed(of_codecs)
    else:
        drawn = [page.legend(legend) + panels("Masks", [mask_figures.index_panel(of_codecs)])]
        caption = EXACT.format(**words)
    table = ("<h3>Index bits per weight</h3>", _table(of_codecs))
    return [page.section("masks", "Masks", *drawn, *table, page.paragraph(caption + more, "caption"))]


def _borrowed(of_codecs: pl.DataFrame) -> str:
    of_others = of_codecs.filter(pl.col("mask_of").is_not_null())["prune_rate"].unique().sort().to_list()
    if not of_others:
        return ""
    rates = listed([f"{rate:g}" for rate in of_others])
    return f" At S = {rates} no network has an exact mask: there the exact codecs store the approximate ones."


def _table(of_codecs: pl.DataFrame) -> str:
    rates = of_codecs["prune_rate"].unique().sort().to_list()
    bits = {
        (*row[:4],): row[4] for row in of_codecs.select(*MASK_KEY, "prune_rate", "index_bits").iter_rows()
    }
    least = {
        rate: three_digits(bits)
        for rate, bits in of_codecs.group_by("prune_rate").agg(pl.col("index_bits").min()).iter_rows()
    }
    rows = []
    for codec, variant, mask_of in sorted(
        {key[:3] for key in bits}, key=lambda key: (order_of(key[0]), key[1], key[2] or "")
    ):
        texts = [three_digits(bits.get((codec, variant, mask_of, rate))) for rate in rates]
        cells = [
            (text, "least" if text == least[rate] else "") for text, rate in zip(texts, rates, strict=True)
        ]
        rows.append([(mask_name(codec) + of_model(mask_of, variant), "text"), *cells])
    rows.append([("H(S)", "text quiet"), *((three_digits(entropy(rate)), "quiet") for rate in rates)])
    return page.table(
        ["mask codec", *(f"S = {rate:g}" for rate in rates)], rows, label="index bits per weight"
    )
