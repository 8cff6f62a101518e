"""Draws lenet_sweep.png from the finished sweep: `uv run python docs/figures/lenet_sweep.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "runs" / "reports" / "lenet_sweep" / "results.parquet"
STREAMS = {
    "code_bits": ("code words", "#0072B2"),
    "patch_bits": ("patches", "#D55E00"),
    "index_bits": ("mask", "#B8BEC6"),
}
BASELINES = {"ans_rc_signs": "same mask\n+ signs", "ternary_ans": "ANS", "csr5": "CSR\n5 bit"}


def main() -> None:
    table = pl.read_parquet(TABLE)
    means = table.group_by("prune_rate", "method", "patch_format", "n_in", "n_out").agg(
        pl.col(*STREAMS, "bits_per_weight").mean()
    )
    rates = sorted(table["prune_rate"].unique())
    figure, axes = plt.subplots(1, len(rates), figsize=(10, 3.4), sharey=True, layout="constrained")
    for axis, rate in zip(axes, rates, strict=True):
        at_rate = means.filter(pl.col("prune_rate") == rate)
        best = (
            at_rate.filter(pl.col("n_out").is_not_null())
            .sort("bits_per_weight")
            .unique("n_in", keep="first", maintain_order=True)
            .sort("n_in")
        )
        rows = [(f"XOR\n{r['n_in']}→{r['n_out']}", r) for r in best.iter_rows(named=True)]
        others = {r["method"]: r for r in at_rate.iter_rows(named=True) if r["n_out"] is None}
        rows += [(label, others[method]) for method, label in BASELINES.items()]
        bottom = [0.0] * len(rows)
        for stream, (name, colour) in STREAMS.items():
            heights = [row[stream] for _, row in rows]
            axis.bar(range(len(rows)), heights, 0.72, bottom, label=name, color=colour)
            bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
        for x, total in enumerate(bottom):
            axis.annotate(f"{total:.3f}", (x, total), ha="center", va="bottom", fontsize=7.5)
        accuracy = table.filter((pl.col("prune_rate") == rate) & pl.col("n_out").is_not_null())
        by_seed = accuracy.group_by("seed").agg(
            pl.col("test_accuracy").first(), pl.col("dense_accuracy").first()
        )
        axis.set_title(
            f"S = {rate:g}: {by_seed['test_accuracy'].mean():.2%} (dense {by_seed['dense_accuracy'].mean():.2%})",
            fontsize=10,
        )
        axis.axhline(1 - rate, color="black", lw=0.9, ls=":", label="1 - S, the floor for random signs")
        axis.set_xticks(range(len(rows)), [label for label, _ in rows], fontsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("bits per weight of FC1")
    axes[-1].legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(HERE / "lenet_sweep.png", dpi=160)


if __name__ == "__main__":
    main()
