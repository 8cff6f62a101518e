"""The sections of the report that are figures of results, each with how to read it."""

from typing import TYPE_CHECKING

import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.caps import PANELS, of_many, spread
from xorjax.results.names import own_code
from xorjax.results.notes import best_of_each
from xorjax.results.palette import BLUE, NEUTRAL, colours
from xorjax.results.variants import SETTING

if TYPE_CHECKING:
    from xorjax.results.figures import Panel


def bits(by_setting: pl.DataFrame) -> str:
    """Bits per weight by what they are spent on."""
    from xorjax.results import bar_figures

    settings, more = of_some_rates(by_setting)
    has_shape = by_setting["n_out"].null_count() < by_setting.height
    others = [name for name in SETTING if name != "asked"]
    several = by_setting.select(pl.col("n_outs").drop_nulls().n_unique().over(others).max()).item() > 1
    has_entropy = by_setting["context_entropy"].null_count() < by_setting.height
    larger = "A larger n_out needs fewer code bits and more patches. " if several else ""
    return page.section(
        "bits",
        "Bits per weight",
        page.legend(
            {
                **bar_figures.STREAM_LEGEND,
                "1 - S, the least that code + patch take for random signs": "dashed",
            }
            | ({"the entropy of these signs in their contexts": "dotted"} if has_entropy else {})
        ),
        panels("Bits per weight", bar_figures.bits_panels(settings)),
        page.paragraph(
            "What one weight costs on disk, by what the bits are spent on: the mean over seeds. A bar is one XOR shape "
            "or, where more differs, one setting, named by what differs (n_in → n_out, method, patch format, mask "
            f"codec). {larger}For random signs, code and patch together cannot go below the dashed line. The index "
            f"bits pay for the mask, whatever the {'shape' if has_shape else 'code'}. Each prune rate has its own "
            f"scale.{more}",
            "caption",
        ),
    )


def metric(points: pl.DataFrame, metric: Metric) -> str:
    """The metric against the prune rate."""
    from xorjax.results import metric_figures

    own = own_code(points.filter(~pl.col("baseline"))["code"])
    within = "below" if metric.higher_is_better else "above"

    return page.section(
        metric.name,
        metric.name.capitalize(),
        page.legend(
            {
                "dense": NEUTRAL,
                f"with the {own}": BLUE,
                "mean of the references": "dashed",
                f"{metric.difference(metric.tolerance)} {within}, the most a choice may lose": "dotted",
            }
        ),
        panels(metric.name.capitalize(), metric_figures.metric_panels(points, metric)),
        page.paragraph(
            f"{metric.name.capitalize()} against the prune rate: a dot is a seed, n of them, each at the same place "
            "beside every label; the bar is their mean. A reference is the dense network of that seed, trained as long "
            "and in the same way as the networks at this label without pruning and quantizing. The best points and the "
            "headline are chosen by the validation split alone, within the dotted line; the test split says how good "
            "what was chosen is, so the line is not drawn there. All codings of one quantized network share its dot, "
            "since decoding is lossless; an approximate mask codec makes a network of its own, and so does a code that "
            "networks are trained in.",
            "caption",
        ),
    )


def patches(by_setting: pl.DataFrame) -> list[str]:
    """Patches of a slice against its length; nothing where no code has slices."""
    from xorjax.results import patch_figures

    sliced = by_setting.drop_nulls(["n_in", "n_out", "patches_per_slice"])
    if sliced.is_empty():
        return []
    settings, more = of_some_rates(sliced)
    marks = {f"n_in {n_in}": colour for n_in, colour in colours(settings["n_in"].to_list()).items()}
    marks |= patch_figures.legend(settings)
    section = page.section(
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
    return [section]


def baselines(summary: list[Best]) -> str:
    """The best points beside other codecs."""
    from xorjax.results import bar_figures

    shown = spread(summary, PANELS)
    more = of_many(len(summary), len(shown), "prune rates")
    kind = best_of_each(summary)[0].lower() + best_of_each(summary)[1:]
    others = (
        "codecs without an XOR network" if all(best.code == "xor" for best in summary) else "other codecs"
    )
    return page.section(
        "baselines",
        "Other codecs on the same weights",
        page.legend(bar_figures.STREAM_LEGEND),
        panels("Other codecs on the same weights", bar_figures.baseline_panels(shown)),
        page.paragraph(
            f"The {kind} (bold) beside {others}, for the "
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
