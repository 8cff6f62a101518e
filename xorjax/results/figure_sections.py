"""The sections of the report that are figures of results, each with how to read it."""

from typing import TYPE_CHECKING

import polars as pl

from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.caps import PANELS, of_many, spread
from xorjax.results.notes import TOLERANCE
from xorjax.results.palette import BLUE, NEUTRAL, colours

if TYPE_CHECKING:
    from xorjax.results.figures import Panel


def bits(by_setting: pl.DataFrame) -> str:
    """Bits per weight by what they are spent on."""
    from xorjax.results import bar_figures

    settings, more = of_some_rates(by_setting)
    return page.section(
        "bits",
        "Bits per weight",
        page.legend(
            {
                **bar_figures.STREAM_LEGEND,
                "1 - S, the least that code + patch take for random signs": "dashed",
            }
        ),
        panels("Bits per weight", bar_figures.bits_panels(settings)),
        page.paragraph(
            "What one weight costs on disk, by what the bits are spent on: the mean over seeds. A bar is one XOR shape "
            "or, where more differs, one setting, named by what differs (n_in → n_out, method, patch format, mask "
            "codec). A larger n_out needs fewer code bits and more patches. For random signs, "
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
        panels("Accuracy", accuracy_figures.accuracy_panels(points)),
        page.paragraph(
            "Accuracy against the prune rate: a dot is a seed, n of them, each at the same place beside every label; "
            "the bar is their mean. The best points and the headline are chosen by the validation split "
            "alone, within the dotted line; the test split says how good "
            "what was chosen is, so the line is not drawn there. All codings of one quantized network share its dot, "
            "since decoding is lossless; an approximate mask codec makes a network of its own.",
            "caption",
        ),
    )


def patches(by_setting: pl.DataFrame) -> str:
    """Patches of a slice against its length."""
    from xorjax.results import patch_figures

    settings, more = of_some_rates(by_setting)
    marks = {f"n_in {n_in}": colour for n_in, colour in colours(settings["n_in"].to_list()).items()}
    methods = set(settings["method"])
    if len(methods) > 1:
        marks |= {"minimum ●": "solid", "greedy ■": "dashed"}
    return page.section(
        "patches",
        "Patches per slice",
        page.legend(marks),
        panels("Patches per slice", patch_figures.patches_panels(settings)),
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
        panels("Other codecs on the same weights", bar_figures.baseline_panels(shown)),
        page.paragraph(
            "The best XOR point of each prune rate (bold) beside codecs without an XOR network, for the "
            "same quantized weights: means over seeds, the smallest at the top. Dense 1-bit stores the sign "
            f"of every weight and needs no mask.{more}",
            "caption",
        ),
    )


def panels(section: str, drawn: "list[Panel]") -> str:
    """Figures of a section beside each other, what each leaves out said below it."""
    texts = (
        page.panel(
            panel.title,
            panel.figure.to_json() or "",
            panel.wide,
            panel.height,
            panel.more,
            f"{section}, {panel.about}",
        )
        for panel in drawn
    )
    return '<div class="panels">\n' + "\n".join(texts) + "\n</div>"


def of_some_rates(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The rows of as many prune rates as get a figure of their own, and a sentence if that is not all."""
    rates = frame["prune_rate"].unique().sort().to_list()
    shown = spread(rates, PANELS)
    return frame.filter(pl.col("prune_rate").is_in(shown)), of_many(len(rates), len(shown), "prune rates")
