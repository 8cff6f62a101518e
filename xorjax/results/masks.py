"""What the masks of a sweep cost and keep: one row for each mask codec and prune rate."""

from math import log2

import polars as pl

from xorjax.results.names import MASK_NAMES, mask_name

# What a row is at one prune rate.
MASK_KEY = ("codec", "model_variant", "mask_of")


def per_mask(points: pl.DataFrame) -> pl.DataFrame:
    """Means over seeds of `index_bits`, `test_metric` and `kept_score` (1: exact), `*_spread`, `n_seeds`, whether the
    codec is `approximate`, and the mean `reference_metric`.

    `points`: as `tables.per_point` gives them. A row for each `prune_rate`, `codec` (a mask codec's id) and
    `model_variant`; the exact codecs' bits come from the points' own codes and from baselines alike. `mask_of`: None,
    or the approximate codec whose mask an exact one stores here, as where a prune rate has no exact mask. Models that
    keep all weights have no mask.
    """
    points = points.filter(pl.col("prune_rate") > 0)
    codes = points.filter(~pl.col("baseline"))
    models = codes.unique("quantized", maintain_order=True).select(
        "quantized", "kept_score", model_codec=pl.when("approximate").then("mask_codec")
    )
    masks = (
        pl.concat([codes, points.filter("baseline")])
        .drop("kept_score", "codec")
        .rename({"mask_codec": "codec"})
        .filter(pl.col("codec").is_not_null())
        .unique(["quantized", "codec"], keep="first", maintain_order=True)
        .join(models, on="quantized", how="left", maintain_order="left")
        .with_columns(mask_of=pl.when(pl.col("codec") != pl.col("model_codec")).then("model_codec"))
    )
    has_exact = pl.col("model_codec").is_null().any().over("prune_rate")
    values = ("index_bits", "test_metric", "kept_score")
    return (
        masks.filter(pl.col("mask_of").is_null() | ~has_exact)
        .group_by("prune_rate", *MASK_KEY)
        .agg(
            *(pl.col(column).mean() for column in values),
            *(pl.col(column).std().alias(f"{column}_spread") for column in values),
            # Rounded, so that equal references are one line whatever the order of their sum.
            reference_metric=pl.col("reference_metric").mean().round(9),
            n_seeds=pl.col("seed").n_unique(),
            approximate=pl.col("codec").eq_missing(pl.col("model_codec")).first(),
        )
        .sort("prune_rate", "index_bits", "codec", "model_variant")
    )


def order_of(codec: str) -> tuple[int, str]:
    """The place of a mask codec in tables and legends: those that `names` knows first."""
    known = list(MASK_NAMES)
    return (known.index(codec) if codec in known else len(known)), codec


def entropy(rate: float) -> float:
    """Bits of a random mask per weight."""
    return sum(-p * log2(p) for p in (rate, 1 - rate) if p > 0)


def of_model(mask_of: str | None, variant: str) -> str:
    """What to say of a row behind its codec's name, "" where there is nothing."""
    parts = [f"of the {mask_name(mask_of)} mask" if mask_of else "", *variant.split(", ")]
    # The model's own codec is said by the row.
    return "".join(f", {part}" for part in parts if part and part != "exact" and part not in MASK_NAMES)
