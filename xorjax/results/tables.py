"""From result rows to what they say: the best point of each prune rate and the baselines beside it."""

from collections.abc import Iterable
from typing import Any

import polars as pl
from polars import selectors as cs

from xorjax.metric import Metric
from xorjax.results.best import ENTROPIES, Baseline, Best
from xorjax.results.caps import AXIS_RATES, AXIS_VALUES, spread
from xorjax.results.collect import metric_of
from xorjax.results.configs import setting
from xorjax.results.losses import loss_of
from xorjax.results.names import CSR, SAME_MASK, code_name, codec_name
from xorjax.results.variants import BY_SETTING, SETTING, Varied, varied_keys, with_variants
from xorjax.streams import BIT_STREAMS

AXES = ("n_in", "asked", "method", "patch_format", "mask_codec", "variant")
"""Columns of `per_setting` in which the settings of one prune rate may differ."""


def per_point(table: pl.DataFrame, varied: Varied | None = None) -> pl.DataFrame:
    """One row for each point's own code and for each rival beside it: all encoded layers of the model together.

    Failed rows are left out; the prune rate is the point's, not its layers'. Bits per weight are weighted by the
    layers' weights, patches by their slices, `kept_score` by the kept weights. Layers that are coded differently are
    "mixed", their n_in and n_out the mean. Added columns: those of `with_variants`, which has `varied`; `codec`, the
    code for readers; `asked`, the n_out or the rule by which it was chosen; `n_ins`, `n_outs` and `shape`, the numbers
    for readers, a range where layers or seeds differ, `own_n_outs` and `own_shape` where layers do; `value_bound`,
    n_planes * kept / weights, which is 1 - S for one plane.
    """
    rows = with_variants(table.filter(pl.col("status") == "ok"), varied or {})
    config = rows["config"]
    rivals = [
        codec_name(code, mask) if baseline else None
        for code, mask, baseline in rows.select("code", "mask_codec", "baseline").iter_rows()
    ]
    # How n_out was to be chosen, where it was.
    asked = [
        None if n_out is not None else "automatic" if fill is None else f"fill {fill:g}"
        for n_out, fill in zip(setting(config, "code.n_out"), setting(config, "code.fill"), strict=True)
    ]
    rows = rows.with_columns(
        pl.coalesce(setting(config, "prune.rate").cast(pl.Float64), "prune_rate").alias("prune_rate"),
        asked=pl.when(pl.col("n_out").is_not_null()).then(pl.Series(asked, dtype=pl.String)),
        rival=pl.Series(rivals, dtype=pl.String),
    )
    shape, ways = ("n_in", "n_out"), ("code", "method", "patch_format", "mask_codec")
    mixed = pl.col(ways).min().ne_missing(pl.col(ways).max())
    n_weights = pl.col("n_weights")
    entropies = pl.col(*ENTROPIES)
    over_layers = [
        pl.col("asked").drop_nulls().first(),
        pl.when(mixed).then(pl.lit("mixed")).otherwise(pl.col(ways).first()).name.keep(),
        pl.col(shape).mean(),
        pl.col(shape).min().name.suffix("_least"),
        pl.col(shape).max().name.suffix("_most"),
        _weighted(pl.col(*BIT_STREAMS, "bits_per_weight"), n_weights),
        # Null unless all layers have it.
        pl.when(entropies.null_count() == 0).then(_weighted(entropies, n_weights)),
        pl.when(pl.col("n_slices").sum() > 0).then(
            _weighted(pl.col("patches_per_slice"), pl.col("n_slices"))
        ),
        _weighted(pl.col("kept_score"), pl.col("n_kept")),
        pl.col("n_bounded").sum(),
        ((pl.col("n_kept") * pl.col("n_planes")).sum() / n_weights.sum()).alias("value_bound"),
    ]
    of_point = pl.exclude(
        *("point", "rival", "asked", "patches_per_slice", "kept_score", "n_bounded", "bits_per_weight"),
        *(*ways, *shape, *BIT_STREAMS, *ENTROPIES),
    )
    points = rows.group_by("point", "rival", maintain_order=True).agg(*over_layers, of_point.first())
    codecs = [
        rival or code_name(code, method)
        for rival, code, method in points.select("rival", "code", "method").iter_rows()
    ]
    chosen = pl.col("asked").is_not_null()
    points = points.with_columns(
        pl.col("n_in").round().cast(pl.Int64),
        asked=pl.coalesce("asked", pl.col("n_out").round().cast(pl.Int64).cast(pl.String)),
        codec=pl.Series(codecs, dtype=pl.String),
    )
    over_seeds = {"n_out_least": pl.Expr.min, "n_out_most": pl.Expr.max}
    # The seeds of one setting.
    alike = (*SETTING, "model_variant", "rival")
    # Two rules may have chosen the same.
    rules = pl.col("asked").n_unique().over("n_outs", *(name for name in alike if name != "asked"))
    return (
        points.with_columns(
            pl.col("n_out").round().cast(pl.Int64), n_ins=_range("n_in"), own_n_outs=_range("n_out")
        )
        .with_columns(
            pl.when(chosen).then(of_seeds(pl.col(name)).over(alike)).otherwise(name).alias(name)
            for name, of_seeds in over_seeds.items()
        )
        .with_columns(n_outs=_range("n_out"))
        .with_columns(
            n_outs=pl.when(rules > 1).then(pl.format("{} ({})", "n_outs", "asked")).otherwise("n_outs")
        )
        .with_columns(
            shape=pl.format("{} → {}", "n_ins", "n_outs").fill_null(""),
            own_shape=pl.format("{} → {}", "n_ins", "own_n_outs").fill_null(""),
        )
    )


