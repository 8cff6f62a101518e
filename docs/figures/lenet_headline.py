"""Draws lenet_headline.png from the finished sweep: `uv run python docs/figures/lenet_headline.py`."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

from xorjax.results.losses import half_width

HERE = Path(__file__).parent
STREAMS = {
    "code_bits": ("code words, or signs", "#0072B2"),
    "patch_bits": ("patches", "#D55E00"),
    "index_bits": ("mask", "#B8BEC6"),
    "scale_bits": ("scale", "#000000"),
}
BASELINES = {
    ("signs", "ans_rc"): "packed\nsigns",
    ("ans_signs", "ans_rc"): "entropy-\ncoded",
    ("context_signs", "ans_rc"): "in\ncontexts",
    ("ans_signs", "ans"): "ternary\nANS",
    ("signs", "golomb"): "Golomb\n+ signs",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=HERE.parents[1] / "runs")
    table = pl.read_parquet(parser.parse_args().runs / "reports" / "lenet_headline" / "results.parquet")
    keys = ("baseline", "code", "mask_codec", "n_in")
    rates = sorted(table["prune_rate"].unique())
    figure, axes = plt.subplots(1, len(rates), figsize=(10, 3.4), sharey=True, layout="constrained")
    for axis, rate in zip(axes, rates, strict=True):
        at_rate = table.filter(prune_rate=rate)
        own = at_rate.filter(~pl.col("baseline"))
        means = at_rate.group_by(keys).agg(pl.col(*STREAMS).mean())
        rows = [
            (f"XOR\nn_in={row['n_in']}", row)
            for row in means.filter(~pl.col("baseline")).sort("n_in").iter_rows(named=True)
        ]
        others = {
            (row["code"], row["mask_codec"]): row for row in means.filter("baseline").iter_rows(named=True)
        }
        rows += [(label, others[codec]) for codec, label in BASELINES.items()]
        bottom = [0.0] * len(rows)
        for stream, (name, colour) in STREAMS.items():
            heights = [row[stream] for _, row in rows]
            axis.bar(range(len(rows)), heights, 0.72, bottom, label=name, color=colour)
            bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
        for x, total in enumerate(bottom):
            axis.annotate(f"{total:.3f}", (x, total), ha="center", va="bottom", fontsize=7)
        losses = (
            own.group_by("seed")
            .agg(lost=100 * (pl.col("reference_accuracy") - pl.col("test_accuracy")).first())["lost"]
            .to_list()
        )
        half = half_width(losses) or 0.0
        axis.set_title(f"S = {rate:g}: loss {sum(losses) / len(losses):.3f} ± {half:.3f} points", fontsize=10)
        axis.set_xticks(range(len(rows)), [label for label, _ in rows], fontsize=6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("bits per weight of FC1")
    axes[-1].legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(HERE / "lenet_headline.png", dpi=160)


if __name__ == "__main__":
    main()
