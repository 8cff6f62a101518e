"""The pictures of README.md, from the same tables as its text: `python scripts/docs.py --pictures`."""

from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from xorjax.results.palette import BLUE, GREEN, NEUTRAL, ORANGE, PINK, RED, SKY

from .figures import RATES, plus_minus, table

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "figures"
STREAMS = {
    "code_bits": ("code words, or signs", "#0072B2"),
    "patch_bits": ("patches", "#D55E00"),
    "index_bits": ("mask", "#B8BEC6"),
    "scale_bits": ("scale", "#000000"),
}


def draw() -> None:
    draw_headline()
    draw_front()


def draw_headline() -> None:
    """Bits of each stream by codec and prune rate."""
    rows = table("lenet_headline")
    codecs = {
        "XOR\nn_in=20": rows.coded(n_in=20),
        "XOR\nn_in=64": rows.coded(n_in=64),
        "packed\nsigns": rows.rival("signs", "ans_rc"),
        "entropy-\ncoded": rows.rival("ans_signs", "ans_rc"),
        "in\ncontexts": rows.rival("context_signs", "ans_rc"),
        "ternary\nANS": rows.rival("ans_signs", "ans"),
        "Golomb\n+ signs": rows.rival("signs", "golomb"),
    }
    figure, axes = plt.subplots(1, len(RATES), figsize=(10, 3.4), sharey=True, layout="constrained")
    for axis, rate in zip(axes, RATES, strict=True):
        bottom = np.zeros(len(codecs))
        for stream, (name, colour) in STREAMS.items():
            heights = [own(prune_rate=rate).mean(stream) for own in codecs.values()]
            bars = axis.bar(range(len(codecs)), heights, 0.72, bottom, label=name, color=colour)
            bottom += heights
        axis.bar_label(bars, [f"{total:.3f}" for total in bottom], fontsize=7)
        loss = plus_minus(rows.coded(prune_rate=rate).interval())
        axis.set_title(f"S = {rate:g}: loss {loss} points", fontsize=10)
        axis.set_xticks(range(len(codecs)), codecs, fontsize=6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("bits per weight of FC1")
    axes[-1].legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(FOLDER / "lenet_headline.png", dpi=160)
    plt.close(figure)


def draw_front() -> None:
    """Bits against accuracy, all ways of storing FC1 under one recipe; the references trained for different times."""
    figure, axis = plt.subplots(figsize=(7.5, 4), layout="constrained")
    rows = table("front")
    code, mask = {"baseline": False, "code": "xor"}, {"mask": "ans_rc", "mask_codec": "ans_rc"}
    trained = {"baseline": False, "code": "trained"}
    context = mask | {"baseline": True, "code": "context_signs", "words": "search"}
    references: list[float] = []
    for label, color, marker, settings, varied in (
        ("trained code, search", BLUE, "o", trained | {"words": "search"}, "n_out"),
        ("trained code, latent bits", SKY, "D", trained | {"words": "latent"}, "n_out"),
        ("trained code, soft choices", RED, "P", trained | {"words": "soft"}, "n_out"),
        ("XOR-coded mask and signs", ORANGE, "s", code | {"mask": "xor"}, "mask_index_bits"),
        ("exact mask, XOR-coded signs", GREEN, "^", code | mask, "prune_rate"),
        ("exact mask, signs coded in context", PINK, "v", context, "prune_rate"),
    ):
        # A family that was not run at all its settings is left out.
        with suppress(LookupError):
            family = rows(**settings)
            values = [(rate,) for rate in RATES] if varied == "prune_rate" else family.settings(varied)
            own = [family(**{varied: value}) for (value,) in values]
            percent, halves = zip(*(each.tested() for each in own), strict=True)
            bits = [each.mean("bits_per_weight") for each in own]
            axis.errorbar(bits, percent, halves, label=label, color=color, marker=marker, capsize=3)
            references.append(100 * family.mean("reference_metric"))
    axis.axhspan(
        min(references), max(references), color=NEUTRAL, alpha=0.3, lw=0, label="their dense references"
    )
    axis.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.4, 0.6]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set(xlabel="bits per weight of FC1, everything counted", ylabel="test accuracy, %")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(FOLDER / "front.png", dpi=160)
    plt.close(figure)
