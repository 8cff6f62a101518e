"""The sections of the report that are figures of results, each with how to read it."""

from typing import TYPE_CHECKING

import polars as pl

from xorjax.results import page
from xorjax.results.caps import PANELS, listed, of_many, spread
from xorjax.results.masks import MASK_KEY, of_model, per_mask
from xorjax.results.names import MASK_NAMES
from xorjax.results.notes import TOLERANCE, verdict
from xorjax.results.palette import BLUE, NEUTRAL, colours
from xorjax.results.tables import Best, three_digits

if TYPE_CHECKING:
    from xorjax.results.figures import Panel


def bits(by_setting: pl.DataFrame) -> str:
    """Bits per weight by what they are spent on."""
    from xorjax.results import bar_figures

    settings, more = _of_some_rates(by_setting)
    return page.section(
        "bits",
        "Bits per weight",
        page.legend(
            {
                **bar_figures.STREAM_LEGEND,
                "1 - S, the least that code + patch take for random signs": "dashed",
            }
        ),
        panels(bar_figures.bits_panels(settings)),
        page.paragraph(
            "What one weight costs on disk, by what the bits are spent on: the mean over seeds. A bar is one XOR shape "
            "or, where more differs, one setting, named by what differs (n_in → n_out, method, patch format, mask "
            "codec), the smallest at the top. A larger n_out needs fewer code bits and more patches. For random signs, "
            "code and patch together cannot go below the dashed line. The index bits pay for the mask, whatever the "
            f"shape. Each prune rate has its own scale.{more}",
            "caption",
        ),
    )


def accuracy(points: pl.DataFrame) -> str:
    """Accuracy against the prune rate."""
    from xorjax.results import accuracy_figures

    return page.section(
        "accuracy",
        "Accuracy",
        page.legend(
            {
                "dense": NEUTRAL,
                "with the XOR code": BLUE,
                "mean of the dense networks": "dashed",
                f"{100 * TOLERANCE:.2f} pp below, the most a choice may lose": "dotted",
            }
        ),
        panels(accuracy_figures.accuracy_panels(points)),
        page.paragraph(
            "Accuracy against the prune rate: a dot is one seed, the bar their mean. The best points and the "
            "headline are chosen by the validation split alone, within the dotted line; the test split says how good "
            "what was chosen is, so the line is not drawn there. All codings of one quantized network share its dot, "
            "since decoding is lossless; an approximate mask codec makes a network of its own.",
            "caption",
        ),
    )


def masks(points: pl.DataFrame) -> str:
    """What the masks cost, against what they keep."""
    from xorjax.results import mask_figures

    masks, more = _of_some_rates(per_mask(points))
    dense = points.unique("seed", maintain_order=True)["dense_accuracy"].to_list()
    of_others = masks.filter(pl.col("mask_of").is_not_null())["prune_rate"].unique().sort().to_list()
    borrowed = ""
    if of_others:
        rates = listed([f"{rate:g}" for rate in of_others])
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
        panels(mask_figures.accuracy_panels(masks, sum(dense) / len(dense))),
        "<h3>Magnitude kept</h3>",
        panels(mask_figures.kept_panels(masks)),
        "<h3>Index bits per weight</h3>",
        _index_bits(masks),
        page.paragraph(
            "What it costs to store which weights are kept, and what that leaves of the network: a marker is one mask "
            "codec at one prune rate, the mean over seeds with its deviation. Further left is smaller, further up is "
            "better. Exact codecs (open) store the mask that magnitude pruning chose, so they share one accuracy and "
            "keep all of its magnitude; they are left of H(S) only where rows or columns of the mask differ in "
            "density. Approximate codecs (filled) prune to a mask that they can express: they may be left of H(S), and "
            "lose magnitude for it. The index axis is "
            f"logarithmic; each panel has its own vertical scale.{borrowed}{more}",
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
    return page.table(
        ["mask codec", *(f"S = {rate:g}" for rate in rates)], rows, label="index bits per weight"
    )


def patches(by_setting: pl.DataFrame) -> str:
    """Patches of a slice against its length."""
    from xorjax.results import patch_figures

    settings, more = _of_some_rates(by_setting)
    marks = {f"n_in {n_in}": colour for n_in, colour in colours(settings["n_in"].to_list()).items()}
    methods = set(settings["method"])
    if len(methods) > 1:
        marks |= {"minimum ●": "solid", "greedy ■": "dashed"}
    return page.section(
        "patches",
        "Patches per slice",
        page.legend(marks),
        panels(patch_figures.patches_panels(settings)),
        page.paragraph(
            "How many care bits of a slice its code word gets wrong: the mean over slices and seeds, with "
            "the deviation over seeds. A slice has about (1 - S) n_out care bits; as they approach the n_in "
            f"bits of the code word, patches become frequent.{more}",
            "caption",
        ),
    )


def baselines(summary: list[Best]) -> str:
    """The best points beside other codecs."""
    from xorjax.results import bar_figures

    shown = spread(summary, PANELS)
    more = of_many(len(summary), len(shown), "prune rates")
    return page.section(
        "baselines",
        "Other codecs on the same weights",
        page.legend(bar_figures.STREAM_LEGEND),
        panels(bar_figures.baseline_panels(shown)),
        page.paragraph(
            "The best XOR point of each prune rate (bold) beside codecs without an XOR network, for the "
            "same quantized weights: means over seeds, the smallest at the top. Dense 1-bit stores the sign "
            f"of every weight and needs no mask. {verdict(summary)}{more}",
            "caption",
        ),
    )


def panels(drawn: "list[Panel]") -> str:
    """Figures beside each other, what each leaves out said below it."""
    texts = (
        page.panel(panel.title, panel.figure.to_json() or "", panel.wide, panel.height, panel.more)
        for panel in drawn
    )
    return '<div class="panels">\n' + "\n".join(texts) + "\n</div>"


def _of_some_rates(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The rows of as many prune rates as get a figure of their own, and a sentence if that is not all."""
    rates = frame["prune_rate"].unique().sort().to_list()
    shown = spread(rates, PANELS)
    return frame.filter(pl.col("prune_rate").is_in(shown)), of_many(len(rates), len(shown), "prune rates")