def _weighted(values: pl.Expr, weights: pl.Expr) -> pl.Expr:
    """The mean over layers."""
    return (values * weights).sum() / weights.sum()


def _range(name: str) -> pl.Expr:
    least, most = pl.col(f"{name}_least"), pl.col(f"{name}_most")
    return pl.when(least == most).then(least.cast(pl.String)).otherwise(pl.format("{} to {}", least, most))


def per_setting(points: pl.DataFrame) -> pl.DataFrame:
    """Means over seeds of the own codes of `per_point`, `*_spread` (deviations), `n_seeds`, `point` (see `Best`)."""
    spreads = ("test_metric", "bits_per_weight")
    descending = [metric_of(points).higher_is_better, False]
    return (
        points.filter(~pl.col("baseline"))
        .group_by(*SETTING, "model_variant", "approximate")
        .agg(
            pl.col("n_ins", "n_outs", "shape").first(),
            pl.col("n_out").mean().round().cast(pl.Int64),
            (cs.numeric() - cs.by_name("n_out")).mean(),
            pl.col(spreads).std().name.suffix("_spread"),
            n_seeds=pl.col("seed").n_unique(),
            point=pl.col("point").sort_by("validation_metric", "seed", descending=descending).first(),
        )
        .sort(BY_SETTING)
    )


def summarise(table: pl.DataFrame, swept: Iterable[str] = ()) -> list[Best]:
    """The best point of every prune rate; `swept` are the settings that the points' sweep varied.

    It is the one with the smallest mean bits per weight among those whose mean metric on the validation split is
    within the task's tolerance of the reference's (nothing is chosen by the test split); where none is, the one
    that validates best (`is_close` False). Codings of one quantized model share its metric, as decoding is lossless:
    among them the bits alone decide.
    """
    return summarise_points(per_point(table, varied_keys((table, swept))))


def summarise_points(points: pl.DataFrame) -> list[Best]:
    """`summarise` of what `per_point` gives."""
    metric = metric_of(points)
    groups = _judged(points, metric).group_by("prune_rate", maintain_order=True)
    return [_best(points, metric, _eligible(group, metric)) for _, group in groups]


def by_axis(points: pl.DataFrame) -> list[tuple[str, str, dict[float, dict[str, Any]]]]:
    """For each of `AXES` that differs at some prune rate and each of its values: the best setting of each rate with it.

    Of what `per_point` gives: axis, value and, by the rule of `summarise`, a row of `per_setting` with `is_close` for
    each rate that has the value. Of many values and rates some are taken, evenly.
    """
    metric = metric_of(points)
    judged = _judged(points, metric)
    rates = spread(judged["prune_rate"].unique().sort().to_list(), AXIS_RATES)
    judged = judged.filter(pl.col("prune_rate").is_in(rates))
    found = []
    for axis in AXES:
        known = judged.drop_nulls(axis)
        if known.is_empty() or known.select(pl.col(axis).n_unique().over("prune_rate").max()).item() < 2:
            continue
        for value in spread(known[axis].unique(maintain_order=True).to_list(), AXIS_VALUES):
            best = {
                rate: _eligible(group, metric).sort("bits_per_weight", maintain_order=True).row(0, named=True)
                for (rate,), group in known.filter(pl.col(axis) == value).group_by(
                    "prune_rate", maintain_order=True
                )
            }
            found.append((axis, str(value), best))
    return found


def summarise_models(points: pl.DataFrame) -> list[Best]:
    """Every way in which models were trained, in its smallest coding, the smallest first; of what `per_point` gives.

    Empty if each prune rate has one: `summarise_points` tells all then.
    """
    metric = metric_of(points)
    models = _judged(points, metric).group_by("prune_rate", "model_variant", maintain_order=True)
    best = [_best(points, metric, group) for _, group in models]
    if len({one.prune_rate for one in best}) == len(best):
        return []
    return sorted(best, key=lambda one: one.bits_per_weight)


def _judged(points: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """`per_setting`, and whether each setting `is_close` to its reference."""
    sign = 1 if metric.higher_is_better else -1
    loss = sign * (pl.col("reference_validation_metric") - pl.col("validation_metric"))
    return per_setting(points).with_columns(is_close=loss <= metric.tolerance + 1e-9)


def _eligible(group: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """Those of `_judged` that are close to their reference; where none is, those that validate best."""
    close = group.filter("is_close")
    if not close.is_empty():
        return close
    validated = (1 if metric.higher_is_better else -1) * pl.col("validation_metric").round(9)
    return group.filter(validated.eq_missing(validated.max()))


def _best(points: pl.DataFrame, metric: Metric, settings: pl.DataFrame) -> Best:
    """The smallest of settings."""
    row = settings.sort("bits_per_weight", maintain_order=True).row(0, named=True)
    others = {
        "metric": metric,
        "loss": loss_of(of_setting(points, row), metric),
        "baselines": _baselines(points, row),
        "n_bounded": points.filter(pl.col("prune_rate") == row["prune_rate"])["n_bounded"].sum(),
    }
    fields = {name: row[name] for name in Best.__dataclass_fields__ if name not in others}
    return Best(**fields, **others)


def of_setting(points: pl.DataFrame, best: Best | dict[str, Any]) -> pl.DataFrame:
    """The points of `per_point` of its setting, one a seed."""
    values = best if isinstance(best, dict) else vars(best)
    is_it = (pl.col(name).eq_missing(pl.lit(values[name])) for name in SETTING)
    return points.filter(~pl.col("baseline"), *is_it)


def _baselines(points: pl.DataFrame, best: dict[str, Any]) -> tuple[Baseline, ...]:
    models = of_setting(points, best)["quantized"].to_list()
    same_models = with_best_gaps(points.filter("baseline", pl.col("quantized").is_in(models)))
    means = same_models.group_by("codec", maintain_order=True).agg(
        *(pl.col(column).mean() for column in (*BIT_STREAMS, "bits_per_weight", "file_bytes")),
        n_seeds=pl.col("seed").n_unique(),
        is_gaps=_are_gaps().first(),
    )
    baselines = []
    for row in means.iter_rows(named=True):
        codec, is_gaps = row.pop("codec"), row.pop("is_gaps")
        names = {"name": CSR, "best": codec} if is_gaps else {"name": codec}
        baselines.append(Baseline(**names, **row))
    # The rows' codecs store any mask exactly, which for one that a code can tell in fewer bits is no rival.
    if best["approximate"]:
        baselines.append(_same_mask(best))
    return tuple(sorted(baselines, key=lambda baseline: baseline.bits_per_weight))


def _are_gaps() -> pl.Expr:
    return pl.col("baseline") & (pl.col("code") == "signs") & pl.col("mask_codec").str.starts_with("csr")


def with_best_gaps(points: pl.DataFrame) -> pl.DataFrame:
    """Of `per_point`, without rivals of relative indices (CSR) but those of the width that is best at a prune rate."""
    gaps = points.filter(_are_gaps())
    of_rate = ("prune_rate", "model_variant")
    means = gaps.group_by(*of_rate, "codec").agg(pl.col("bits_per_weight").mean())
    best = means.sort("bits_per_weight", "codec").unique(of_rate, keep="first")
    others = gaps.join(best, on=(*of_rate, "codec"), how="anti").select("point", "rival")
    return points.join(others, on=("point", "rival"), how="anti", maintain_order="left")


def _same_mask(best: dict[str, Any]) -> Baseline:
    """The mask as the point stores it, and behind it the kept signs as they are: a bit each, which needs no run."""
    bits = {name: best[name] for name in BIT_STREAMS} | {"code_bits": best["value_bound"], "patch_bits": 0.0}
    total = sum(bits.values())
    return Baseline(name=SAME_MASK, **bits, bits_per_weight=total, file_bytes=None, n_seeds=best["n_seeds"])
